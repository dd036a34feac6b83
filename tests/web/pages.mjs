/* Every page, in both themes, three sizes and three languages, against the demo with a past. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  inspect,
  LOCALES,
  openPage,
  PAGES,
  show,
  SIZES,
  startBrowser,
  startDemo,
  startGateway,
  until,
} from "./lib.mjs";

const DAYS = process.env.METERGATE_DAYS ?? "400";
const SCREENSHOTS = process.env.METERGATE_SCREENSHOTS;

let demo;
let browser;

before(async () => {
  [demo, browser] = await Promise.all([startDemo(DAYS), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/* Runs with a page, and holds that it said nothing and asked nobody else. */
async function visit(options, base, look) {
  const { page, said, asked, context } = await openPage(browser, options);
  try {
    await look(page).catch(async (error) => {
      error.message += `\nThe page: ${await page.locator("body").innerText()}\nThe console: ${said.join("\n")}`;
      throw error;
    });
    assert.deepEqual(said, []);
    assert.deepEqual(
      asked.filter((url) => !url.startsWith(base)),
      [],
    );
  } finally {
    await context.close();
  }
}

const VIEWS = { history: "#history?from=-30d", energy: "#energy?period=month" };

for (const theme of ["light", "dark"])
  for (const size of Object.keys(SIZES))
    for (const language of Object.keys(LOCALES))
      test(`every page: ${theme}, ${size}, ${language}`, () =>
        visit({ theme, size, language }, demo.base, async (page) => {
          for (const name of PAGES) {
            await show(page, demo.base, VIEWS[name] ?? `#${name}`);
            assert.equal(await page.getAttribute("html", "lang"), language);
            assert.equal(await page.getAttribute("html", "data-theme"), theme);
            await inspect(page);
          }
        }));

const key = (page, name) => page.keyboard.press(name);
const range = (page) => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.split("?")[1])));
const settled = (page) => page.locator(".chart[data-ready][aria-busy=false] canvas").waitFor();

test("history: from a year to single reports by dragging, and back", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#history?from=-365d");
    const spans = [];
    const box = await page.locator(".u-over").boundingBox();
    const reports = () => page.getByText("Single reports of the meter").isVisible();
    for (let i = 0; i < 12 && !(await reports()); i++) {
      await page.mouse.move(box.x + box.width * 0.9, box.y + 50);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.98, box.y + 60, { steps: 4 });
      const before = await range(page);
      await page.mouse.up();
      await until(async () => JSON.stringify(await range(page)) !== JSON.stringify(before), "another range");
      await settled(page);
      const { from, to } = await range(page);
      spans.push(Date.parse(to) - Date.parse(from));
    }
    assert.ok(await reports());
    spans.forEach((span, i) => assert.ok(i === 0 || span < spans[i - 1]));
    for (let i = 0; i < spans.length; i++) await page.goBack();
    await until(async () => (await range(page)).from === "-365d", "the year again");
    await settled(page);
  }));

test("history: it is busy from the moment that another range is chosen", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#history?from=-24h");
    /* Before the next frame, and so before anything could be asked for. */
    const busy = await page.getByRole("button", { name: "7 days", exact: true }).evaluate(async (button) => {
      button.click();
      await new Promise((rendered) => queueMicrotask(() => queueMicrotask(rendered)));
      return document.querySelector(".chart").getAttribute("aria-busy");
    });
    assert.equal(busy, "true");
    await settled(page);
  }));

test("history: all of it by keyboard, and the cursor says a value", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#history?from=-24h");
    await page.locator(".chart").focus();
    await key(page, "ArrowLeft");
    await until(
      async () => /\d\sW/.test(await page.locator(".legend td.now").innerText()),
      "a value at the cursor",
    );
    await key(page, "+");
    await until(async () => (await range(page)).to, "a closer range");
    const closer = await range(page);
    await key(page, "-");
    await until(async () => (await range(page)).from !== closer.from, "a wider range");
  }));

