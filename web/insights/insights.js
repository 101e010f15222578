// Live panels refresh while the page is seen; panels at rest are asked when somebody asks.
import { openPage } from "../shared/shell.js";
import { ask, person, signIn } from "../shared/signin.js";
import { bytes, element } from "../shared/suite.js";
import { bars, clock, lines, room, table } from "./charts.js";
import { followContainers } from "./containers.js";
import { cards, count, followDeclared, pend, percent, show } from "./declared.js";
import { empty, fill, find, trouble } from "./panels.js";

const REFRESH_MS = 2500;
const SHOWN_SECONDS = 120;
const BARS = 10;
// Each application's section, and the output of the stack that tells that it is there; in the order of the page.
const SECTIONS = {
  "#live": "LogStreamName", "#rest": "AccessLogsWorkGroupName", "#posters": "SocialWorkGroupName",
  "#containers": "ContainerMetricsFunctionName", "#calls": "Ec2WorkGroupName",
};

let config;
let timer;
let refused = false; // signed in, but no operator

function complain(message) {
  Object.assign(find("#trouble"), { hidden: !message, textContent: message ?? "" });
}

/** Whether somebody is signed in, and a section's application is there. */
const isShown = (section) => Boolean(person() && !refused && config.InsightsApiUrl && config[SECTIONS[section]]);

/** Show what belongs to who is signed in, or the invitation to sign in. */
function showSignIn() {
  const who = person();
  find("#sign-in").hidden = Boolean(who);
  for (const section of Object.keys(SECTIONS)) find(section).hidden = !isShown(section);
  const links = Object.keys(SECTIONS).filter(isShown).map((section) => element("a", { href: section }, find(`${section} > h2`).firstChild.textContent.trim()));
  const nav = find("nav");
  nav.replaceChildren(...links);
  nav.hidden = links.length < 2;
  return who;
}

/** Signed in, but no operator: say so once, instead of in every panel, and ask no more. */
function refuse(message) {
  refused = true;
  showSignIn();
  complain(message);
}

/** Ask the API for a panel until it has an answer; throws with a sentence for people. */
async function panel(name, query = {}) {
  for (;;) {
    if (refused) throw new Error("Only operators can see this");
    const { status, body } = await ask(`${config.InsightsApiUrl}/v1/insights/${encodeURIComponent(name)}?${new URLSearchParams(query)}`);
    if (status === 200) return body;
    if (status === 401) showSignIn();
    if (status === 403) refuse(body.message);
    if (status !== 202) throw Object.assign(new Error(`${body.message} (${body.code})`), { code: body.code });
    query = { query: body.query };
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
  }
}

// ---- live

/** All seconds up to the last whose counts are complete, with zeros where nothing came. */
function filled({ rows, complete_until: last }) {
  const known = new Map(rows.map(([second, ...values]) => [second, values]));
  const first = Math.max(Math.min(rows[0][0], last), last - SHOWN_SECONDS + 1);
  return Array.from({ length: last - first + 1 }, (_, place) => [first + place, ...(known.get(first + place) ?? [0, 0, 0])]);
}

