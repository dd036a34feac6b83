import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRoute, PAGES, parseRoute } from "../../../web/src/route.js";

test("every view survives its way through a link", () => {
  const view = {
    series: "main:power_w,l1:l1.voltage_v",
    from: "2026-11-21T10:00:00.000Z",
    to: "now",
    name: "a&b=c#d ü",
  };
  for (const page of PAGES) assert.deepEqual(parseRoute(formatRoute(page, view)), { page, view });
});

test("links stay readable", () => {
  assert.equal(
    formatRoute("history", { series: "main:power_w,main:voltage_v", from: "-24h" }),
    "#history?series=main:power_w,main:voltage_v&from=-24h",
  );
  assert.equal(formatRoute("live", { a: undefined, b: null, c: "" }), "#live");
});

test("what leads nowhere leads to the live page", () => {
  for (const hash of ["", "#", "#nowhere", "#/live", "#constructor"]) assert.equal(parseRoute(hash).page, "live");
  assert.deepEqual(parseRoute("#/energy?period=day"), { page: "energy", view: { period: "day" } });
});
