/* What a view of the history asks the gateway for, and the columns that its answers become. Pure. */
import { splitKey } from "./readings.js";

export const PRESETS = ["-1h", "-6h", "-24h", "-7d", "-30d", "-365d", "-1826d"];
export const SERIES_MAX = 6;
const UNITS = { s: 1000, min: 60000, h: 3600000, d: 86400000 };
const RAW_SPAN_MS = 1800000; /* closer than this the reports themselves are shown */
const RAW_LIMIT = 5000;
const SPAN_MIN_MS = 5000;
const POINTS_MIN = 200;
const POINTS_MAX = 1500;
const DAYS_FROM_MS = 120 * UNITS.d;
const DAYS_MAX = 2000;

/* "-24h" or RFC 3339; null for anything else, because it comes from a link. */
export function parseTime(text, nowMs) {
  if (text === "now" || text === undefined) return nowMs;
  const relative = /^-(\d+)(s|min|h|d)$/.exec(text);
  if (relative) return nowMs - Number(relative[1]) * UNITS[relative[2]];
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

/* A range that follows the clock has no "to". */
export function rangeOf(view, nowMs) {
  const follows = view.to === undefined || view.to === "now";
  const to = parseTime(view.to, nowMs) ?? nowMs;
  const from = parseTime(view.from ?? "-24h", nowMs);
  if (from === null || from >= to) return { from: nowMs - UNITS.d, to: nowMs, follows: true, preset: "-24h" };
  return {
    from,
    to,
    follows,
    preset: follows && PRESETS.includes(view.from ?? "-24h") ? (view.from ?? "-24h") : null,
  };
}

export const timeText = (ms) => new Date(Math.round(ms)).toISOString();

export function viewOfRange(from, to, nowMs) {
  const middle = (from + to) / 2;
  const half = Math.max(to - from, SPAN_MIN_MS) / 2;
  const end = Math.min(middle + half, nowMs);
  return { from: timeText(Math.min(middle - half, end - SPAN_MIN_MS)), to: timeText(end) };
}

/* "main:power_w,utility:power_w" */
export function parseSeries(text, meters) {
  const known = (text ?? "")
    .split(",")
    .map((part) => {
      const colon = part.indexOf(":");
      return { meter: part.slice(0, colon), key: part.slice(colon + 1) };
    })
    .filter(({ meter, key }) => key !== "" && meters.some((m) => m.id === meter));
  const unique = known.filter((s, i) => known.findIndex((o) => o.meter === s.meter && o.key === s.key) === i);
  return unique.length > 0 ? unique.slice(0, SERIES_MAX) : defaultSeries(meters);
}

function defaultSeries(meters) {
  for (const meter of meters) {
    const keys = Object.keys(meter.readings);
    const key = keys.find((k) => splitKey(k)[1] === "power_w") ?? keys[0];
    if (key) return [{ meter: meter.id, key }];
  }
  return [];
}

export const formatSeries = (series) => series.map(({ meter, key }) => `${meter}:${key}`).join(",");

/* About one point for each pixel; but of months one for each day, because nobody wants to see every night. */
function stepsOf(spanMs, width) {
  if (spanMs > DAYS_FROM_MS && spanMs < DAYS_MAX * UNITS.d) return { step: "1d", limit: DAYS_MAX };
  return { limit: Math.round(Math.min(POINTS_MAX, Math.max(POINTS_MIN, width))) };
}

/* One request for each meter and kind: counters have no mean. */
export function requestsOf(series, { from, to }, width, isCounter) {
  const groups = new Map();
  for (const { meter, key } of series) {
    const counter = isCounter(key);
    const name = `${meter} ${counter}`;
    if (!groups.has(name)) groups.set(name, { meter, counter, keys: [] });
    groups.get(name).keys.push(key);
  }
  const wantsRaw = to - from <= RAW_SPAN_MS;
  return [...groups.values()].map(({ meter, counter, keys }) => {
    const range = { series: keys.join(","), from: timeText(from), to: timeText(to) };
    return {
      meter,
      keys,
      counter,
      steps: { ...range, ...stepsOf(to - from, width), agg: counter ? "last" : "avg,min,max" },
      raw: wantsRaw ? { ...range, step: "raw", limit: RAW_LIMIT } : null,
    };
  });
}

/* The same as files: what is on the screen, one for each meter. */
export function exportsOf(requests, raw) {
  return requests.map(({ meter, steps, raw: rawQuery }) => ({
    meter,
    query: { ...(raw && rawQuery ? { ...rawQuery, limit: undefined } : steps), format: "csv" },
  }));
}

function column(answer, name) {
  const index = answer.columns.indexOf(name);
  return index < 0 ? null : answer.rows.map((row) => row[index]);
}

const timesOf = (answer) => answer.rows.map((row) => row[0]);

/* { meter, key, times, mean, low, high } of each series; low and high null where there is no band. */
export function curvesOfSteps(request, answer) {
  const times = timesOf(answer);
  return request.keys.map((key) => ({
    meter: request.meter,
    key,
    times,
    mean: column(answer, `${key}.${request.counter ? "last" : "avg"}`) ?? times.map(() => null),
    low: column(answer, `${key}.min`),
    high: column(answer, `${key}.max`),
  }));
}

/* Reports one by one. One that did not bring a series says nothing of it; a step in which nothing was known, as the
 * steps of the same range tell, is a gap. */
export function curvesOfRaw(request, raw, steps) {
  return curvesOfSteps(request, steps).map((stepped) => {
    const values = column(raw, stepped.key) ?? [];
    const times = timesOf(raw);
    const points = times.map((ms, i) => [ms, values[i] ?? null]).filter(([, value]) => value !== null);
    const taken = new Set(points.map(([ms]) => ms));
    stepped.times.forEach((ms, i) => {
      if (stepped.mean[i] === null && !taken.has(ms)) points.push([ms, null]);
    });
    points.sort((a, b) => a[0] - b[0]);
    return {
      ...stepped,
      times: points.map(([ms]) => ms),
      mean: points.map(([, value]) => value),
      low: null,
      high: null,
    };
  });
}

const same = (a, b) => a === b || (a.length === b.length && a.every((ms, i) => ms === b[i]));

/* Curves on one axis of times: where a curve has no row it is undefined, which is no gap. */
export function joinCurves(curves) {
  if (curves.length === 0) return { times: [], curves: [] };
  const first = curves[0].times;
  if (curves.every(({ times }) => same(times, first))) return { times: first, curves };
  const times = [...new Set(curves.flatMap((c) => c.times))].sort((a, b) => a - b);
  const place = new Map(times.map((ms, i) => [ms, i]));
  const spread = (curve, values) => {
    if (!values) return null;
    const out = new Array(times.length).fill(undefined);
    curve.times.forEach((ms, i) => {
      out[place.get(ms)] = values[i];
    });
    return out;
  };
  return {
    times,
    curves: curves.map((c) => ({
      ...c,
      times,
      mean: spread(c, c.mean),
      low: spread(c, c.low),
      high: spread(c, c.high),
    })),
  };
}

/* Least and greatest value on the screen, with their times. */
export function extremesOf(curve) {
  let low = null;
  let high = null;
  curve.times.forEach((ms, i) => {
    const least = curve.low?.[i] ?? curve.mean[i];
    const greatest = curve.high?.[i] ?? curve.mean[i];
    if (typeof least === "number" && (low === null || least < low.value)) low = { value: least, ms };
    if (typeof greatest === "number" && (high === null || greatest > high.value)) high = { value: greatest, ms };
  });
  return { low, high };
}
