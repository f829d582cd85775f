// SPDX-License-Identifier: MIT
// Runs the cases of `detour conformance` with Node's own fetch().
// usage: node node.mjs BASE KEY
const [base, key] = process.argv.slice(2);
const AT_ONCE = 4;
const LIMIT_MS = 20000;

async function ask(test) {
  const content = test.content.repeat(Math.ceil(test.content_bytes / test.content.length));
  const answer = await fetch(test.url, {
    method: test.method,
    headers: test.fields,
    body: test.content_bytes ? content.slice(0, test.content_bytes) : undefined,
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  try {
    await answer.arrayBuffer();
  } catch {
    // Content that cannot be decoded is not what is tried here.
  }
  // What Fetch shows of a URL is without its fragment.
  return test.navigate ? `${answer.status}` : `${answer.status} ${answer.url}`;
}

const { cases } = await (await fetch(`${base}/cases.json?key=${key}`)).json();
let next = 0;

async function work() {
  while (next < cases.length) {
    const test = cases[next++];
    let said;
    for (let i = 0; i < test.times; i++) {
      said = await ask(test).catch(() => "error");
    }
    await (await fetch(`${base}/say/${key}/${test.id}`, { method: "POST", body: said })).text();
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
