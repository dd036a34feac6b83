import assert from "node:assert/strict";
import { test } from "node:test";
import { dateOf, isZone, midnight, parseDate, partsOf } from "../../../web/src/zone.js";

const WARSAW = "Europe/Warsaw";
const utc = (text) => Date.parse(text);

test("midnight in winter, in summer, and on the days of the change", () => {
  assert.equal(midnight(2026, 1, 10, WARSAW), utc("2026-01-09T23:00:00Z"));
  assert.equal(midnight(2026, 7, 10, WARSAW), utc("2026-07-09T22:00:00Z"));
  assert.equal(midnight(2026, 3, 29, WARSAW), utc("2026-03-28T23:00:00Z"));
  assert.equal(midnight(2026, 3, 30, WARSAW), utc("2026-03-29T22:00:00Z"));
  assert.equal(midnight(2026, 10, 25, WARSAW), utc("2026-10-24T22:00:00Z"));
  assert.equal(midnight(2026, 10, 26, WARSAW), utc("2026-10-25T23:00:00Z"));
});

test("zones far from Greenwich", () => {
  assert.equal(midnight(2026, 11, 21, "Pacific/Auckland"), utc("2026-11-20T11:00:00Z"));
  assert.equal(midnight(2026, 11, 21, "America/St_Johns"), utc("2026-11-21T03:30:00Z"));
});

test("months and days beyond their range", () => {
  assert.equal(midnight(2026, 13, 1, WARSAW), midnight(2027, 1, 1, WARSAW));
  assert.equal(midnight(2026, 3, 0, WARSAW), midnight(2026, 2, 28, WARSAW));
});

test("dates there and back", () => {
  for (let day = 0; day < 800; day++) {
    const ms = midnight(2025, 1, 1 + day, WARSAW);
    const { year, month, day: d } = parseDate(dateOf(ms, WARSAW));
    assert.equal(midnight(year, month, d, WARSAW), ms);
    assert.equal(partsOf(ms, WARSAW).hour, 0);
    assert.equal(partsOf(ms - 1000, WARSAW).hour, 23);
  }
});

test("what is no date, and no zone", () => {
  for (const text of ["", undefined, "2026-1-1", "today", "2026-01-01T00:00"]) assert.equal(parseDate(text), null);
  assert.equal(isZone(WARSAW), true);
  assert.equal(isZone("Europe/Nowhere"), false);
});
