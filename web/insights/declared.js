// Panels that a saved query declares (docs/insights.md): drawn as the declaration says.
import { bars, room, series, stacks, table } from "../shared/charts.js";
import { bytes, count, element, percent } from "../shared/suite.js";
import { clock, day, stamp } from "../shared/time.js";
import { empty, isRatio, onDemand, readable, trouble } from "./cards.js";
import { current, filter, zoomTo } from "./state.js";

const BARS = 10;
const PARTS = 6; // of a column of stacks; the others are one more
const OTHERS = "others"; // what a query, too, calls those that it sums up
const CHARACTERS = { 60: 16, 600: 15, 3600: 13, 86_400: 10 }; // of a time, by the seconds of a slot
const LATE_S = 25 * 3600; // CloudFront delivers most logs within an hour, and all within a day
const CALLS_LATE_S = 1800; // CloudTrail delivers within some 5 minutes, Firehose within its buffer of 15
/** What a bar of a column filters by, and what somebody reads who is about to choose it. */
const CHOICES = {
  distribution: ["distribution", "Show this distribution alone"],
  botcategory: ["kind", "Show this kind alone"],
  location: ["location", "Show its requests"],
  requestip: ["viewer", "Show its requests"],
  actor: ["actor", "Show this actor alone"],
  event_name: ["call", "Show this call alone"],
};
/** The filters that a kind of parameters knows. */
export const KNOWN = {
  requests: ["distribution", "kind", "status"], requests_by_slot: ["distribution", "kind", "status"],
  request_rows: ["distribution", "kind", "status", "location", "viewer"],
  calls: ["actor", "call"], calls_by_slot: ["actor", "call"], dates: [], posts: [],
};

/** A declaration's columns for `table`. */
function columnsOf({ columns }, answer) {
  return Object.entries(columns).map(([column, heading]) => {
    const place = answer.columns.indexOf(column);
    return [heading, (row) => readable(column, row[place]), answer.rows.some((row) => typeof row[place] === "number")];
  });
}

