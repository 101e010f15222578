// The insights page: one application's health and panels, for the range, zone and filters that the address says.
import { APPLICATIONS } from "../shared/applications.js";
import { healthStrip } from "../shared/health.js";
import { openPage } from "../shared/shell.js";
import { ask, person, signIn } from "../shared/signin.js";
import { element, isLocal } from "../shared/suite.js";
import { clock, stamp } from "../shared/time.js";
import { Card, empty, find, hintOf, trouble } from "./cards.js";
import { containerCards, OFF } from "./containers.js";
import { connect, offer, offerClusters, render } from "./controls.js";
import { draw, KNOWN, nothingOf } from "./declared.js";
import { liveCards } from "./live.js";
import { borders, change, current, FILTERS, OF_ROWS, range, read, WINDOWS, zoneName } from "./state.js";

const LIST_AGAIN_MS = 10_000;
const HEALTH_MS = 60_000;
const AT_ONCE = 3; // queries; Athena runs few side by side
const OFTEN = { off: "Off", 3: "3 s", 10: "10 s", 60: "1 min" };
const AT_REST = { off: "Off", 10: "10 s", 60: "1 min", 300: "5 min" };
const LATER = "Logs that came later than two days after their requests are in the view cf_logs_unique alone.";
/** By application: where its panels come from, the range and the refresh by default, and what can be chosen. */
const SCREENS = {
  access_logs: { kinds: ["dates", "requests", "requests_by_slot", "request_rows"], window: "week", refresh: "off", refreshes: AT_REST, filters: KNOWN.request_rows, more: [] },
  log_streaming: { live: "live", refresh: "3", refreshes: OFTEN, filters: [], more: ["minutes"] },
  social_stream: { kinds: ["posts"], window: "day", refresh: "10", refreshes: AT_REST, filters: [], more: ["most"] },
  container_metrics: { live: "containers", refresh: "10", refreshes: OFTEN, filters: [], more: ["cluster"] },
  ec2_monitor: { kinds: ["calls", "calls_by_slot"], window: "half_day", refresh: "60", refreshes: AT_REST, filters: KNOWN.calls, more: [] },
};
/** Errors that are the form's or everybody's: said once, above the panels. What is wrong with one panel stands in it. */
const OWN = ["query_failed", "unknown_query", "unknown_panel"];

let config;
let refused = false; // signed in, but no operator
let screen = null; // what is shown: { app, panels, cards, show }
let round = 0; // of questions; older ones are not shown any more
let timer = 0;
let shownQuestion = "";

const application = () => APPLICATIONS.find(({ name }) => name === current().app);
const mayAsk = () => Boolean(person() && !refused && config.InsightsApiUrl && config[application().output]);

/** Say what is wrong, once; without a message nothing is. */
function complain(message) {
  if (find("#trouble").textContent !== (message ?? "")) find("#trouble").textContent = message ?? "";
  find("#trouble").hidden = !message;
}

/** Ask the API for a panel until it has an answer, or nobody waits for one any more; throws with a sentence for people. */
async function panel(name, query = {}, isAwaited = () => true) {
  let first = {};
  for (;;) {
    const { status, body } = await ask(`${config.InsightsApiUrl}/v1/insights/${encodeURIComponent(name)}?${new URLSearchParams(query)}`)
      .catch(() => { throw Object.assign(new Error("The panels cannot be loaded: no connection to the API."), { code: "offline" }); });
    if (status === 200) return { ...first, ...body };
    if (status === 403) {
      refused = true;
      showAccess();
    }
    if (status !== 202) throw Object.assign(new Error(body.message), { code: body.code });
    first = { ...first, ...body };
    query = { query: body.query };
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    if (!isAwaited()) throw new Error("Another question was asked meanwhile.");
  }
}

/** When the panels are: "the last 12 hours", or from when to when. */
function words() {
  const { window, zone } = current();
  if (window) return WINDOWS[window]?.words ?? "this range";
  const [from, to] = borders();
  return Number.isNaN(from + to) ? "this range" : `${stamp(from, zone)} to ${stamp(to, zone)}`;
}

/** What a panel is asked for. */
function question({ parameters }) {
  const known = KNOWN[parameters] ?? [];
  return { ...range(), ...Object.fromEntries(Object.entries(current().filters).filter(([name]) => known.includes(name))) };
}

/** What all panels are asked for: if that changes, older answers are none to it. */
function wholeQuestion() {
  const { window, from, to, filters, more } = current();
  const { most: _, ...others } = more;
  return JSON.stringify([window, from, to, Object.entries(filters).filter(([name]) => !OF_ROWS.includes(name)), others]);
}

// ---- who sees what

