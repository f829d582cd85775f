// SPDX-License-Identifier: MIT
// A browser that a test drives over standard input and output: one JSON object a line each way.
// {"do": "open", "options": {...}} gives a page in a profile of its own, which "page" names in what
// follows.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const pages = [];

const acts = {
  async open({ options, headers }) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    if (headers) await page.setExtraHTTPHeaders(headers);
    const seen = { page, requests: [], faults: [] };
    page.on("request", (r) => seen.requests.push([r.method(), r.url()]));
    page.on("pageerror", (e) => seen.faults.push(String(e)));
    page.on("console", (m) => m.type() === "error" && seen.faults.push(m.text()));
    return pages.push(seen) - 1;
  },
  async goto({ page, url }) {
    const response = await pages[page].page.goto(url);
    return response.status();
  },
  async until({ page, url, timeout }) {
    await pages[page].page.waitForURL(url, { timeout: timeout * 1000 });
    return pages[page].page.url();
  },
  // A page that is just leaving is asked once more where it has come to.
  async run({ page, code }) {
    for (let left = 5; ; left--) {
      try {
        return await pages[page].page.evaluate(code);
      } catch (e) {
        if (left === 0 || !String(e).includes("navigation")) throw e;
        await pages[page].page.waitForLoadState();
      }
    }
  },
  async press({ page, key }) {
    await pages[page].page.keyboard.press(key);
  },
  async url({ page }) {
    return pages[page].page.url();
  },
  async seen({ page }) {
    return { requests: pages[page].requests, faults: pages[page].faults };
  },
  async picture({ page, path }) {
    await pages[page].page.screenshot({ path, fullPage: true });
  },
  async media({ page, options }) {
    await pages[page].page.emulateMedia(options);
  },
  async close({ page }) {
    await pages[page].page.context().close();
  },
};

process.stdout.write(JSON.stringify({ value: browser.version() }) + "\n");
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await acts[command.do](command)) ?? null };
  } catch (e) {
    answer = { error: String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
