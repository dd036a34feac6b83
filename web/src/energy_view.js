/* Periods, sums and comparisons of the energy page. Pure. */
import { dateOf, midnight, parseDate, partsOf } from "./zone.js";

export const PERIODS = ["hour", "day", "month", "year"];
const YEARS = 10;
/* Less than this of a period known: what it shows is not all. */
export const COMPLETE = 0.99;
const COMPARE_STEP_MS = 300000;

/* What one page of bars covers: a day of hours, a month of days, a year of months, ten years. at: a date in it. */
export function windowOf(period, at, nowMs, zone) {
  const { year, month, day } = parseDate(at) ?? partsOf(nowMs, zone);
  const moment = (y, m, d) => midnight(y, m, d, zone);
  switch (period) {
    case "hour":
      return { from: moment(year, month, day), to: moment(year, month, day + 1) };
    case "month":
      return { from: moment(year, 1, 1), to: moment(year + 1, 1, 1) };
    case "year":
      return { from: moment(year - YEARS + 1, 1, 1), to: moment(year + 1, 1, 1) };
    default:
      return { from: moment(year, month, 1), to: moment(year, month + 1, 1) };
  }
}

/* The date to show the window before or after this one. */
export function neighbour(period, at, by, nowMs, zone) {
  const { year, month, day } = parseDate(at) ?? partsOf(nowMs, zone);
  const dates = {
    hour: [year, month, day + by],
    day: [year, month + by, 1],
    month: [year + by, 1, 1],
    year: [year + by * YEARS, 1, 1],
  };
  return dateOf(midnight(...dates[period], zone), zone);
}

/* Where every bar of the window stands, those of periods that have not begun included. */
export function slotsOf(period, { from, to }, zone) {
  const slots = [];
  const begin = partsOf(from, zone);
  if (period === "hour") {
    for (let ms = from; ms < to; ms += 3600000) slots.push(ms);
    return slots;
  }
  for (let i = 0; ; i++) {
    const ms =
      period === "day"
        ? midnight(begin.year, begin.month, begin.day + i, zone)
        : period === "month"
          ? midnight(begin.year, begin.month + i, 1, zone)
          : midnight(begin.year + i, 1, 1, zone);
    if (ms >= to) return slots;
    slots.push(ms);
  }
}

/* Rows by slot; null where nothing is told. Leading years without anything are left out. */
export function barsOf(slots, rows, period) {
  const byStart = new Map(rows.map((row) => [row.start_ms, row]));
  const bars = slots.map((ms) => ({ ms, row: byStart.get(ms) ?? null }));
  if (period !== "year") return bars;
  const first = bars.findIndex(({ row }) => row && row.import_kwh !== null);
  return first < 0 ? bars.slice(-1) : bars.slice(first);
}

export function isIncomplete(row) {
  return row !== null && row.import_kwh !== null && row.complete < COMPLETE;
}

/* Sums in the resolution of the API: a thousandth of a Wh. */
function exact(numbers) {
  return Math.round(numbers.reduce((sum, n) => sum + n, 0) * 1e6) / 1e6;
}

export function totalsOf(rows) {
  const known = rows.filter((row) => row.import_kwh !== null);
  const costs = {};
  for (const row of known)
    for (const [currency, value] of Object.entries(row.cost ?? {}))
      costs[currency] = exact([costs[currency] ?? 0, value ?? 0]);
  return {
    known: known.length > 0,
    import: exact(known.map((row) => row.import_kwh)),
    export: exact(known.map((row) => row.export_kwh ?? 0)),
    costs,
    incomplete: known.filter(isIncomplete).length,
  };
}

/* What a day has come to by each of its five minutes. Only steps that are over count: the same is compared. */
export function runningSum(rows, column, from, to) {
  const points = [[0, 0]];
  let sum = 0;
  for (const row of rows) {
    if (row[0] < from || row[0] + COMPARE_STEP_MS > to) continue;
    sum += row[column] ?? 0;
    points.push([row[0] + COMPARE_STEP_MS - from, sum]);
  }
  return points;
}

/* Of today and yesterday: sums so far, and yesterday's curve to its end. */
export function compareDays(answer, key, { yesterday, today, now }) {
  const column = answer.columns.indexOf(`${key}.delta`);
  if (column < 0) return null;
  const end = today + Math.floor((now - today) / COMPARE_STEP_MS) * COMPARE_STEP_MS;
  const current = runningSum(answer.rows, column, today, end);
  const before = runningSum(answer.rows, column, yesterday, today);
  const elapsed = end - today;
  const same = before.filter(([ms]) => ms <= elapsed).pop();
  return { current, before, end, today: current[current.length - 1][1], same: same[1] };
}

export const COMPARE_STEP = "5min";

/* Round ticks for a range that holds 0. */
export function ticksOf(low, high, count = 6) {
  const raw = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return { ticks, step };
}
