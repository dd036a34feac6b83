import assert from "node:assert/strict";
import { test } from "node:test";
import { createParser } from "../../../web/src/sse.js";

function parse(...pieces) {
  const events = [];
  const feed = createParser((event) => events.push(event));
  pieces.forEach(feed);
  return events;
}

const STREAM =
  'event: state\ndata: {"a":1}\n\n: alive\n\nid: 7\r\nevent: sample\r\ndata: one\r\ndata:two\r\n\r\nid\ndata\n\n';
const EVENTS = [
  { type: "state", id: undefined, data: '{"a":1}' },
  { type: "sample", id: "7", data: "one\ntwo" },
  { type: "message", id: "", data: "" },
];

test("events, comments, every kind of line end", () => {
  assert.deepEqual(parse(STREAM), EVENTS);
});

test("the same however the stream is cut", () => {
  for (let cut = 0; cut <= STREAM.length; cut++)
    for (let second = cut; second <= STREAM.length; second++)
      assert.deepEqual(
        parse(STREAM.slice(0, cut), STREAM.slice(cut, second), STREAM.slice(second)),
        EVENTS,
        `${cut} ${second}`,
      );
});

test("an event without data, or without its end, is none", () => {
  assert.deepEqual(parse("event: state\n\n: alive\n\nid: 3\ndata: x\n"), []);
});

test("an id that comes alone is a place to resume from", () => {
  assert.deepEqual(parse("id: 5\n\n"), [{ type: "", id: "5", data: "" }]);
});

test("an unknown field changes nothing", () => {
  assert.deepEqual(parse("retry: 5\ndata: x\nfoo: y\n\n"), [{ type: "message", id: undefined, data: "x" }]);
});