function showLive(live) {
  const { totals } = live;
  find("#totals").replaceChildren(...[
    ["requests in 3 minutes", count(totals.requests)], ["of bots", percent(totals.bot_requests / Math.max(1, totals.requests))],
    ["sent", bytes(totals.sent)], ["late", count(totals.late)],
  ].map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const body = (name) => find(`[data-panel=${name}] .body`);
  const quiet = !live.seconds.rows.length;
  Object.assign(find("#pulse"), { className: `badge ${quiet ? "muted" : "good"}`, textContent: quiet ? "waiting for traffic" : `as of ${clock(Date.parse(live.as_of) / 1000)}` });
  if (quiet) {
    for (const name of ["requests", "sent", "distributions", "locations", "bots", "viewers"]) fill(body(name), empty("Nothing in the last minutes"));
    return;
  }
  const seconds = filled(live.seconds);
  const newest = seconds.toReversed();
  const details = (columns) => {
    const made = element("details", {}, element("summary", {}, "Numbers"));
    made.append(table("Second by second", [["Time", (row) => clock(row[0])], ...columns], newest));
    return made;
  };
  fill(body("requests"),
    ...lines("Requests per second", seconds.map(([second, requests, , bots]) => [second, requests, bots]), ["all", "bots"], count, room(body("requests"))),
    details([["Requests", (row) => count(row[1]), true], ["Of bots", (row) => count(row[3]), true]]));
  fill(body("sent"),
    ...lines("Bytes per second", seconds.map(([second, , sent]) => [second, sent]), ["bytes"], bytes, room(body("sent"))),
    details([["Bytes", (row) => bytes(row[2]), true]]));
  for (const [name, heading] of [["distributions", "Distribution"], ["locations", "Edge location"]]) {
    const { rows } = live[name]; // most bytes first, and last all others together
    fill(body(name), ...bars(`Bytes by ${heading.toLowerCase()}`, rows.slice(0, BARS).map(([key, , sent]) => [key, sent]), bytes, room(body(name), 460)),
      table(`Bytes by ${heading.toLowerCase()}`, [[heading, (row) => row[0]], ["Requests", (row) => count(row[1]), true], ["Bytes", (row) => bytes(row[2]), true]], rows));
  }
  const bots = live.bots.rows;
  fill(body("bots"), ...(bots.length ? [
    ...bars("Requests of bots", live.bot_addresses.rows.slice(0, BARS), count, room(body("bots"), 460)),
    table("Requests of bots", [["Address", (row) => row[0]], ["Edge", (row) => row[1]], ["Distribution", (row) => row[2]], ["Requests", (row) => count(row[3]), true], ["Bytes", (row) => bytes(row[4]), true]], bots),
  ] : [empty("No bots in the last minutes")]));
  const viewers = live.viewers.rows;
  fill(body("viewers"), ...(viewers.length ? [
    ...bars("Requests of viewers", viewers.slice(0, BARS), count, room(body("viewers"), 460)),
    table("Requests of viewers", [["Address", (row) => row[0]], ["Requests", (row) => count(row[1]), true]], viewers),
    element("p", { className: "muted note" }, `Minute of ${clock(live.viewers.minute)}${live.viewers.complete ? "" : ", so far"}; ${live.viewers.error ? `counts may be too low by at most ${count(live.viewers.error)}` : "exact"}`),
  ] : [empty("No viewers yet")]));
}

let looks = 0;

async function refresh() {
  clearTimeout(timer);
  if (!isShown("#live")) return;
  looks += 1;
  const mine = looks; // a slower, older answer must not replace a newer one
  try {
    if (!document.hidden) {
      const answer = await panel("live");
      if (mine !== looks) return;
      showLive(answer);
      complain();
    }
  } catch (error) {
    if (mine !== looks) return;
    if (!refused) complain(`Live: ${error.message}`);
  }
  if (person()) timer = setTimeout(refresh, REFRESH_MS);
}

// ---- panels that saved queries declare

const LIST_AGAIN_MS = 10_000;
// Each look is a query of Athena's a panel, about $0.00005. Firehose waits a minute before it delivers calls.
const POSTERS_MS = 10_000;
const CALLS_MS = 60_000;
// What the panels about dates look at: docs/access_logs.md, "Queries".
const ON_TIME = "these days, in logs that came within two days; later ones are in the view cf_logs_unique alone";
let askAtRest = () => {}; // nothing, until the list of panels is there

function prepareAtRest(panels) {
  cards(find("#panels"), panels);
  let asked = 0;
  askAtRest = async () => {
    asked += 1;
    const mine = asked;
    const current = () => mine === asked;
    const query = Object.fromEntries(new FormData(find("#dates")));
    pend(panels); // answers to older dates are none to these
    for (const each of panels) { // one after the other: Athena's queries are few at a time
      if (!current()) return;
      await show(each, panel, query, { words: ON_TIME, current });
    }
  };
  return askAtRest;
}

function prepareDates() {
  const form = find("#dates");
  const day = (age) => new Date(Date.now() - age * 86_400_000).toISOString().slice(0, 10);
  Object.assign(form.from, { value: day(6) });
  Object.assign(form.to, { value: day(0) });
  form.addEventListener("submit", (event) => { event.preventDefault(); askAtRest(); });
}

/** List the panels and draw them; sections that need no list do not wait for it. */
async function showDeclared() {
  let list;
  try {
    list = await panel("panels");
  } catch (error) {
    if (refused || !person()) return;
    for (const grid of ["#panels", "#posters .grid", "#calls .grid"]) fill(find(grid), trouble(error.message));
    setTimeout(showDeclared, LIST_AGAIN_MS);
    return;
  }
  const of = (...kinds) => list.panels.filter(({ parameters }) => kinds.includes(parameters));
  const looks = {
    "#rest": prepareAtRest(of("dates")),
    "#posters": followDeclared("#posters", POSTERS_MS, of("posts"), panel, () => isShown("#posters")),
    "#calls": followDeclared("#calls", CALLS_MS, of("calls", "calls_by_slot"), panel, () => isShown("#calls")),
  };
  for (const [section, look] of Object.entries(looks)) if (isShown(section)) look();
}

try {
  config = await openPage();
  find("#sign-in button").addEventListener("click", () => signIn(config));
  prepareDates();
  if (showSignIn() && config.InsightsApiUrl) {
    const followed = followContainers(panel, () => isShown("#containers"));
    setInterval(() => { if (!person()) showSignIn(); }, REFRESH_MS); // the session ends by itself, whatever is shown
    if (isShown("#live")) refresh();
    if (isShown("#containers")) followed();
    showDeclared();
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && isShown("#live")) refresh(); });
} catch (error) {
  complain(error.message);
}
