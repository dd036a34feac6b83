import assert from "node:assert/strict";
import { test } from "node:test";
import {
  barsOf,
  compareDays,
  isIncomplete,
  neighbour,
  slotsOf,
  ticksOf,
  totalsOf,
  windowOf,
} from "../../../web/src/energy_view.js";
import { midnight } from "../../../web/src/zone.js";

const ZONE = "Europe/Warsaw";
const NOW = Date.parse("2026-11-21T12:00:00Z");
const slots = (period, at) => slotsOf(period, windowOf(period, at, NOW, ZONE), ZONE);

test("hours of a day, those of the change of the clocks included", () => {
  assert.equal(slots("hour", "2026-03-29").length, 23);
  assert.equal(slots("hour", "2026-10-25").length, 25);
  assert.equal(slots("hour", undefined).length, 24);
});

test("days of a month, months of a year, years", () => {
  assert.equal(slots("day", "2024-02-10").length, 29);
  assert.equal(slots("day", "2026-11-01").length, 30);
  assert.equal(slots("month", "2026-06-01").length, 12);
  assert.equal(slots("month", "2026-06-01")[3], midnight(2026, 4, 1, ZONE));
  assert.equal(slots("year", undefined).length, 10);
});

test("the window before and after", () => {
  const step = (period, at, by) => neighbour(period, at, by, NOW, ZONE);
  assert.equal(step("hour", "2026-03-01", -1), "2026-02-28");
  assert.equal(step("day", "2026-01-31", -1), "2025-12-01");
  assert.equal(step("day", "2026-01-31", 1), "2026-02-01");
  assert.equal(step("month", undefined, -1), "2025-01-01");
  assert.equal(step("year", undefined, -1), "2016-01-01");
});

const row = (start_ms, import_kwh, export_kwh = 0, complete = 1, cost = undefined) => ({
  start_ms,
  import_kwh,
  export_kwh,
  complete,
  cost,
});

test("bars stand where their time is, years only from the first that is known", () => {
  assert.deepEqual(
    barsOf([1, 2, 3], [row(2, 5)], "day").map((b) => b.row?.import_kwh ?? null),
    [null, 5, null],
  );
  assert.deepEqual(
    barsOf([1, 2, 3], [row(1, null), row(2, 5)], "year").map((b) => b.ms),
    [2, 3],
  );
  assert.deepEqual(
    barsOf([1, 2, 3], [], "year").map((b) => b.ms),
    [3],
  );
});

test("sums, to the last digit", () => {
  const totals = totalsOf([
    row(1, 0.1, 0.2, 1, { EUR: 0.1 }),
    row(2, 0.2, 0.1, 0.5, { EUR: 0.2 }),
    row(3, null, null, 0),
  ]);
  assert.deepEqual(totals, { known: true, import: 0.3, export: 0.3, costs: { EUR: 0.3 }, incomplete: 1 });
  assert.equal(totalsOf([row(1, null)]).known, false);
});

test("what is incomplete, and what is unknown", () => {
  assert.equal(isIncomplete(row(1, 5, 0, 0.98)), true);
  assert.equal(isIncomplete(row(1, 5, 0, 0.99)), false);
  assert.equal(isIncomplete(row(1, null, null, 0)), false);
  assert.equal(isIncomplete(null), false);
});

test("today beside yesterday: only steps that are over, the same of both days", () => {
  const step = 300000;
  const yesterday = 0;
  const today = 10 * step;
  const rows = Array.from({ length: 14 }, (_, i) => [i * step, i < 10 ? 1 : 2]);
  rows[3][1] = null;
  const days = compareDays({ columns: ["t_ms", "energy_import_kwh.delta"], rows }, "energy_import_kwh", {
    yesterday,
    today,
    now: today + 3.5 * step,
  });
  assert.equal(days.end, today + 3 * step);
  assert.equal(days.today, 6);
  assert.equal(days.same, 3);
  assert.deepEqual(days.before[days.before.length - 1], [10 * step, 9]);
  assert.equal(
    compareDays({ columns: ["t_ms"], rows }, "energy_import_kwh", { yesterday, today, now: today }),
    null,
  );
});

test("ticks are round, and hold 0", () => {
  const { ticks, step } = ticksOf(-8, 14);
  assert.equal(step, 5);
  assert.deepEqual(ticks, [-5, 0, 5, 10]);
  assert.ok(ticksOf(0, 1).ticks.includes(0));
  assert.ok(ticksOf(0, 0).ticks.length > 0);
});
