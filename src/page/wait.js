// The script of a wait page: shows how far things are, asks whether it is over, and takes the
// reader to where they wanted to go. What it needs stands in the data attributes of its own
// element; what it fills are the elements that have a data-detour attribute.
(() => {
"use strict";
const data = document.currentScript.dataset;
const skew = Number(data.now) - Date.now();
const arrived = Date.now() + skew;
let until = Number(data.until);
let failures = 0;
let asked = 0;
let timer = 0;
let state = "";

const each = (name, act) => document.querySelectorAll(`[data-detour="${name}"]`).forEach(act);
const write = (name, text) => each(name, (e) => { if (e.textContent !== text) e.textContent = text; });
const say = (next) => { if (next !== state) { state = next; write("state", data[next]); } };

// A reader may have come with a fragment, which no server ever sees.
const target = () => data.back + location.hash;

const leave = () => {
  say("over");
  const to = new URL(target(), location.href);
  if (to.origin !== location.origin) return;
  if (to.pathname + to.search === location.pathname + location.search) location.reload();
  else location.replace(to.href);
};

const left = (ms) => {
  const s = Math.round(ms / 1000);
  const [n, unit] = s < 90 ? [s, "second"] : s < 5400 ? [Math.round(s / 60), "minute"]
    : s < 129600 ? [Math.round(s / 3600), "hour"] : [Math.round(s / 86400), "day"];
  return new Intl.RelativeTimeFormat(data.lang).format(n, unit);
};

const clock = (now) => new Intl.DateTimeFormat(data.lang, Math.abs(until - now) < 64800000
  ? { hour: "numeric", minute: "2-digit" } : { dateStyle: "medium", timeStyle: "short" }).format(until);

const show = () => {
  const now = Date.now() + skew;
  if (state !== "over") say(until && now > until ? "late" : "waiting");
  each("known", (e) => { e.hidden = !until; });
  each("unknown", (e) => { e.hidden = Boolean(until); });
  if (!until) return;
  each("until", (e) => { e.dateTime = new Date(until).toISOString(); });
  write("until", clock(now));
  write("left", now < until ? left(until - now) : "");
  const from = Math.min(Number(data.from) || arrived, until - 1);
  each("progress", (e) => {
    e.max = 100;
    e.value = Math.max(0, Math.min(100, Math.round((now - from) / (until - from) * 100)));
  });
};

// Each reader asks at times of their own, and less often while nobody answers.
const later = () => {
  clearTimeout(timer);
  timer = setTimeout(ask, data.again * (0.6 + 0.8 * Math.random()) * 2 ** Math.min(failures, 4));
};

const ask = async () => {
  asked = Date.now();
  try {
    const answer = await fetch(data.status, { cache: "no-store", credentials: "same-origin" });
    failures = 0;
    // A ticket that is not known any more leads nowhere, but this page knows the way.
    if (answer.status === 404) return leave();
    if (answer.ok) {
      const told = await answer.json();
      if (told.over) return leave();
      until = told.until || 0;
      show();
    }
  } catch {
    failures++;
  }
  later();
};

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && Date.now() - asked > data.again / 2) ask();
});
document.addEventListener("DOMContentLoaded", () => {
  if (data.reason) write("reason", data.reason);
  each("back", (e) => { e.href = target(); });
  show();
  setInterval(show, 1000);
  later();
});
})();
