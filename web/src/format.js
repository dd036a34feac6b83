/* Numbers, ages and times as people of a place write them. Pure, but for the language that i18n holds. */
import { currentLocale } from "./i18n.js";
import { partsOf } from "./zone.js";

export const DASH = "\u2013";
const MINUS = "\u2212";

/* How many decimals people want to see; the API has them all. */
const SHOWN_DECIMALS = { V: 1, W: 1, VA: 1, var: 1, Hz: 2, "°C": 1, kWh: 3 };

const formatters = new Map();

/* Making one takes a hundred times as long as using it. */
function formatter(Kind, options) {
  const name = `${Kind.name} ${currentLocale()} ${JSON.stringify(options)}`;
  let found = formatters.get(name);
  if (!found) formatters.set(name, (found = new Kind(currentLocale(), options)));
  return found;
}

export function decimalsOf(unit) {
  return SHOWN_DECIMALS[unit] ?? 3;
}

export function formatNumber(value, { decimals = 0, signed = false } = {}) {
  if (typeof value !== "number" || !Number.isFinite(value)) return DASH;
  const rounded = Number(Math.abs(value).toFixed(decimals));
  const text = formatter(Intl.NumberFormat, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(rounded);
  if (rounded === 0) return text;
  return value < 0 ? MINUS + text : (signed ? "+" : "") + text;
}

export function formatValue(value, unit, signed = false) {
  return formatNumber(value, { decimals: decimalsOf(unit), signed });
}

/* A no-break space keeps number and unit on one line. */
export function withUnit(value, unit, signed = false) {
  const text = formatValue(value, unit, signed);
  return unit && text !== DASH ? `${text}\u00a0${unit}` : text;
}

/* Sums for people: four digits tell enough, /energy has all of them. */
export function formatEnergy(kwh) {
  if (typeof kwh !== "number") return DASH;
  const size = Math.abs(kwh);
  return `${formatNumber(kwh, { decimals: size < 10 ? 3 : size < 100 ? 2 : 1 })}\u00a0kWh`;
}

export function formatMoney(value, currency) {
  if (typeof value !== "number") return DASH;
  try {
    return formatter(Intl.NumberFormat, { style: "currency", currency }).format(value);
  } catch {
    return `${formatNumber(value, { decimals: 2 })}\u00a0${currency}`; /* a currency that nobody else knows */
  }
}

export function formatPercent(part, decimals = 1) {
  return formatter(Intl.NumberFormat, { style: "percent", maximumFractionDigits: decimals }).format(part);
}

const STEPS = [
  ["second", 1, 120],
  ["minute", 60, 7200],
  ["hour", 3600, 172800],
  ["day", 86400, Infinity],
];

export function formatAgo(seconds) {
  const [unit, length] = STEPS.find(([, , below]) => seconds < below);
  const count = Math.max(0, Math.round(seconds / length));
  return formatter(Intl.RelativeTimeFormat, { style: "short" }).format(-count, unit);
}

export function formatDuration(seconds) {
  const [unit, length] = STEPS.find(([, , below]) => seconds < below);
  const value = seconds / length;
  return formatter(Intl.NumberFormat, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}

/* The clock of the house, once it is known; the reader's until then. */
let siteZone;

export function setSiteZone(zone) {
  siteZone = zone ?? undefined;
}

export function formatTime(ms, options, timeZone = siteZone) {
  return formatter(Intl.DateTimeFormat, { ...options, timeZone }).format(ms);
}

export function formatMoment(ms, timeZone) {
  if (ms === null || ms === undefined) return DASH;
  return formatTime(ms, { dateStyle: "medium", timeStyle: "medium" }, timeZone);
}

const MINUTE_MS = 60000;
const DAY_MS = 86400000;

/* The label of a tick, as coarse as the ticks are far apart; midnight shows its date. */
export function formatTick(ms, incrementMs, timeZone) {
  const show = (options) => formatTime(ms, options, timeZone);
  if (incrementMs >= 360 * DAY_MS) return show({ year: "numeric" });
  if (incrementMs >= 28 * DAY_MS)
    return partsOf(ms, timeZone).month === 1 ? show({ year: "numeric" }) : show({ month: "short" });
  if (incrementMs >= DAY_MS) return show({ day: "numeric", month: "short" });
  const time = { hour: "2-digit", minute: "2-digit" };
  if (incrementMs < MINUTE_MS) return show({ ...time, second: "2-digit" });
  return /^0?0\D0?0$/.test(formatTime(ms, { ...time, hourCycle: "h23" }, timeZone))
    ? show({ day: "numeric", month: "short" })
    : show(time);
}
