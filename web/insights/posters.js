// Who posts most: asked again and again while the page is seen.
import { element } from "../shared/suite.js";
import { bars, room, table } from "./charts.js";
import { empty, fill, find, follow, trouble } from "./panels.js";

const REFRESH_MS = 10_000; // each look is a query of Athena's, about $0.00005
const WINDOWS = { hour: "the last hour", day: "the last 24 hours", week: "the last 7 days" };
const count = (value) => value.toLocaleString("en");

function show({ columns, rows, as_of: asOf }, window, most) {
  const [user, posts] = ["user_id", "posts"].map((name) => columns.indexOf(name));
  const top = rows.slice(0, most);
  const body = find("#posters .body");
  if (!top.length) {
    fill(body, empty(`Nobody posted in ${WINDOWS[window]}`));
  } else {
    const title = `The ${top.length} users with the most posts in ${WINDOWS[window]}`;
    const places = new Map(top.map((row, place) => [row, place + 1]));
    fill(body, element("div", { className: "beside" },
      element("div", {}, ...bars(title, top.map((row) => [row[user], row[posts]]), count, room(body, 460))),
      table(title, [["", (row) => places.get(row), true], ["User", (row) => row[user]], ["Posts", (row) => count(row[posts]), true]], top)));
  }
  const moment = new Date(asOf).toLocaleTimeString();
  Object.assign(find("#posters .badge"), { className: "badge good", textContent: `as of ${moment}` });
}

/** Follow who posts most; `panel` asks the API, `mayAsk` says whether somebody sees it. Returns the first look. */
export function followPosters(panel, mayAsk) {
  return follow("#posters", REFRESH_MS, mayAsk, async (current) => {
    const { window, most } = Object.fromEntries(new FormData(find("#posters form")));
    try {
      const answer = await panel("top_posters", { window });
      if (current()) show(answer, window, Number(most));
    } catch (error) {
      if (current()) fill(find("#posters .body"), trouble(error.message));
    }
  });
}
