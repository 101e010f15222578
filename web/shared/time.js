// Moments for people, in the zone that somebody has chosen: their own, or UTC.

/** The reader's own zone, such as "Europe/Vienna". */
export const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const zoneOf = (zone) => (zone === "utc" ? "UTC" : undefined);
const formats = new Map(); // one takes longer to make than a hundred to use, and charts have a thousand moments

function format(zone, options) {
  const name = JSON.stringify([zone, options]);
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat("en-GB", { timeZone: zoneOf(zone), hourCycle: "h23", ...options }));
  return formats.get(name);
}

/** 12:34, or 12:34:56 with seconds; `moment` is in milliseconds since the epoch. */
export const clock = (moment, zone, seconds = false) =>
  format(zone, { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) }).format(moment);

/** 22 Nov */
export const day = (moment, zone) => format(zone, { day: "numeric", month: "short" }).format(moment);

/** 22 Nov 2026, 12:34 */
export const stamp = (moment, zone, seconds = false) => `${format(zone, { day: "numeric", month: "short", year: "numeric" }).format(moment)}, ${clock(moment, zone, seconds)}`;

/** What a chart writes below a moment: a date where a day begins, and where slots are days. */
export function tick(moment, step, zone) {
  if (step >= 86_400) return day(moment, zone);
  const time = clock(moment, zone, step < 60);
  return /^00:00(:00)?$/.test(time) ? day(moment, zone) : time;
}

/** A moment as `<input type="datetime-local">` has it. */
export function toField(moment, zone) {
  const shifted = zone === "utc" ? moment : moment - new Date(moment).getTimezoneOffset() * 60_000;
  return new Date(shifted).toISOString().slice(0, 16);
}

/** The moment of such a field, NaN if there is none. */
export const fromField = (text, zone) => Date.parse(zone === "utc" ? `${text}Z` : text);

/** 2026-11-22T08:00Z: how addresses and the API write a moment; seconds only where there are any. */
export const iso = (moment) => new Date(moment).toISOString().replace(/(:00)?\.\d+Z$/, "Z");