/** Show what belongs to who is signed in, or the invitation to sign in, or how to deploy the application. */
function showAccess() {
  const { title, text, parameter, output } = application();
  document.title = `${title} – Serverless suite`;
  find("#title").textContent = title;
  find("#text").textContent = text;
  const isThere = Boolean(config[output]);
  find("#missing").hidden = isThere;
  find("#missing-how").replaceChildren("To deploy it, add ", element("code", {}, `${parameter}=true`), " to ", element("code", {}, "parameter_overrides"),
    " in samconfig.toml, then run ", element("code", {}, isLocal() ? "make up" : "make deploy"), ".");
  find("#sign-in").hidden = !isThere || Boolean(person());
  find("#signed-in").hidden = !mayAsk();
  if (!person()) complain();
}

// ---- one application's screen

function open() {
  const { app } = current();
  const known = SCREENS[app];
  clearTimeout(timer);
  round += 1;
  screen = { app, known, panels: [], cards: [], answers: new Map(), drawn: [] };
  shownQuestion = wholeQuestion();
  find("#health").replaceChildren();
  complain();
  showAccess();
  render({ hasRange: Boolean(known.kinds), filters: known.filters, refreshes: known.refreshes, more: known.more });
  if (!mayAsk()) { // what an operator saw is for nobody else
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.close();
      dialog.replaceChildren();
    }
    find("#panels").replaceChildren();
    return;
  }
  showHealth(screen);
  if (known.live) {
    Object.assign(screen, known.live === "live" ? liveCards() : containerCards());
    find("#panels").replaceChildren(...screen.cards.map(({ place }) => place));
    load();
  } else showDeclared(screen);
}

async function showHealth(mine) {
  if (mine !== screen || !mayAsk()) return;
  try {
    if (document.hidden) return;
    const { applications } = await panel("overview");
    const found = applications.find(({ application: name }) => name === mine.app);
    if (mine === screen && found) find("#health").replaceChildren(healthStrip(found));
  } catch (error) {
    if (mine === screen && !refused) find("#health").replaceChildren(element("p", { className: "muted" }, `Health is not known: ${error.message}`));
  } finally {
    if (mine === screen) setTimeout(() => showHealth(mine), HEALTH_MS);
  }
}

/** List the panels, and draw them. */
async function showDeclared(mine) {
  if (!mine.cards.length) {
    mine.cards = [1, 2, 3].map((number) => new Card("", "", { wide: number === 1 }));
    find("#panels").replaceChildren(...mine.cards.map(({ place }) => place));
  }
  let list;
  try {
    list = await panel("panels");
  } catch (error) {
    if (mine !== screen) return;
    complain(error.message);
    if (!refused && person()) setTimeout(() => { if (mine === screen) showDeclared(mine); }, LIST_AGAIN_MS);
    return;
  }
  if (mine !== screen) return;
  mine.panels = list.panels.filter(({ parameters }) => mine.known.kinds.includes(parameters));
  mine.rows = mine.panels.find(({ parameters }) => parameters === "request_rows");
  mine.panels = mine.panels.filter((each) => each !== mine.rows);
  mine.cards = mine.panels.map(({ panel: name, title, chart, parameters }) =>
    new Card(name, title, { wide: chart === "lines" || chart === "stacks" || parameters === "posts" }));
  find("#panels").replaceChildren(...mine.cards.map(({ place }) => place));
  find("#show-rows").hidden = !mine.rows;
  load();
}

/** Ask for everything that is shown. */
async function load() {
  clearTimeout(timer);
  round += 1;
  const mine = round;
  const isCurrent = () => mine === round;
  if (mayAsk() && !document.hidden) {
    if (current().rows && screen.rows) showRows();
    await (screen.known.live ? loadLive(isCurrent) : loadDeclared(isCurrent));
    if (!isCurrent()) return;
  }
  if (!person()) showAccess(); // the session has ended by itself
  const seconds = Number(current().refresh);
  if (seconds && mayAsk() && !screen.isOver) timer = setTimeout(load, seconds * 1000);
}

async function loadLive(isCurrent) {
  const { minutes, cluster } = current().more;
  const query = screen.known.live === "live" ? (minutes ? { minutes } : {}) : cluster ? { cluster } : {};
  try {
    const answer = await panel(screen.known.live, query, isCurrent);
    if (!isCurrent()) return;
    if (answer.clusters) offerClusters(answer);
    remember("", () => screen.show(answer, hintOf(application().next)));
    said(answer);
    complain();
  } catch (error) {
    if (!isCurrent() || refused) {
      if (refused) complain(error.message);
    } else if (error.code === "unknown_panel") {
      screen.isOver = true;
      find("#panels").replaceChildren(element("p", { className: "card empty" }, OFF));
    } else complain(error.message);
  }
}

/** Draw, now and again whenever zone, width or colours change. */
function remember(name, drawing) {
  screen.answers.set(name, drawing);
  drawing();
}

