/* A page that stays open: what it holds does not grow, however long values come and go. METERGATE_OPEN says for how
 * many seconds; five minutes without it, an hour in make soak. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, PAGES, show, startBrowser, startGateway, until } from "./lib.mjs";

const SECONDS = Number(process.env.METERGATE_OPEN ?? 300);
const WARM_UP_S = 20; /* the first values, the first chart, code that gets compiled */
const HEAP_MAX = 10e6; /* bytes: more than it may grow by */
const ROUNDS = 20;

let browser;
let gateway;

before(async () => {
  [gateway, browser] = await Promise.all([startGateway(), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await gateway?.end();
});

/* The heap, the nodes of all documents, those that nobody sees any more included, and the listeners. */
async function measure(client) {
  for (let i = 0; i < 3; i++) await client.send("HeapProfiler.collectGarbage");
  const { metrics } = await client.send("Performance.getMetrics");
  const value = (name) => metrics.find((m) => m.name === name).value;
  return { heap: value("JSHeapUsedSize"), nodes: value("Nodes"), listeners: value("JSEventListeners") };
}

/* The frames in between differ by what they are just drawing: of several looks the least counts. */
async function least(page, client) {
  const looks = [];
  for (let i = 0; i < 5; i++) {
    looks.push(await measure(client));
    await page.waitForTimeout(1000);
  }
  return Object.fromEntries(Object.keys(looks[0]).map((key) => [key, Math.min(...looks.map((look) => look[key]))]));
}

async function withPage(look) {
  const { page, context } = await openPage(browser);
  try {
    const client = await context.newCDPSession(page);
    await client.send("Performance.enable");
    await client.send("HeapProfiler.enable");
    await look(page, client);
  } finally {
    await context.close();
  }
}

const grown = (first, last) => `${JSON.stringify(first)} became ${JSON.stringify(last)}`;

test(`the live page, open for ${SECONDS} s with values each second`, (t) =>
  withPage(async (page, client) => {
    await show(page, gateway.base, "#live");
    await page.waitForTimeout(WARM_UP_S * 1000);
    const first = await least(page, client);
    const values = new Set();
    const end = Date.now() + SECONDS * 1000;
    while (Date.now() < end) {
      values.add(await page.locator(".power .value").innerText());
      await page.waitForTimeout(1000);
    }
    const last = await least(page, client);
    t.diagnostic(grown(first, last));
    assert.ok(values.size > SECONDS / 10, `only ${values.size} different values`);
    assert.equal(await page.getAttribute("#connection", "data-way"), "stream");
    assert.ok(last.heap - first.heap <= HEAP_MAX, grown(first, last));
    assert.ok(last.nodes <= first.nodes, grown(first, last));
    assert.ok(last.listeners <= first.listeners, grown(first, last));
  }));

test(`every page, left and come back to ${ROUNDS} times, leaves nothing behind`, (t) =>
  withPage(async (page, client) => {
    const round = async () => {
      for (const name of [...PAGES, "live"]) await show(page, gateway.base, `#${name}`);
    };
    for (let i = 0; i < 3; i++) await round();
    const first = await least(page, client);
    for (let i = 0; i < ROUNDS; i++) await round();
    const last = await least(page, client);
    t.diagnostic(grown(first, last));
    assert.ok(last.heap - first.heap <= HEAP_MAX / 5, grown(first, last));
    /* One page more or less may still be on its way out; one node for each round would be a leak. */
    assert.ok(last.nodes - first.nodes < 2 * ROUNDS, grown(first, last));
    assert.ok(last.listeners - first.listeners < ROUNDS, grown(first, last));
  }));

test("a page in a tab that nobody looks at gives its connection back", () =>
  withPage(async (page) => {
    await show(page, gateway.base, "#live");
    await page.locator("#connection[data-way=stream]").waitFor();
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    const text = () => page.locator(".power .value").innerText();
    /* What came before may still have to be drawn. */
    await page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    );
    const hidden = await text();
    await page.waitForTimeout(3000);
    assert.equal(await text(), hidden);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await until(async () => (await text()) !== hidden, "a new value");
  }));
