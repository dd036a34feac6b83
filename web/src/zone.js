/* Calendar of the site's time zone, which need not be the reader's. Pure. */
const formatters = new Map();

function partsFormatter(zone) {
  let found = formatters.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-US", {
      timeZone: zone ?? undefined,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formatters.set(zone, found);
  }
  return found;
}

export function partsOf(ms, zone) {
  const parts = {};
  for (const { type, value } of partsFormatter(zone).formatToParts(ms)) parts[type] = Number(value);
  return parts;
}

/* What the clock on the wall shows, as if it were UTC. */
function wallMs(ms, zone) {
  const p = partsOf(ms, zone);
  return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second);
}

/* The moment in which a day begins there. Two steps: the offset of the first guess may be that of before a change of
 * the clocks. Months and days beyond their range go into the next or the previous year or month. */
export function midnight(year, month, day, zone) {
  const wall = Date.UTC(year, month - 1, day);
  let ms = wall;
  for (let i = 0; i < 2; i++) ms = wall - (wallMs(ms, zone) - ms);
  return ms;
}

const two = (n) => String(n).padStart(2, "0");

export function dateOf(ms, zone) {
  const p = partsOf(ms, zone);
  return `${p.year}-${two(p.month)}-${two(p.day)}`;
}

/* "2026-03-29" as numbers, or null: it comes from a link. */
export function parseDate(text) {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text ?? "");
  return match ? { year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) } : null;
}

export function isZone(zone) {
  try {
    partsOf(0, zone);
    return true;
  } catch {
    return false;
  }
}
