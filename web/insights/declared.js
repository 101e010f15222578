// Panels that a saved query declares (docs/insights.md): a card each, drawn as the declaration says.
import { bytes, element } from "../shared/suite.js";
import { bars, room, stacks, table } from "./charts.js";
import { empty, fill, find, follow, grouped, trouble } from "./panels.js";

const BARS = 10;
const PARTS = 6; // of a column of stacks; the others are one more
const OTHERS = "others"; // what a query, too, calls those that it sums up
const RATIO = /^(rate|share|ratio)/;
const MINUTE_MS = 60_000;
// How long a window is, what a slot of its chart is, and how a slot's key becomes a whole time.
const WINDOWS = {
  hour: { words: "the last hour", minutes: 60, slot: 10, characters: 15, rest: "0:00Z" },
  half_day: { words: "the last 12 hours", minutes: 720, slot: 60, characters: 13, rest: ":00:00Z" },
  day: { words: "the last 24 hours", minutes: 1440, slot: 60, characters: 13, rest: ":00:00Z" },
  week: { words: "the last 7 days", minutes: 10_080, slot: 1440, characters: 10, rest: "T00:00:00Z" },
};
const CATEGORIES = { "-": "people", ai: "AI crawlers" };
export const count = (value) => Math.round(value).toLocaleString("en");
export const percent = (value) => `${(100 * value).toFixed(1)} %`;

/** How a value of a column reads. */
function readable(column, value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return (RATIO.test(column) ? percent : /bytes/.test(column) ? bytes : count)(value);
  if (/^\d{4}-\d\d-\d\dT/.test(value)) return new Date(value).toLocaleString();
  return column === "botcategory" ? CATEGORIES[value] ?? value : value;
}

/** A declaration's columns for `table`. */
function columnsOf({ columns }, answer) {
  return Object.entries(columns).map(([column, heading]) => {
    const place = answer.columns.indexOf(column);
    return [heading, (row) => readable(column, row[place]), answer.rows.some((row) => typeof row[place] === "number")];
  });
}

/** Every slot up to now, also those in which nothing was: [key, what a person reads]. */
function slots({ minutes, slot, characters, rest }, now) {
  const made = new Map();
  for (let moment = now - minutes * MINUTE_MS; moment <= now; moment += slot * MINUTE_MS) {
    made.set(new Date(moment).toISOString().slice(0, characters));
  }
  made.set(new Date(now).toISOString().slice(0, characters));
  for (const key of made.keys()) {
    const begin = new Date(`${key}${rest}`);
    made.set(key, slot < 1440 ? begin.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
      : begin.toLocaleDateString([], { day: "numeric", month: "short", timeZone: "UTC" }));
  }
  return made;
}

/** Panels about dates are two in a row, all others have it for themselves. */
const isWide = ({ parameters }) => parameters !== "dates";

const DRAW = {
  bars(panel, answer, into, title, { most }) {
    const [label, value] = panel.bar.map((column) => answer.columns.indexOf(column));
    const rows = answer.rows.slice(0, most);
    const shown = rows.slice(0, most ?? BARS).map((row) => [readable(panel.bar[0], row[label]) ?? "–", row[value]]);
    const chart = bars(title, shown, (number) => readable(panel.bar[1], number), room(into, 460), RATIO.test(panel.bar[1]) ? 1 : 0);
    const places = new Map(rows.map((row, place) => [row, place + 1]));
    const numbers = table(title, [...(panel.rank ? [["", (row) => places.get(row), true]] : []), ...columnsOf(panel, answer)], rows);
    return isWide(panel) ? [element("div", { className: "beside" }, element("div", {}, ...chart), numbers)] : [...chart, numbers];
  },
  stacks(panel, answer, into, title, { window }) {
    const [slot, name, value] = [panel.time, ...panel.bar].map((column) => answer.columns.indexOf(column));
    // A sum of some of the rows would be no sum.
    if (answer.more) return [trouble("More rows than can be added up: choose a shorter window, or let the query sum up what is rare"), table(title, columnsOf(panel, answer), answer.rows)];
    const by = grouped(answer.rows, name, value).sort((one, other) => (one[0] === OTHERS) - (other[0] === OTHERS));
    const shown = by.filter(([each]) => each !== OTHERS).slice(0, PARTS).map(([each]) => each);
    const names = by.length > shown.length ? [...shown, OTHERS] : shown;
    const points = [...slots(window, Date.parse(answer.as_of))].map(([key, label]) => {
      const of = answer.rows.filter((row) => row[slot] === key);
      return [label, ...names.map((each) => of.filter((row) => (shown.includes(row[name]) ? row[name] : OTHERS) === each).reduce((sum, row) => sum + row[value], 0))];
    });
    const [heading, number] = panel.bar.map((column) => panel.columns[column]);
    return [...stacks(title, points, names, count, room(into, 1200)), table(title, [[heading, (row) => row[0]], [number, (row) => count(row[1]), true]], by)];
  },
  table: (panel, answer, into, title) => [table(title, columnsOf(panel, answer), answer.rows)],
};