test("history: series of two meters, their file, and a link that opens the same view", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#history?series=main:power_w&from=-7d");
    await page.getByLabel("Add a series").selectOption({ value: "utility:power_w" });
    await until(async () => (await page.locator(".legend tbody tr").count()) === 2, "two series");
    await settled(page);
    const files = await page.locator("a.button[download]").evaluateAll((links) => links.map((link) => link.href));
    assert.equal(files.length, 2);
    for (const file of files) {
      const lines = (await (await fetch(file)).text()).trim().split("\n");
      assert.match(lines[0], /^t_ms,power_w\.avg,power_w\.min,power_w\.max$/);
      assert.ok(lines.length > 100);
    }
    const hash = new URL(page.url()).hash;
    await show(page, demo.base, "#live");
    await show(page, demo.base, hash);
    assert.equal(await page.locator(".legend tbody tr").count(), 2);
  }));

test("history: an outage is a gap, at every distance", () =>
  visit({}, demo.base, async (page) => {
    const history = await (
      await fetch(`${demo.base}api/v1/meters/main/history?series=power_w&agg=avg&step=15min&from=-100d&limit=11000`)
    ).json();
    const hole = history.rows.findIndex((row, i) => i > 0 && row[1] === null && history.rows[i - 1][1] !== null);
    assert.ok(hole > 0, "the demo has an outage");
    const at = history.rows[hole][0];
    await show(
      page,
      demo.base,
      `#history?from=${new Date(at - 7200000).toISOString()}&to=${new Date(at + 7200000).toISOString()}`,
    );
    /* In the middle of the hole the cursor finds nothing. */
    await page.locator(".chart").focus();
    const words = [];
    for (let i = 0; i < 90; i++) {
      await key(page, "Shift+ArrowRight");
      words.push(await page.locator(".legend td.now").innerText());
    }
    assert.ok(words.some((text) => text.trim() === "\u2013") && words.some((text) => /\d\sW/.test(text)));
  }));

test("energy: a year, into a month, into a day, and what the bars say", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#energy?period=month");
    await page.locator(".bars .open").last().click();
    await until(async () => (await range(page)).period === "day", "days");
    await page.locator(".bars .open .bar").first().waitFor();
    await page.locator(".bars .open").first().click();
    await until(async () => (await range(page)).period === "hour", "hours");
    await page.locator(".bars .bar").first().waitFor();
    await page.getByText("As a table").click();
    const answer = await page.locator("details[open] tbody tr").count();
    assert.ok(answer >= 1 && answer <= 25);
    assert.ok(await page.locator("#compare").isVisible());
  }));

test("meters: datapoints, frames and a capture to save", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#meters?meter=main");
    for (const title of ["Datapoints", "Raw frames"]) await page.getByText(title, { exact: true }).click();
    await page.locator("td.raw").first().waitFor();
    await page.getByRole("link", { name: "Save as a capture" }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Save as a capture" }).click(),
    ]);
    assert.match(
      readFileSync(await download.path(), "utf8"),
      /^# source: metergate[\s\S]*\n\d{4}-\d\d-\d\dT\S+ (rx|tx) 55 AA /,
    );
    await inspect(page);
  }));

