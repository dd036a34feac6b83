import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  DASH,
  formatAgo,
  formatDuration,
  formatEnergy,
  formatMoney,
  formatNumber,
  formatTick,
  formatValue,
  withUnit,
} from "../../../web/src/format.js";
import { setLanguage } from "../../../web/src/i18n.js";

/* What a browser has and Node has not. */
globalThis.document ??= { documentElement: {} };
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en-GB"] }, configurable: true });

const plain = (text) => text.replace(/[\u00a0\u202f]/g, " ");

beforeEach(() => setLanguage("en"));

test("what nobody knows is a dash, never 0", () => {
  for (const value of [null, undefined, NaN, Infinity, "5"]) assert.equal(formatNumber(value), DASH);
  assert.equal(withUnit(null, "W"), DASH);
  assert.equal(formatEnergy(null), DASH);
});

test("signs: a real minus, a plus where one was asked for, none at zero", () => {
  assert.equal(formatValue(-614, "W", true), "\u2212614.0");
  assert.equal(formatValue(17.7, "W", true), "+17.7");
  assert.equal(formatValue(-0.04, "W", true), "0.0");
  assert.equal(formatValue(1234.5, "W"), "1,234.5");
});

test("as people of a place write them", () => {
  setLanguage("de");
  assert.equal(formatValue(1234567.8, "W"), "1.234.567,8");
  setLanguage("pl");
  assert.equal(plain(formatValue(1234567.8, "W")), "1 234 567,8");
  assert.equal(plain(formatMoney(12.5, "EUR")), "12,50 \u20ac");
});

test("money of a currency that nobody knows", () => {
  assert.equal(plain(formatMoney(1.5, "not one")), "1.50 not one");
});

test("energies keep four digits", () => {
  assert.deepEqual(
    [0.0625, 12.345, 1234.56].map((v) => plain(formatEnergy(v))),
    ["0.063 kWh", "12.35 kWh", "1,234.6 kWh"],
  );
});

test("ages and durations", () => {
  assert.match(formatAgo(5), /5.*ago/);
  assert.match(formatAgo(300), /5 min.*ago/);
  assert.match(formatAgo(86400 * 3), /3 days ago/);
  assert.match(formatDuration(900), /15 min/);
  setLanguage("pl");
  assert.match(formatAgo(5), /5 .*temu/);
});

test("ticks as coarse as they are far apart", () => {
  const tick = (text, increment) => formatTick(Date.parse(text), increment, "Europe/Warsaw");
  assert.equal(tick("2026-11-21T11:30:00Z", 1800000), "12:30");
  assert.equal(tick("2026-11-20T23:00:00Z", 7200000), "21 Nov");
  assert.equal(tick("2026-11-21T11:30:15Z", 5000), "12:30:15");
  assert.equal(tick("2025-12-31T23:00:00Z", 86400000 * 30), "2026");
  assert.equal(tick("2026-01-31T23:00:00Z", 86400000 * 30), "Feb");
});
