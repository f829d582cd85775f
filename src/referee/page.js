// SPDX-License-Identifier: MIT
// Runs every case in the browser that has opened the page, and shows the table.
"use strict";

const AT_ONCE = 6;
const LIMIT_MS = 30000;
const given = new URLSearchParams(location.search).get("key");
const key = given || "b" + Math.random().toString(36).slice(2, 10);
const state = document.getElementById("state");

function content(test) {
  return test.content.repeat(Math.ceil(test.content_bytes / test.content.length)).slice(0, test.content_bytes);
}

async function ask(test) {
  const answer = await fetch(test.url, {
    method: test.method,
    headers: test.fields,
    body: test.content_bytes ? content(test) : undefined,
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  await answer.arrayBuffer();
  return `${answer.status} ${answer.url}`;
}

// What comes after '#' is seen by nobody but who goes there.
function visit(test) {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    const timer = setTimeout(() => resolve("error"), LIMIT_MS);
    frame.onload = () => {
      clearTimeout(timer);
      resolve(`200 ${frame.contentWindow.location.href}`);
      frame.remove();
    };
    frame.src = test.url;
    document.body.append(frame);
  });
}

async function run(test) {
  let said;
  for (let i = 0; i < test.times; i++) {
    try {
      said = await (test.navigate ? visit(test) : ask(test));
    } catch (e) {
      said = "error";
    }
  }
  await fetch(`/say/${key}/${test.id}`, { method: "POST", body: said });
}

function show(report) {
  const rows = document.querySelector("tbody");
  for (const found of report.cases) {
    const row = rows.insertRow();
    for (const name of ["title", "verdict", "saw", "right", "section"]) {
      row.insertCell().textContent = found[name];
    }
    row.cells[1].className = found.verdict;
  }
  document.querySelector("table").hidden = false;
  state.textContent = `${report.client}: ${report.standard} as the standard says, ${report.allowed} allowed, ` +
    `${report.wrong} wrong, ${report.unseen} unseen.`;
}

async function main() {
  const { cases } = await (await fetch(`/cases.json?key=${key}`)).json();
  let next = 0;
  async function work() {
    while (next < cases.length) {
      const test = cases[next++];
      state.textContent = `${next} of ${cases.length}: ${test.title}`;
      await run(test);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await fetch(`/done/${key}`, { method: "POST" });
  show(await (await fetch(`/report/${key}.json`)).json());
  document.documentElement.dataset.done = key;
}

main().catch((e) => {
  state.textContent = `That did not work: ${e}`;
});
