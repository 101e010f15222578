// Who posts most: asked again and again while the page is seen.
import { element } from "../shared/suite.js";
import { bars, room, table } from "./charts.js";

const REFRESH_MS = 10_000; // each look is a query of Athena's, about $0.00005
const WINDOWS = { hour: "the last hour", day: "the last 24 hours", week: "the last 7 days" };
const find = (selector) => document.querySelector(selector);
const count = (value) => value.toLocaleString("en");

let timer;
let asked = 0;

function show({ columns, rows, as_of: asOf }, window, most) {
  const [user, posts] = ["user_id", "posts"].map((name) => columns.indexOf(name));
  const top = rows.slice(0, most);
  const body = find("#posters .body");
  const before = body.querySelector(".scroll")?.scrollTop ?? 0;
  if (!top.length) {
    body.replaceChildren(element("p", { className: "muted empty" }, `Nobody posted in ${WINDOWS[window]}`));
  } else {
    const title = `The ${top.length} users with the most posts in ${WINDOWS[window]}`;
    const places = new Map(top.map((row, place) => [row, place + 1]));
    body.replaceChildren(element("div", { className: "beside" },
      element("div", {}, ...bars(title, top.map((row) => [row[user], row[posts]]), count, room(body, 460))),
      table(title, [["", (row) => places.get(row), true], ["User", (row) => row[user]], ["Posts", (row) => count(row[posts]), true]], top)));
    body.querySelector(".scroll").scrollTop = before;
  }
  const moment = new Date(asOf).toLocaleTimeString();
  Object.assign(find("#posters .badge"), { className: "badge good", textContent: `as of ${moment}` });
}

/** Ask for the panel now and every ten seconds; `panel` asks the API, `mayAsk` says whether somebody is signed in. */
export async function followPosters(panel, mayAsk) {
  clearTimeout(timer);
  asked += 1;
  const mine = asked;
  const { window, most } = Object.fromEntries(new FormData(find("#posters form")));
  try {
    if (!document.hidden && mayAsk()) {
      const answer = await panel("top_posters", { window });
      if (mine !== asked) return; // somebody chose another window meanwhile
      show(answer, window, Number(most));
    }
  } catch (error) {
    if (mine !== asked) return;
    find("#posters .body").replaceChildren(element("p", { className: "bad", role: "alert" }, error.message));
  }
  if (mayAsk()) timer = setTimeout(followPosters, REFRESH_MS, panel, mayAsk);
}

/** Make the choices work. */
export function preparePosters(panel, mayAsk) {
  find("#posters form").addEventListener("change", () => followPosters(panel, mayAsk));
  document.addEventListener("visibilitychange", () => { if (!document.hidden && mayAsk()) followPosters(panel, mayAsk); });
}
