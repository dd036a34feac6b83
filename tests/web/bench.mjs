/* How long people wait, by the browser's own clock: medians of several tries against the demo with a past. */
import { openPage, show, startBrowser, startDemo, until } from "./lib.mjs";

const DAYS = process.env.METERGATE_DAYS ?? "400";
const TRIES = 9;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function report(name, values, limit) {
  const line = (n) => n.toFixed(0).padStart(5);
  console.log(
    `${name.padEnd(52)} ${line(median(values))} ms   ` +
      `(${line(Math.min(...values))} to ${line(Math.max(...values))}, at most ${limit} wanted)`,
  );
}

/* From the beginning of the navigation until the frame with it has been shown. */
const shownAt = (page, mark) =>
  until(() => page.evaluate((name) => performance.getEntriesByName(name)[0]?.startTime, mark), mark);

async function coldLoads(browser, base, hash, mark) {
  const times = [];
  for (let i = 0; i < TRIES; i++) {
    const { page, context } = await openPage(browser);
    await page.goto(base + hash);
    times.push(await shownAt(page, mark));
    await context.close();
  }
  return times;
}

/* Within the page: from the press of the button until the new curve is shown. */
async function chartTimes(browser, base, from, steps) {
  const { page, context } = await openPage(browser);
  await show(page, base, from);
  const times = [];
  for (const step of steps) {
    const begin = await page.evaluate((name) => {
      performance.clearMarks("metergate-chart");
      const at = performance.now();
      document
        .querySelector(`button[aria-label="${name}"], .segments button:nth-child(${Number(name) || 99})`)
        .click();
      return at;
    }, step);
    times.push((await shownAt(page, "metergate-chart")) - begin);
  }
  await context.close();
  return times;
}

const [demo, browser] = await Promise.all([startDemo(DAYS), startBrowser()]);
try {
  await coldLoads(browser, demo.base, "#live", "metergate-live");
  report(
    "first paint with live values, nothing cached",
    await coldLoads(browser, demo.base, "#live", "metergate-live"),
    300,
  );
  report(
    "a year's chart, nothing cached",
    await coldLoads(browser, demo.base, "#history?from=-365d", "metergate-chart"),
    500,
  );
  const years = [];
  for (let i = 0; i < TRIES; i++)
    years.push((await chartTimes(browser, demo.base, "#history?from=-24h", ["6"]))[0]);
  report("a year's chart, from the day's", years, 500);
  const zooms = await chartTimes(browser, demo.base, "#history?from=-365d", Array(12).fill("Zoom in"));
  report("one step closer, from the year to the reports", zooms, 200);
  report("the longest of them", [Math.max(...zooms)], 200);
} finally {
  await browser.close();
  await demo.stop();
}
