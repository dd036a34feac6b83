/* The state of a link over time, out of the events. Pure. */

/* "House main: not_provisioned" */
export function stateOf(event) {
  const match = /: ([a-z_ ]+)$/.exec(event.text);
  return match ? match[1].trim().replaceAll(" ", "_") : null;
}

/* What an event makes of the meter: another state, or none that anybody knows. */
function changeOf(event, meter) {
  if (event.kind === "state" && event.meter === meter) return stateOf(event);
  if (event.kind === "started") return "connecting";
  return event.kind === "stopped" ? "off" : null;
}

/* [{ from, to, state }] that cover from..to without a hole; state "unknown" before the first event. */
export function timelineOf(events, meter, from, to, current) {
  const changes = events
    .filter((e) => e.at_ms !== null && e.at_ms < to)
    .map((e) => ({ ms: e.at_ms, state: changeOf(e, meter) }))
    .filter(({ state }) => state !== null);
  const before = changes.filter(({ ms }) => ms <= from).pop();
  const spans = [];
  let open = { from, state: before?.state ?? "unknown" };
  for (const { ms, state } of changes) {
    if (ms <= from || state === open.state) continue;
    spans.push({ ...open, to: ms });
    open = { from: ms, state };
  }
  if (changes.length === 0 && current) open.state = current;
  spans.push({ ...open, to });
  return spans.filter((span) => span.to > span.from);
}

/* Part of the known time in which it was online; null when nothing is known. */
export function onlinePart(spans) {
  let online = 0;
  let known = 0;
  for (const { from, to, state } of spans) {
    if (state !== "unknown") known += to - from;
    if (state === "online") online += to - from;
  }
  return known > 0 ? online / known : null;
}

/* Counters by cause: those that counted first; a name and its group. */
export function countersOf({ framing, counters, withheld, link }) {
  const groups = [
    [
      "framing",
      {
        noise_bytes: framing.noise_bytes,
        checksum_errors: framing.checksum_errors,
        oversize: framing.oversize,
        part_frame_timeouts: framing.part_frame_timeouts,
      },
    ],
    ["counters", { ...counters, reconnects: link.reconnects, write_errors: link.write_errors }],
    ["withheld", withheld],
  ];
  return groups.map(([group, values]) => ({
    group,
    counted: Object.entries(values).filter(([, n]) => n > 0),
    zero: Object.entries(values).filter(([, n]) => n === 0),
  }));
}

/* One frame for each line. */
export function framesOf(text) {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

export const spaced = (hex) => hex.replace(/..(?=.)/g, "$& ");