/** Sum a table's rows by one column: [name, sum], highest first, equal ones by name, those summed up before last. */
function grouped(rows, name, value) {
  const sums = new Map();
  for (const row of rows) sums.set(row[name], (sums.get(row[name]) ?? 0) + row[value]);
  return [...sums].sort((one, other) => (one[0] === OTHERS) - (other[0] === OTHERS) || other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
}

/** Every slot of an answer's range up to when it was made: { key, second, isCut }, `isCut` where the range has a part of it. */
function slotsOf({ range, as_of: asOf }) {
  const { slot_s: step } = range;
  const [from, to] = [range.from, range.to].map((text) => Date.parse(text) / 1000);
  const end = Math.min(to, Date.parse(asOf) / 1000);
  const made = [];
  for (let second = Math.floor(from / step) * step; second < end; second += step) {
    made.push({ key: new Date(second * 1000).toISOString().slice(0, CHARACTERS[step]), second, isCut: second < from || second + step > end });
  }
  return made;
}

/** Days of a chart are UTC's. */
const zoneOf = ({ range }) => (range.slot_s === 86_400 ? "utc" : current().zone);
const labelOf = (second, answer) => (answer.range.slot_s === 86_400 ? day(second * 1000, "utc") : clock(second * 1000, current().zone));
const zoomIn = (answer) => (second) => zoomTo(second * 1000, (second + answer.range.slot_s) * 1000);

function choiceOf(panel, answer, rows) {
  const choice = CHOICES[panel.bar[0]];
  if (!choice || panel.parameters === "posts") return {};
  const place = answer.columns.indexOf(panel.bar[0]);
  const [name, hint] = choice;
  return { hint, choose: (_, index) => filter(name, name === "kind" && rows[index][place] === "-" ? "people" : rows[index][place]) };
}

const DRAW = {
  bars(panel, answer, card, title) {
    const [label, value] = panel.bar.map((column) => answer.columns.indexOf(column));
    const most = Number(current().more.most ?? BARS);
    const sorted = [...answer.rows].sort((one, other) => (one[label] === OTHERS) - (other[label] === OTHERS) || other[value] - one[value]);
    const rows = sorted.slice(0, panel.parameters === "posts" ? most : BARS);
    const shown = rows.map((row) => [readable(panel.bar[0], row[label]) ?? "–", row[value]]);
    const chart = bars({
      title, rows: shown, show: (number) => readable(panel.bar[1], number) ?? "–", width: room(card.body, 1100),
      whole: isRatio(panel.bar[1]) ? 1 : 0, ...choiceOf(panel, answer, rows),
    });
    const places = new Map(sorted.map((row, place) => [row, place + 1]));
    const numbers = table(title, [...(panel.rank ? [["Rank", (row) => places.get(row), true]] : []), ...columnsOf(panel, answer)], sorted);
    card.fill(chart, onDemand(numbers, sorted.length));
    return sorted.length > rows.length ? `${rows.length} of ${count(sorted.length)} are drawn` : "";
  },

  lines(panel, answer, card, title) {
    const known = new Map(answer.rows.map((row) => [row[answer.columns.indexOf(panel.time)], row]));
    const places = panel.lines.map((column) => answer.columns.indexOf(column));
    const slots = slotsOf(answer);
    const settled = Math.min(Date.parse(answer.range.to), Date.parse(answer.as_of) - LATE_S * 1000) / 1000;
    const newest = slots.findLastIndex(({ key }) => known.has(key));
    // What nothing is known of yet is no zero: its logs may be on their way.
    const isKnown = ({ second }, at) => at <= newest || second + answer.range.slot_s <= settled;
    const points = slots.map((slot, at) => [slot.second, ...places.map((place) => (isKnown(slot, at) ? known.get(slot.key)?.[place] ?? 0 : null))]);
    const isOpen = newest >= 0 && (slots[newest].isCut || slots[newest].second + answer.range.slot_s > settled);
    const { place, draw } = series({
      title, names: panel.lines.map((column) => panel.columns[column] ?? column), points, show: (number) => readable(panel.lines[0], number) ?? "–",
      zone: zoneOf(answer), step: answer.range.slot_s, open: { first: Number(slots[0]?.isCut ?? 0), last: isOpen ? slots.length - newest : 0 },
      pick: answer.range.slot_s > 60 ? zoomIn(answer) : undefined, zoom: (from, to) => zoomTo(...aligned(from, to, answer.range.slot_s)),
    });
    const numbers = table(title, [["Time", (row) => stamp(row.second * 1000, zoneOf(answer))], ...columnsOf(panel, answer).map(([heading, read, isNumber]) => [heading, ({ row }) => read(row), isNumber])],
      slots.map(({ key, second }) => ({ second, row: known.get(key) })).filter(({ row }) => row).reverse());
    card.fill(totals(panel, answer), place, onDemand(numbers, answer.rows.length, "slots"));
    draw();
    return [isOpen ? "the newest slot may still grow, and is dashed" : "", newest < slots.length - 1 && !isKnown(slots.at(-1), slots.length - 1) ? "what nothing has arrived of yet is left out" : "", answer.range.slot_s === 86_400 ? "days are UTC’s" : ""].filter(Boolean).join("; ");
  },

  stacks(panel, answer, card, title) {
    const [slot, name, value] = [panel.time, ...panel.bar].map((column) => answer.columns.indexOf(column));
    if (answer.more) { // a sum of some of the rows would be no sum
      card.fill(trouble("More rows than can be added up: choose a shorter range, or let the query sum up what is rare"), onDemand(table(title, columnsOf(panel, answer), answer.rows), answer.rows.length));
      return "";
    }
    const by = grouped(answer.rows, name, value);
    const shown = by.filter(([each]) => each !== OTHERS).slice(0, PARTS).map(([each]) => each);
    const names = by.length > shown.length ? [...shown, OTHERS] : shown;
    const every = slotsOf(answer);
    const ends = ({ second }) => second + answer.range.slot_s;
    const settled = Math.min(Date.parse(answer.range.to), Date.parse(answer.as_of) - CALLS_LATE_S * 1000) / 1000;
    const newest = every.findLastIndex(({ key }) => answer.rows.some((row) => row[slot] === key));
    // What nothing has arrived of yet is left out: it is no zero.
    const slots = every.filter((each, place) => place <= newest || ends(each) <= settled);
    const points = slots.map(({ key, second }) => {
      const of = answer.rows.filter((row) => row[slot] === key);
      return [labelOf(second, answer), ...names.map((each) => of.filter((row) => (shown.includes(row[name]) ? row[name] : OTHERS) === each).reduce((sum, row) => sum + row[value], 0))];
    });
    const [heading, number] = panel.bar.map((column) => panel.columns[column]);
    const numbers = table(title, [[heading, (row) => row[0]], [number, (row) => count(row[1]), true]], by);
    const isPart = (place) => {
      if (slots[place].isCut && place === 0) return "from the beginning of the range";
      return slots[place].isCut || ends(slots[place]) > settled ? "so far" : "";
    };
    card.fill(...stacks({ title, points, names, show: count, width: room(card.body), partial: isPart, hint: "Show this time alone", choose: answer.range.slot_s > 600 ? (place) => zoomIn(answer)(slots[place].second) : undefined }),
      onDemand(numbers, by.length));
    return answer.range.slot_s === 86_400 ? "days are UTC’s" : "";
  },

  table(panel, answer, card, title) {
    card.fill(table(title, columnsOf(panel, answer), answer.rows));
    return "";
  },
};

/** A selection in milliseconds, widened to whole slots. */
const aligned = (from, to, step) => [Math.floor(from / step) * step * 1000, Math.ceil(to / step) * step * 1000];

/** What lines add up to: the first as a number, others as their share of it, bytes as bytes. */
function totals(panel, answer) {
  const sum = (column) => answer.rows.reduce((all, row) => all + row[answer.columns.indexOf(column)], 0);
  const [first, ...others] = panel.lines;
  const stats = [[panel.columns[first], readable(first, sum(first))], ...others.map((column) => [panel.columns[column], percent(sum(column) / Math.max(1, sum(first)))])];
  for (const column of Object.keys(panel.columns)) if (/bytes/.test(column) && !panel.lines.includes(column)) stats.push([panel.columns[column], bytes(sum(column))]);
  return element("dl", { className: "stats" }, ...stats.map(([name, value]) => element("div", { className: "stat" }, element("dt", {}, name), element("dd", {}, value))));
}

/** What a cut answer leaves out. */
function leftOut({ of }, { columns, rows, more }) {
  const all = of && rows[0]?.[columns.indexOf(of)];
  if (all && all > rows.length) return `the first ${count(rows.length)} of ${count(all)} rows`;
  return more ? `the first ${count(rows.length)} rows, more are left out` : "";
}

/** Draw a panel's answer into its card; `words` say of when it is, `nothing` what to say where there are no rows. */
export function draw(panel, answer, card, words, nothing) {
  const title = `${panel.title} in ${words}`;
  const remark = answer.rows.length ? DRAW[panel.chart](panel, answer, card, title) : "";
  if (!answer.rows.length) card.fill(nothing);
  const { filters } = current();
  const ignored = Object.keys(filters).filter((name) => !KNOWN[panel.parameters].includes(name) && !(name in { location: 0, viewer: 0 }));
  card.note.textContent = [
    `As of ${stamp(Date.parse(answer.as_of), current().zone)}, ${bytes(answer.scanned)} scanned`, leftOut(panel, answer), remark,
    ignored.length ? "filters do not apply" : "", panel.parameters === "dates" ? "whole days (UTC)" : "",
  ].filter(Boolean).join("; ");
  card.offer(answer);
}

/** What to say where there are no rows. */
export const nothingOf = (panel, words, hint) => empty(`${panel.empty ?? "No requests"} in ${words}.${hint ? ` ${hint}` : ""}`);
