/* What is known of the meters: answers of the API and events of the stream become one list. All of it is pure. */

/* "l1.power_w" is channel l1 and quantity power_w. */
export function splitKey(key) {
  const dot = key.indexOf(".");
  return dot < 0 ? ["", key] : [key.slice(0, dot), key.slice(dot + 1)];
}

/* The values of a sample by series key, those of channels with their channel in front. */
export function valuesOf(sample, known) {
  const values = {};
  for (const [key, value] of Object.entries(sample)) if (key in known) values[key] = value;
  for (const [channel, parts] of Object.entries(sample.channels ?? {}))
    for (const [key, value] of Object.entries(parts))
      if (`${channel}.${key}` in known) values[`${channel}.${key}`] = value;
  return values;
}

/* Readings carry the local moment of their birth, because ages grow without any answer. */
export function fromAnswer(meters, localMs) {
  return meters.map((meter) => ({
    ...meter,
    bornMs: meter.age_s === null ? null : localMs - meter.age_s * 1000,
    readings: Object.fromEntries(
      Object.entries(meter.readings).map(([key, r]) => [
        key,
        { ...r, bornMs: r.age_s === null || r.age_s === undefined ? null : localMs - r.age_s * 1000 },
      ]),
    ),
  }));
}

/* The same meter with what a sample brought; a sample older than a reading (replayed after a reconnection) does not
 * replace it. */
export function withSample(meter, sample, bornMs) {
  const readings = { ...meter.readings };
  for (const [key, value] of Object.entries(valuesOf(sample, meter.readings))) {
    const before = readings[key];
    if (before.at_ms !== null && before.at_ms !== undefined && before.at_ms > sample.at_ms) continue;
    readings[key] = {
      ...before,
      value,
      at: sample.at,
      at_ms: sample.at_ms,
      bornMs,
      source: before.source ?? "measured",
    };
  }
  return { ...meter, readings, bornMs: Math.max(meter.bornMs ?? bornMs, bornMs) };
}

/* from the grid, to it, neither, or nobody knows */
export function flowOf(power, resolution = 0.05) {
  if (typeof power !== "number") return "unknown";
  if (Math.abs(power) < resolution) return "none";
  return power < 0 ? "export" : "import";
}

export function isUnknown(meter) {
  return meter.profile === null && Object.keys(meter.readings).length === 0;
}
