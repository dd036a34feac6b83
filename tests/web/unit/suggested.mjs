import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf, toggled } from "../../../web/src/suggested.js";

const power = { quantity: "power_w", channel: null, accept: "19:power_w:0.1" };
const pieces = (list) => list.map((c) => c.accept);

test("a series has the name that the API gives it", () => {
  assert.equal(keyOf(power), "power_w");
  assert.equal(keyOf({ quantity: "power_w", channel: "l1" }), "l1.power_w");
});

test("accepting again takes it back", () => {
  const once = toggled([], 19, power);
  assert.deepEqual(once, [{ dp: 19, key: "power_w", accept: "19:power_w:0.1" }]);
  assert.deepEqual(toggled(once, 19, power), []);
});

test("a datapoint has one meaning", () => {
  const list = toggled([{ dp: 20, key: "voltage_v", accept: "20:voltage_v:0.1" }], 19, power);
  assert.deepEqual(pieces(toggled(list, 19, { ...power, accept: "19:power_w:1" })), ["20:voltage_v:0.1", "19:power_w:1"]);
});

test("a series comes from one datapoint, those of other channels aside", () => {
  const list = toggled([], 19, power);
  assert.deepEqual(pieces(toggled(list, 7, { ...power, accept: "7:power_w:1" })), ["7:power_w:1"]);
  assert.equal(toggled(list, 7, { ...power, channel: "l2", accept: "7:l2.power_w:1" }).length, 2);
});

test("layouts and directions stand beside each other", () => {
  const phase = (dp, channel) => [dp, { quantity: null, channel, layout: "phase", accept: `${dp}:${channel}.phase` }];
  const list = toggled(toggled([], ...phase(6, "l1")), ...phase(7, "l2"));
  assert.deepEqual(pieces(list), ["6:l1.phase", "7:l2.phase"]);
  assert.deepEqual(pieces(toggled(list, 9, { quantity: null, channel: null, accept: "9:direction" })), [
    "6:l1.phase",
    "7:l2.phase",
    "9:direction",
  ]);
});
