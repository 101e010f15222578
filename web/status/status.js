// The public status page: asks every 15 seconds while somebody looks, and keeps the last answer when it gets none.
import { openPage } from "../shared/shell.js";
import { configuration, duration, element } from "../shared/suite.js";

const EVERY_MS = 15_000;
const TIMEOUT_MS = 10_000;
const STATES = {
  down: { word: "Down", look: "bad" },
  unknown: { word: "Not known", look: "warm" },
  up: { word: "Up", look: "good" },
};
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts().find(({ type }) => type === "timeZoneName").value;

const main = document.querySelector("main");
const sentence = document.querySelector("#sentence");
const detail = document.querySelector("#detail");
const fresh = document.querySelector("#fresh");
let address = "";
let timer = 0;
let asking = false;
let answered = null; // when the last answer came

function since(text) {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) return "";
  return element("time", { dateTime: text, title: `${clock.format(moment)} ${zone}` },
    `since ${clock.format(moment)} (${duration(Date.now() - moment.getTime())})`);
}

function line({ name, state, since: moment }) {
  const { word, look } = STATES[state] ?? STATES.unknown;
  return element("li", {}, element("span", { className: "name" }, name),
    element("span", { className: `badge ${look}` }, word), element("span", { className: "since" }, since(moment)));
}

/** What holds for all of them, in a sentence: `{ text, more, look }`. */
function overall(checks) {
  const down = checks.filter(({ state }) => state === "down");
  const unknown = checks.filter(({ state }) => state !== "down" && state !== "up");
  const names = (list) => list.map(({ name }) => name).join(", ");
  if (checks.length === 0) return { text: "No service is watched yet", more: "A service appears here with its first health check.", look: "" };
  if (down.length > 1) return { text: down.length === checks.length ? "All services are down" : `${down.length} of ${checks.length} services are down`, more: names(down), look: "bad" };
  if (down.length) return { text: `${down[0].name} is down`, more: "", look: "bad" };
  if (unknown.length > 1) return { text: `The state of ${unknown.length} services is not known`, more: names(unknown), look: "warm" };
  if (unknown.length) return { text: `The state of ${unknown[0].name} is not known`, more: "", look: "warm" };
  return { text: "All services are up", more: "", look: "good" };
}

function say({ text, more, look }) {
  if (sentence.textContent !== text) sentence.textContent = text; // else it would be read out again
  Object.assign(detail, { hidden: !more, textContent: more });
  document.querySelector("#overall").className = `card overall ${look}`;
}

function show(checks) {
  const found = overall(checks);
  say(found);
  document.querySelector("#checks").hidden = checks.length === 0;
  document.querySelector("#checks ul").replaceChildren(...checks.map(line));
  main.classList.remove("stale");
  document.title = found.look === "bad" ? `${found.text} – Status` : "Status";
  answered = new Date();
  Object.assign(fresh, { hidden: false, textContent: `As of ${time.format(answered)} ${zone}. Updated every ${EVERY_MS / 1000} seconds while this page is open.` });
}

function fail() {
  main.classList.add("stale");
  say({
    text: "The state of the services cannot be loaded", look: "warm",
    more: answered ? `Below is what was known at ${time.format(answered)} ${zone}. This page goes on trying.` : "That says nothing about the services themselves. This page goes on trying.",
  });
  document.title = "Status";
}

async function refresh() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    address ||= `${((await opened) ?? (await configuration())).HubApiUrl}/hub/status`;
    const response = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(String(response.status));
    show((await response.json()).checks);
  } catch {
    fail();
  } finally {
    asking = false;
    main.removeAttribute("aria-busy");
    if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
  }
}

const opened = openPage().catch(() => null); // the settings are asked for again
document.addEventListener("visibilitychange", refresh);
refresh();
