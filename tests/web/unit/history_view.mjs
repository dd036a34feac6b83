import assert from "node:assert/strict";
import { test } from "node:test";
import {
  curvesOfRaw,
  curvesOfSteps,
  exportsOf,
  extremesOf,
  formatSeries,
  joinCurves,
  parseSeries,
  parseTime,
  PRESETS,
  rangeOf,
  requestsOf,
  SERIES_MAX,
  viewOfRange,
} from "../../../web/src/history_view.js";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const HOUR = 3600000;
const METERS = [
  { id: "main", readings: { voltage_v: {}, power_w: {}, energy_import_kwh: {} } },
  { id: "three", readings: { "l1.power_w": {}, "l2.power_w": {} } },
];
const isCounter = (key) => key.includes("energy");

test("times of a link", () => {
  assert.equal(parseTime("-6h", NOW), NOW - 6 * HOUR);
  assert.equal(parseTime("-15min", NOW), NOW - HOUR / 4);
  assert.equal(parseTime("2026-11-21T11:00:00Z", NOW), NOW - HOUR);
  assert.equal(parseTime("yesterday", NOW), null);
});

test("ranges, and what a broken link becomes", () => {
  assert.deepEqual(rangeOf({ from: "-6h" }, NOW), {
    from: NOW - 6 * HOUR,
    to: NOW,
    follows: true,
    preset: "-6h",
  });
  const fixed = rangeOf({ from: "2026-11-20T00:00:00Z", to: "2026-11-21T00:00:00Z" }, NOW);
  assert.equal(fixed.follows, false);
  assert.equal(fixed.preset, null);
  for (const view of [{ from: "x" }, { from: "2026-11-22T00:00:00Z", to: "2026-11-21T00:00:00Z" }])
    assert.equal(rangeOf(view, NOW).preset, "-24h");
  for (const preset of PRESETS) assert.equal(rangeOf({ from: preset }, NOW).preset, preset);
});

test("zooming neither ends in nothing nor looks ahead", () => {
  const close = viewOfRange(NOW - 1000, NOW - 999, NOW);
  assert.ok(Date.parse(close.to) - Date.parse(close.from) >= 5000);
  const wide = viewOfRange(NOW - HOUR, NOW + HOUR, NOW);
  assert.equal(Date.parse(wide.to), NOW);
});

test("series of a link", () => {
  const series = parseSeries("main:voltage_v,gone:power_w,three:l1.power_w,main:voltage_v,:x,nonsense", METERS);
  assert.equal(formatSeries(series), "main:voltage_v,three:l1.power_w");
  assert.equal(formatSeries(parseSeries(undefined, METERS)), "main:power_w");
  assert.equal(formatSeries(parseSeries("", METERS.slice(1))), "three:l1.power_w");
  assert.deepEqual(parseSeries("", []), []);
  assert.equal(parseSeries(Array.from({ length: 20 }, (_, i) => `main:s${i}`).join(), METERS).length, SERIES_MAX);
});

test("one request for each meter and kind", () => {
  const series = parseSeries("main:power_w,main:energy_import_kwh,main:voltage_v,three:l1.power_w", METERS);
  const requests = requestsOf(series, { from: NOW - 24 * HOUR, to: NOW }, 1000, isCounter);
  assert.deepEqual(
    requests.map((r) => [r.meter, r.steps.series, r.steps.agg]),
    [
      ["main", "power_w,voltage_v", "avg,min,max"],
      ["main", "energy_import_kwh", "last"],
      ["three", "l1.power_w", "avg,min,max"],
    ],
  );
  assert.equal(requests[0].steps.limit, 1000);
  assert.equal(requests[0].raw, null);
});

test("months are told by days, minutes by the reports themselves", () => {
  const series = parseSeries("", METERS);
  assert.equal(requestsOf(series, { from: NOW - 365 * 24 * HOUR, to: NOW }, 1000, isCounter)[0].steps.step, "1d");
  const [close] = requestsOf(series, { from: NOW - HOUR / 4, to: NOW }, 50, isCounter);
  assert.equal(close.raw.step, "raw");
  assert.equal(close.steps.limit, 200);
});

test("the file has what is on the screen", () => {
  const requests = requestsOf(parseSeries("", METERS), { from: NOW - HOUR / 4, to: NOW }, 500, isCounter);
  assert.deepEqual(
    [exportsOf(requests, true)[0].query.step, exportsOf(requests, true)[0].query.limit],
    ["raw", undefined],
  );
  assert.equal(exportsOf(requests, false)[0].query.step, undefined);
  assert.equal(exportsOf(requests, false)[0].query.format, "csv");
});

const REQUEST = { meter: "main", keys: ["power_w"], counter: false };
const STEPS = {
  columns: ["t_ms", "power_w.avg", "power_w.min", "power_w.max"],
  rows: [
    [0, 5, 4, 6],
    [10, null, null, null],
    [20, 7, 7, 9],
  ],
};

test("steps become a mean and its band; a series of which nothing is stored is all gap", () => {
  const [curve] = curvesOfSteps(REQUEST, STEPS);
  assert.deepEqual(
    [curve.times, curve.mean, curve.low, curve.high],
    [
      [0, 10, 20],
      [5, null, 7],
      [4, null, 7],
      [6, null, 9],
    ],
  );
  const [none] = curvesOfSteps({ ...REQUEST, keys: ["current_a"] }, STEPS);
  assert.deepEqual([none.mean, none.low], [[null, null, null], null]);
});

test("reports: one that brought nothing says nothing, an unknown step is a gap", () => {
  const raw = {
    columns: ["t_ms", "voltage_v", "power_w"],
    rows: [
      [1, 230, 5],
      [2, 231, null],
      [3, null, 6],
      [21, null, 7],
    ],
  };
  const [curve] = curvesOfRaw(REQUEST, raw, STEPS);
  assert.deepEqual(curve.times, [1, 3, 10, 21]);
  assert.deepEqual(curve.mean, [5, 6, null, 7]);
});

test("curves of different times: where one has no row it is undefined, which is no gap", () => {
  const a = { times: [0, 10], mean: [1, null], low: [1, null], high: [2, null] };
  const b = { times: [5, 10], mean: [3, 4], low: null, high: null };
  const { times, curves } = joinCurves([a, b]);
  assert.deepEqual(times, [0, 5, 10]);
  assert.deepEqual(
    curves.map((c) => c.mean),
    [
      [1, undefined, null],
      [undefined, 3, 4],
    ],
  );
  assert.deepEqual(curves[1].low, null);
  assert.equal(joinCurves([a, a]).times, a.times);
});

test("least and greatest on the screen", () => {
  const [curve] = curvesOfSteps(REQUEST, STEPS);
  assert.deepEqual(extremesOf(curve), { low: { value: 4, ms: 0 }, high: { value: 9, ms: 20 } });
  assert.deepEqual(extremesOf({ times: [1], mean: [null], low: null, high: null }), { low: null, high: null });
});