/** What a cut answer leaves out. */
function leftOut({ of }, { columns, rows, more }) {
  if (!more) return "";
  const all = of && rows[0][columns.indexOf(of)];
  return all ? `; the first ${count(rows.length)} of ${count(all)} rows` : `; the first ${count(rows.length)} rows, more are left out`;
}

const bodies = new Map(); // of each panel, where it is drawn

/** Put an empty card for each panel into `grid`. */
export function cards(grid, panels) {
  grid.replaceChildren(...panels.map((panel) => {
    const body = element("div", { className: "body" }, empty("Not loaded yet"));
    const card = element("article", { className: isWide(panel) ? "card wide" : "card" }, element("h3", {}, panel.title), body);
    card.dataset.panel = panel.panel;
    bodies.set(panel.panel, body);
    return card;
  }));
}

/** Say that another question is being asked: what is there answers an older one. */
export function pend(panels) {
  for (const { panel } of panels) fill(bodies.get(panel), empty("Asking …"));
}

/**
 * Ask for a panel and show its answer, or what went wrong; false if nobody wants it any more.
 * `words` say when ("the last hour"), `current` whether it is still wanted, `window` has the slots of stacks, `most` bounds the rows.
 */
export async function show(panel, ask, query, { words = "these days", current = () => true, ...options } = {}) {
  const into = bodies.get(panel.panel);
  into.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(panel.panel, query);
    if (!current()) return false;
    const title = isWide(panel) ? `${panel.title} in ${words}` : panel.title;
    fill(into, ...(answer.rows.length ? DRAW[panel.chart](panel, answer, into, title, options) : [empty(`${panel.empty ?? "No requests"} in ${words}`)]),
      element("p", { className: "muted note" }, `As of ${new Date(answer.as_of).toLocaleString()}, ${bytes(answer.scanned)} scanned${leftOut(panel, answer)}`));
    return answer;
  } catch (error) {
    if (!current()) return false;
    fill(into, trouble(error.message));
    return null;
  } finally {
    into.removeAttribute("aria-busy");
  }
}

/**
 * Follow the panels of a section whose form has a `window`, and perhaps `most`; `ask` asks the API, `mayAsk` says whether
 * somebody sees them. Returns the first look.
 */
export function followDeclared(section, everyMs, panels, ask, mayAsk) {
  cards(find(`${section} .grid`), panels);
  let shown;
  return follow(section, everyMs, mayAsk, async (current) => {
    const { window: chosen, most } = Object.fromEntries(new FormData(find(`${section} form`)));
    const window = WINDOWS[chosen];
    if (shown !== undefined && shown !== chosen) pend(panels);
    shown = chosen;
    for (const panel of panels) {
      if (!mayAsk()) return;
      const answer = await show(panel, ask, { window: chosen }, { words: window.words, window, most: most && Number(most), current });
      if (!current()) return;
      if (answer) Object.assign(find(`${section} .badge`), { className: "badge good", textContent: `as of ${new Date(answer.as_of).toLocaleTimeString()}` });
    }
  });
}
