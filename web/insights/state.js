// What the page shows is in its address: application, range, zone, filters, refresh, and the rows behind a number. A copied
// link shows the same, and the browser's back and forward work.
import { fromField, iso, LOCAL_ZONE } from "../shared/time.js";

/** Each window's name, and its length in milliseconds. */
export const WINDOWS = {
  hour: { name: "1 h", words: "the last hour", ms: 3_600_000 },
  half_day: { name: "12 h", words: "the last 12 hours", ms: 43_200_000 },
  day: { name: "24 h", words: "the last 24 hours", ms: 86_400_000 },
  week: { name: "7 d", words: "the last 7 days", ms: 604_800_000 },
};
export const FILTERS = {
  distribution: "Distribution", kind: "Kind", status: "Status", location: "Edge location", viewer: "Viewer", actor: "Actor", call: "Call",
};
/** The filters that only the rows behind a number know. */
export const OF_ROWS = ["location", "viewer"];

let state = {};

export const current = () => state;

/** Read the address; `defaults` has what it does not say: `app`, and by application `window` and `refresh`. */
export function read(defaults) {
  const query = new URLSearchParams(location.search);
  const app = Object.hasOwn(defaults, query.get("app")) ? query.get("app") : Object.keys(defaults)[0];
  const from = query.get("from");
  const to = query.get("to");
  const window = query.get("window") ?? (from || to ? null : defaults[app]?.window);
  state = {
    app, window, from: window ? null : from, to: window ? null : to,
    zone: query.get("zone") === "utc" ? "utc" : "local",
    // No link may ask oftener than the form offers.
    refresh: Object.hasOwn(defaults[app].refreshes, query.get("refresh")) ? query.get("refresh") : defaults[app].refresh,
    rows: query.has("rows"),
    filters: Object.fromEntries(Object.keys(FILTERS).filter((name) => query.get(name)).map((name) => [name, query.get(name)])),
    more: Object.fromEntries(["cluster", "minutes", "most"].filter((name) => query.get(name)).map((name) => [name, query.get(name)])),
  };
  return state;
}

function address() {
  const { app, window, from, to, zone, refresh, rows, filters, more } = state;
  const query = new URLSearchParams({ app });
  const set = (name, value) => { if (value) query.set(name, value); };
  set("window", window);
  set("from", from);
  set("to", to);
  if (zone === "utc") set("zone", zone);
  set("refresh", refresh);
  for (const [name, value] of Object.entries({ ...filters, ...more })) set(name, value);
  if (rows) query.set("rows", "");
  return `?${query}`.replace(/rows=$/, "rows").replaceAll("%3A", ":");
}

/** Change what is shown, and with it the address. A `state` event on the window tells the page. */
export function change(changes, { replace = false } = {}) {
  state = { ...state, ...changes };
  history[replace ? "replaceState" : "pushState"](null, "", address());
  dispatchEvent(new Event("state"));
}

/** Filter by a value, or no more by it. */
export function filter(name, value) {
  const { [name]: _, ...others } = state.filters;
  const isOfRows = OF_ROWS.includes(name);
  change({ filters: value ? { ...others, [name]: value } : others, rows: isOfRows ? Boolean(value) : state.rows });
}

/** The range as a question to the API. */
export const range = () => (state.window ? { window: state.window } : Object.fromEntries(["from", "to"].filter((name) => state[name]).map((name) => [name, state[name]])));

/** The range's borders in milliseconds: those of a window as they are now. NaN where the address is wrong. */
export function borders() {
  if (state.window) return [Date.now() - (WINDOWS[state.window]?.ms ?? NaN), Date.now()];
  const end = /^\d{4}-\d\d-\d\d$/.test(state.to ?? "") ? 86_400_000 : 0; // a date is the whole day
  return [Date.parse(state.from), Date.parse(state.to) + end];
}

/** Show the range between two moments in milliseconds. */
export const zoomTo = (from, to) => change({ window: null, from: iso(from), to: iso(to) });

/** Show what two fields of a form say. Throws with a sentence for people. */
export function zoomToFields(from, to) {
  const [first, last] = [from, to].map((text) => fromField(text, state.zone));
  if (Number.isNaN(first) || Number.isNaN(last)) throw new Error("Fill in both moments, with date and time.");
  if (first >= last) throw new Error("The first moment must be before the last.");
  zoomTo(first, last);
}

export const zoneName = () => (state.zone === "utc" ? "UTC" : LOCAL_ZONE);
