import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf, fromAnswer, isUnknown, splitKey, valuesOf, withSample } from "../../../web/src/readings.js";

const reading = (value, at_ms) => ({
  value,
  at_ms,
  age_s: at_ms === null ? null : 1,
  source: "measured",
  origin: "dp 1",
});
const METER = {
  id: "main",
  profile: "p",
  age_s: 1,
  at_ms: 900,
  readings: { power_w: reading(10, 900), "l1.power_w": reading(null, null), energy_import_kwh: reading(5, 900) },
};
const fresh = () => fromAnswer([METER], 2000)[0];

test("keys of channels", () => {
  assert.deepEqual(splitKey("power_w"), ["", "power_w"]);
  assert.deepEqual(splitKey("l1.power_w"), ["l1", "power_w"]);
});

test("a sample's values, plain and of channels, and nothing that is no series of the meter", () => {
  const sample = {
    meter: "main",
    at_ms: 1000,
    power_w: -3,
    channels: { l1: { power_w: 4, other: 1 } },
    frequency_hz: 50,
  };
  assert.deepEqual(valuesOf(sample, METER.readings), { power_w: -3, "l1.power_w": 4 });
});

test("readings know when they were born", () => {
  const meter = fresh();
  assert.equal(meter.readings.power_w.bornMs, 1000);
  assert.equal(meter.readings["l1.power_w"].bornMs, null);
});

test("a sample replaces what it brought and leaves the rest", () => {
  const meter = withSample(fresh(), { meter: "main", at_ms: 1000, power_w: -3, "l1.power_w": 2 }, 1900);
  assert.equal(meter.readings.power_w.value, -3);
  assert.equal(meter.readings.power_w.bornMs, 1900);
  assert.equal(meter.readings.power_w.origin, "dp 1");
  assert.equal(meter.readings["l1.power_w"].value, 2);
  assert.equal(meter.readings.energy_import_kwh.value, 5);
  assert.equal(meter.readings.energy_import_kwh.bornMs, 1000);
  assert.equal(meter.bornMs, 1900);
});

test("an old sample, replayed, does not take a newer value back", () => {
  const meter = withSample(fresh(), { meter: "main", at_ms: 800, power_w: 99 }, 800);
  assert.equal(meter.readings.power_w.value, 10);
  assert.equal(meter.bornMs, 1000);
});

test("directions, and a zero that is none", () => {
  assert.deepEqual(
    [3, -3, 0, 0.04, -0.04, null, undefined].map((p) => flowOf(p)),
    ["import", "export", "none", "none", "none", "unknown", "unknown"],
  );
});

test("a meter that nobody understands yet", () => {
  assert.equal(isUnknown({ profile: null, readings: {} }), true);
  assert.equal(isUnknown({ profile: null, readings: { power_w: {} } }), false);
});
