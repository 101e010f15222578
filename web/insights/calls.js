// Who changes what in EC2: asked again every minute while the page is seen.
import { element } from "../shared/suite.js";
import { bars, room, stacks, table } from "./charts.js";
import { empty, fill, find, follow, grouped, trouble } from "./panels.js";

const REFRESH_MS = 60_000; // Firehose waits as long; each look is three queries of Athena's, about $0.00015
const NAMES = 6; // of a chart; the other calls are one more
const MINUTE_MS = 60_000;
// How long a window is, what a slot of the chart is, and how its key becomes a whole time.
const WINDOWS = {
  hour: { words: "the last hour", minutes: 60, slot: 10, characters: 15, rest: "0:00Z" },
  half_day: { words: "the last 12 hours", minutes: 720, slot: 60, characters: 13, rest: ":00:00Z" },
  day: { words: "the last 24 hours", minutes: 1440, slot: 60, characters: 13, rest: ":00:00Z" },
  week: { words: "the last 7 days", minutes: 10_080, slot: 1440, characters: 10, rest: "T00:00:00Z" },
};
const count = (value) => value.toLocaleString("en");
const body = (panel) => find(`[data-panel=${panel}] .body`);

/** Every slot up to now, also those in which nothing was called: [key, what a person reads]. */
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

function showCalls({ columns, rows, as_of: asOf }, window, into) {
  const [slot, name, calls] = ["slot", "event_name", "calls"].map((each) => columns.indexOf(each));
  const by = grouped(rows, name, calls);
  const shown = by.slice(0, NAMES).map(([each]) => each);
  const names = by.length > NAMES ? [...shown, "others"] : shown;
  const title = `Calls in ${window.words}`;
  const points = [...slots(window, Date.parse(asOf))].map(([key, label]) => {
    const of = rows.filter((row) => row[slot] === key);
    return [label, ...names.map((each) => of.filter((row) => (shown.includes(row[name]) ? row[name] : "others") === each).reduce((sum, row) => sum + row[calls], 0))];
  });
  return [...stacks(title, points, names, count, room(into, 1200)), table(title, [["Call", (row) => row[0]], ["Calls", (row) => count(row[1]), true]], by)];
}

function showActors({ columns, rows }, window, into) {
  const [actor, kind, calls, failed, latest] = ["actor", "actor_type", "calls", "failed", "latest"].map((each) => columns.indexOf(each));
  const title = `Actors with the most calls in ${window.words}`;
  return [element("div", { className: "beside" },
    element("div", {}, ...bars(title, rows.slice(0, 10).map((row) => [row[actor] ?? "–", row[calls]]), count, room(into, 460))),
    table(title, [["Actor", (row) => row[actor]], ["Kind", (row) => row[kind]], ["Calls", (row) => count(row[calls]), true], ["Failed", (row) => count(row[failed]), true], ["Last", (row) => new Date(row[latest]).toLocaleString()]], rows))];
}

function showDenied({ columns, rows }, window) {
  const [actor, name, error, calls, latest] = ["actor", "event_name", "error", "calls", "latest"].map((each) => columns.indexOf(each));
  const title = `Denied calls and failed sign-ins in ${window.words}`;
  return [table(title, [["Actor", (row) => row[actor]], ["Call", (row) => row[name]], ["Times", (row) => count(row[calls]), true], ["Last", (row) => new Date(row[latest]).toLocaleString()], ["Error", (row) => row[error]]], rows)];
}

const PANELS = [
  ["ec2_calls", showCalls, "Nobody called anything in"],
  ["ec2_actors", showActors, "Nobody called anything in"],
  ["ec2_denied", showDenied, "Nothing was denied in"],
];

/** Follow the calls; `panel` asks the API, `mayAsk` says whether somebody sees them. Returns the first look. */
export function followCalls(panel, mayAsk) {
  return follow("#calls", REFRESH_MS, mayAsk, async (current) => {
    const chosen = find("#calls select").value;
    const window = WINDOWS[chosen];
    for (const [name, show, nothing] of PANELS) {
      if (!mayAsk()) return;
      const into = body(name);
      try {
        const answer = await panel(name, { window: chosen });
        if (!current()) return;
        fill(into, ...(answer.rows.length ? show(answer, window, into) : [empty(`${nothing} ${window.words}`)]));
        Object.assign(find("#calls .badge"), { className: "badge good", textContent: `as of ${new Date(answer.as_of).toLocaleTimeString()}` });
      } catch (error) {
        if (!current()) return;
        fill(into, trouble(error.message));
      }
    }
  });
}
