import assert from "node:assert/strict";
import { test } from "node:test";
import { countersOf, framesOf, onlinePart, spaced, stateOf, timelineOf } from "../../../web/src/link_time.js";
import { scrapeConfig } from "../../../web/src/prometheus.js";

const state = (at_ms, name, meter = "main") => ({ kind: "state", meter, at_ms, text: `House: main: ${name}` });
const gateway = (at_ms, kind) => ({ kind, meter: null, at_ms, text: `the gateway ${kind}` });

test("a state out of its sentence", () => {
  assert.equal(stateOf(state(0, "not_provisioned")), "not_provisioned");
  assert.equal(stateOf({ text: "House main" }), null);
});

test("spans cover the range without a hole", () => {
  const events = [
    state(5, "online"),
    state(20, "offline"),
    state(25, "online", "other"),
    gateway(30, "stopped"),
    gateway(40, "started"),
    state(41, "online"),
    state(42, "online"),
  ];
  const spans = timelineOf(events, "main", 10, 50, "online");
  assert.deepEqual(spans, [
    { from: 10, state: "online", to: 20 },
    { from: 20, state: "offline", to: 30 },
    { from: 30, state: "off", to: 40 },
    { from: 40, state: "connecting", to: 41 },
    { from: 41, state: "online", to: 50 },
  ]);
  assert.equal(onlinePart(spans), 19 / 40);
});

test("before the first event nothing is known; without any the present state holds", () => {
  assert.deepEqual(
    timelineOf([state(30, "online")], "main", 10, 50, "online").map((s) => s.state),
    ["unknown", "online"],
  );
  assert.deepEqual(timelineOf([], "main", 10, 50, "stale"), [{ from: 10, state: "stale", to: 50 }]);
  assert.equal(onlinePart([{ from: 0, to: 1, state: "unknown" }]), null);
});

test("counters by cause, those that counted first", () => {
  const [framing, counters, withheld] = countersOf({
    framing: {
      frames: 9,
      noise_bytes: 2,
      checksum_errors: 0,
      oversize: 0,
      part_frame_timeouts: 0,
      total_bytes: 99,
    },
    counters: { restarts: 1 },
    withheld: { limits: 0 },
    link: { reconnects: 3, write_errors: 0 },
  });
  assert.deepEqual(framing.counted, [["noise_bytes", 2]]);
  assert.deepEqual(counters.counted, [
    ["restarts", 1],
    ["reconnects", 3],
  ]);
  assert.deepEqual(withheld, { group: "withheld", counted: [], zero: [["limits", 0]] });
});

test("frames, line by line", () => {
  assert.deepEqual(
    framesOf('{"number":1}\n{"number":2}\n').map((f) => f.number),
    [1, 2],
  );
  assert.deepEqual(framesOf(""), []);
  assert.equal(spaced("55AA00"), "55 AA 00");
});

test("the block for Prometheus follows the page's address", () => {
  assert.equal(
    scrapeConfig({ protocol: "http:", host: "gw:8730", path: "/" }, false),
    'scrape_configs:\n  - job_name: metergate\n    static_configs:\n      - targets: ["gw:8730"]\n',
  );
  const text = scrapeConfig({ protocol: "https:", host: "gw", path: "/meters/index.html" }, true);
  assert.match(text, /scheme: https\n {4}metrics_path: "\/meters\/metrics"\n {4}authorization:/);
});