/* Those of a simulated house come within some seconds: its voltage is never the same for long. */
test("meters: suggestions are accepted by keyboard, and become a profile", async () => {
  const gateway = await startGateway({ product: "unknown7", interval: "300ms" });
  try {
    for (const [theme, size, language] of [
      ["light", "desktop", "en"],
      ["dark", "phone", "de"],
      ["dark", "tablet", "pl"],
    ])
      await visit({ theme, size, language }, gateway.base, async (page) => {
        await show(page, gateway.base, "#meters");
        const row = page.locator("tr", { has: page.locator('th:text-is("20")') });
        const button = row.locator(".guess button").first();
        await button.waitFor();
        assert.match(await row.locator(".guess").first().innerText(), /2[23]\d[.,]\d\sV[^]*\d\s?%/);
        await button.focus();
        await key(page, "Enter");
        const saved = page.locator("a.button[download='main.yaml']");
        await saved.waitFor();
        assert.equal(await button.getAttribute("aria-pressed"), "true");
        await row.locator("summary").click();
        await inspect(page);
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          saved.click(),
        ]);
        const text = readFileSync(await download.path(), "utf8");
        assert.match(text, /^name: main$/m);
        assert.match(text, /^product_keys: \[unknown7\]$/m);
        assert.match(text, /- \{ dp: 20, type: value, quantity: voltage_v, scale: 0.1 \}/);
        await button.focus();
        await key(page, "Space");
        await saved.waitFor({ state: "detached" });
      });
  } finally {
    await gateway.end();
  }
});

test("a language and a theme that were chosen stay", () =>
  visit({}, demo.base, async (page) => {
    await show(page, demo.base, "#live");
    await page.locator("footer select").nth(0).selectOption("pl");
    await page.locator("footer select").nth(1).selectOption("dark");
    await page.reload();
    await page.locator(".meter .value").first().waitFor();
    assert.equal(await page.getAttribute("html", "lang"), "pl");
    assert.equal(await page.getAttribute("html", "data-theme"), "dark");
    assert.match(await page.locator("nav").innerText(), /Na żywo/);
  }));

test("below a path of a proxy everything is found", async () => {
  const { createServer, request } = await import("node:http");
  const target = new URL(demo.base);
  const proxy = createServer((req, res) => {
    if (!req.url.startsWith("/house/")) return res.writeHead(404).end();
    return req.pipe(
      request(
        {
          host: target.hostname,
          port: target.port,
          path: req.url.slice(6),
          method: req.method,
          headers: { ...req.headers, host: target.host },
        },
        (answer) => {
          res.writeHead(answer.statusCode, answer.headers);
          answer.pipe(res);
        },
      ).on("error", () => res.destroy()),
    );
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${proxy.address().port}/house/`;
  try {
    await visit({}, base, async (page) => {
      for (const name of PAGES) await show(page, base, `#${name}`);
    });
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

test("the gateway restarts while the page is open", async () => {
  const gateway = await startGateway();
  const { page, said, context } = await openPage(browser);
  try {
    await show(page, gateway.base, "#live");
    await page.evaluate(() => {
      globalThis.sameDocument = true;
    });
    const live = () => page.locator("#connection[data-phase=live]");
    await live().waitFor();
    for (let i = 0; i < 2; i++) {
      await gateway.stop();
      await page.locator("#connection[data-phase=lost]").waitFor();
      await gateway.start();
      await live().waitFor();
      const shown = await page.locator(".power .value").innerText();
      await until(async () => (await page.locator(".power .value").innerText()) !== shown, "a new value");
    }
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
    assert.deepEqual(
      said.filter((line) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|503/.test(line)),
      [],
    );
  } finally {
    await context.close();
    await gateway.end();
  }
});

const SHOTS = [
  ["live.png", "#live", { theme: "light", size: "desktop" }],
  ["history.png", "#history?series=utility:power_w&from=-30d", { theme: "dark", size: "desktop" }],
  [
    "energy.png",
    "#energy?meter=utility&period=day&at=2026-06-10",
    { theme: "light", size: "desktop", language: "de" },
  ],
  ["phone.png", "#live", { theme: "dark", size: "phone", language: "pl" }],
];

test(
  "screenshots for the documentation",
  { skip: !SCREENSHOTS && "METERGATE_SCREENSHOTS names no folder" },
  async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    for (const [file, hash, options] of SHOTS)
      await visit(options, demo.base, async (page) => {
        await show(page, demo.base, hash);
        await page.waitForTimeout(1500);
        await page.screenshot({ path: join(SCREENSHOTS, file) });
      });
  },
);