function redraw() {
  for (const drawing of screen?.answers.values() ?? []) drawing();
}

/** Say of when the newest answer is, and in which zone times are. */
function said({ as_of: asOf }) {
  screen.asOf = asOf;
  find("#as-of").textContent = `As of ${clock(Date.parse(asOf), current().zone, true)}, times in ${zoneName()}`;
}

async function loadDeclared(isCurrent) {
  const queue = screen.panels.map((each, place) => [each, screen.cards[place]]);
  let stopped = "";
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [each, card] = next;
      if (stopped) {
        if (!card.answer) card.fill(empty("Not loaded."));
        continue;
      }
      card.body.setAttribute("aria-busy", "true");
      try {
        const answer = await panel(each.panel, question(each), isCurrent);
        if (!isCurrent()) return;
        const when = words();
        const hint = current().app === "access_logs" && !Object.keys(question(each)).some((name) => name in FILTERS) ? `${hintOf(application().next)} ${LATER}` : current().app === "access_logs" ? "Remove a filter, or choose a longer range." : hintOf(application().next);
        remember(each.panel, () => draw(each, answer, card, when, nothingOf(each, when, hint)));
        offer(answer);
        said(answer);
      } catch (error) {
        if (!isCurrent()) return;
        screen.answers.delete(each.panel);
        if (OWN.includes(error.code)) {
          card.pend();
          card.fill(trouble(error.message));
        } else {
          stopped = error.message;
          if (!card.answer) card.fill(empty("Not loaded."));
        }
      } finally {
        card.body.removeAttribute("aria-busy");
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (isCurrent()) complain(person() ? stopped : "");
}

// ---- the rows behind a number

async function showRows() {
  const dialog = find("#rows");
  const { filters } = current();
  const mine = round;
  const behind = Object.entries(filters).filter(([name]) => screen.known.filters.includes(name)).map(([name, value]) => `${FILTERS[name].toLowerCase()} ${value}`);
  const card = new Card("requests", "Requests", { wide: true });
  const close = element("button", { type: "button", className: "bare small", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(element("div", { className: "top" }, element("h2", { id: "rows-title" }, `Requests${behind.length ? ` of ${behind.join(", ")}` : ""}, the newest first`), card.actions, close), card.body, card.note);
  if (!dialog.open) dialog.showModal();
  try {
    const answer = await panel(screen.rows.panel, question(screen.rows), () => mine === round && dialog.open);
    if (mine !== round || !dialog.open) return;
    remember("rows", () => draw(screen.rows, answer, card, words(), empty(`No requests in ${words()}.`)));
  } catch (error) {
    card.fill(trouble(error.message));
  }
}

function closeRows() {
  screen.answers.delete("rows");
  if (!current().rows) return;
  change({ rows: false, filters: Object.fromEntries(Object.entries(current().filters).filter(([name]) => !OF_ROWS.includes(name))) });
}

// ---- the page

/** The address has changed: by the form, by a chart, or by the browser's back and forward. */
function show() {
  if (current().app !== screen?.app) {
    open();
    return;
  }
  render({ hasRange: Boolean(screen.known.kinds), filters: screen.known.filters, refreshes: screen.known.refreshes, more: screen.known.more });
  if (wholeQuestion() !== shownQuestion) {
    shownQuestion = wholeQuestion();
    for (const card of screen.cards) card.pend();
    screen.answers.clear();
    complain();
    load();
    return;
  }
  redraw();
  if (screen.asOf) said({ as_of: screen.asOf });
  if (!current().rows) find("#rows").close();
  else if (screen.rows) showRows();
  clearTimeout(timer);
  const seconds = Number(current().refresh);
  if (seconds && mayAsk()) timer = setTimeout(load, seconds * 1000);
}

try {
  config = await openPage();
  read(SCREENS);
  if (!new URLSearchParams(location.search).has("app")) {
    const first = APPLICATIONS.find(({ name, output }) => name in SCREENS && config[output]);
    change({ app: first?.name ?? current().app, window: SCREENS[first?.name]?.window, refresh: SCREENS[first?.name]?.refresh }, { replace: true });
  }
  connect({ refreshNow: load, complain });
  find("#sign-in button").addEventListener("click", () => signIn(config));
  find("#show-rows").addEventListener("click", () => change({ rows: true }));
  find("#rows").addEventListener("close", closeRows);
  addEventListener("state", show);
  addEventListener("popstate", () => { read(SCREENS); show(); });
  let who = person()?.email;
  addEventListener("session", () => {
    if (person()?.email === who) return; // the same session, renewed
    who = person()?.email;
    refused = false;
    open();
  });
  addEventListener("scheme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  let resizing = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(resizing);
    resizing = setTimeout(redraw, 200);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && screen && Number(current().refresh)) load(); });
  open();
} catch (error) {
  complain(error.message);
}
