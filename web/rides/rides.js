// Rides: choose a place, request a unicorn, follow it, and see what earlier rides cost. The address says what is shown:
// `?ride=` one ride, `?account=` a form of the account, neither the request.
import { accountForm, isForm, titleOf } from "../shared/account.js";
import { openPage } from "../shared/shell.js";
import { visitors } from "../shared/signin.js";
import { complain, count, element, svg } from "../shared/suite.js";
import { distance, drawMap, unicorn } from "./map.js";
import { CANCELLABLE, countdown, money, OPEN, sentenceOf, STATES, STEPS, when } from "./words.js";

const POLL_MS = 1000;
const TIMEOUT_MS = 10_000;
const RETRY_MS = 2000; // while there is no answer
const PAGE = 5; // of the history
const PENDING = "rides.pending"; // in sessionStorage: a request that is not answered yet, { id, pickup, email }
const PICKUP = "rides.pickup"; // the place that was chosen last
const NEAR_M = 60; // of a place: somebody waits there
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/; // of a ride

const find = (selector) => document.querySelector(selector);
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
let config;
let map;
let ride; // which is followed
let pickup = JSON.parse(sessionStorage.getItem(PICKUP) ?? "null");
let timer; // of the next question
let asking = false; // a request is on its way
let skew = 0; // seconds by which the API's clock is ahead of the browser's

const now = () => Date.now() / 1000 + skew;
const query = () => new URLSearchParams(location.search);

/** Ask the API: `{ status, body }`; status 0 if no answer came. */
async function call(path, request = {}) {
  const sent = Date.now();
  try {
    const answer = await visitors.ask(`${config.RidesApiUrl}${path}`, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.body.now) skew = clockSkew(answer.body.now, sent);
    connection(answer.status < 500 ? "" : "Rides cannot be reached just now. This page goes on trying.");
    return answer;
  } catch {
    connection(navigator.onLine ? "There is no answer. This page goes on trying." : "You are offline. A ride goes on; this page catches up when you are online again.");
    return { status: 0, body: {} };
  }
}

function connection(sentence) {
  const card = find("#connection");
  card.hidden = !sentence;
  if (card.textContent !== sentence) card.textContent = sentence;
}

// ---- what is shown

/** Show something else, at an address of its own. */
function go(search) {
  history.pushState(null, "", search || location.pathname);
  show(true);
}

function panel(title, sentence, ...children) {
  const heading = find("#panel-title");
  if (heading.textContent !== title) heading.textContent = title;
  say(sentence);
  const hadFocus = find("#content").contains(document.activeElement);
  find("#content").replaceChildren(...children);
  if (hadFocus) heading.focus(); // what had it is gone
  find("#panel").removeAttribute("aria-busy");
  document.title = `${title} – Rides`;
}

function say(sentence) {
  if (find("#sentence").textContent !== sentence) find("#sentence").textContent = sentence; // else it would be read out again
}

/** Show what the address says. */
function show(isMoved = false) {
  clearTimeout(timer);
  const id = query().get("ride");
  const account = accountAsked();
  const who = visitors.person();
  if (ride?.id !== id) ride = null;
  map.choosable(false);
  arrange();
  if (account) showAccount(account);
  else if (id && !who) showEnded();
  else if (id) {
    if (ride) showRide();
    else panel("Your ride", "", element("span", { className: "skeleton tall" }));
    follow(id);
  } else if (who && pending()) send();
  else showRequest();
  showHistory();
  if (isMoved) find("#panel-title").focus();
}

/** Small screens have the map in another size, or none, by what is shown; at once, before anything is there. */
function arrange() {
  find(".town").dataset.view = accountAsked() ? "account" : query().has("ride") ? "ride" : "request";
}

/** The form that the address asks for; who is signed in needs none. */
function accountAsked() {
  const name = query().get("account");
  return isForm(name) && !visitors.person() ? name : null;
}

function showAccount(name) {
  map.show(pickup);
  map.follow(null);
  panel(titleOf(name), "", ...accountForm(name, config, { go: (next) => go(`?account=${next}`), signIn: leave }));
}

/** Leave for the sign-in; who comes back is where they were, but at no form. */
function leave() {
  if (query().has("account")) history.replaceState(null, "", location.pathname);
  visitors.signIn(config);
}

function showSignIn(title, sentence) {
  panel(title, sentence, element("div", { className: "actions" }, element("button", { type: "button", onclick: leave }, "Sign in")));
}

/** Nobody is signed in any more: whoever comes next sees nothing of the ride. */
function showEnded() {
  clearRide();
  showSignIn("Sign in to follow your ride", "Your sign-in has ended. The ride has not.");
}

function clearRide() {
  ride = null;
  map.follow(null);
  map.show(null);
}

// ---- the request

const nameOf = (place) => {
  const [nearest] = map.places.map((each) => ({ ...each, away: distance(each, place) })).sort((one, other) => one.away - other.away);
  if (!nearest) return `${place.latitude.toFixed(4)}, ${place.longitude.toFixed(4)}`;
  return nearest.away <= NEAR_M ? nearest.name : `${count(Math.round(nearest.away / 10) * 10)} m from ${nearest.name}`;
};

function choose(place) {
  pickup = { latitude: place.latitude, longitude: place.longitude };
  sessionStorage.setItem(PICKUP, JSON.stringify(pickup));
  if (find("#chosen")) showChosen();
  say(`Pick-up: ${nameOf(pickup)}.`);
}

function showChosen() {
  map.show(pickup);
  find("#chosen").textContent = pickup ? nameOf(pickup) : "No place yet";
  find("#coordinates").textContent = pickup ? `${pickup.latitude.toFixed(5)}° N, ${pickup.longitude.toFixed(5)}° E` : "Choose one on the map, or from the list.";
  const listed = pickup ? map.places.findIndex(({ latitude, longitude }) => latitude === pickup.latitude && longitude === pickup.longitude) : -1;
  find("#place").value = listed < 0 ? "" : String(listed);
  find("#request").disabled = !pickup || asking;
}

function showRequest(sentence = "") {
  const who = visitors.person();
  map.choosable(true);
  map.follow(null);
  const places = map.places.map((place, at) => [place.name, at]).sort(([one], [other]) => one.localeCompare(other));
  const list = element("select", { id: "place" }, element("option", { value: "" }, "A point on the map"),
    ...places.map(([name, at]) => element("option", { value: String(at) }, name)));
  list.addEventListener("change", () => { if (list.value) choose(map.places[Number(list.value)]); });
  const request = element("button", { type: "button", id: "request", className: "large" }, "Request a unicorn");
  request.addEventListener("click", () => (who ? begin(who) : leave()));
  if (!who) request.textContent = "Sign in to request a unicorn";
  panel("Where do you wait?", sentence,
    element("div", { className: "chosen" }, element("strong", { id: "chosen" }), element("span", { id: "coordinates", className: "muted" })),
    element("div", { className: "fields" }, element("label", {}, "Place", list),
      ...("geolocation" in navigator ? [element("button", { type: "button", className: "plain", onclick: locate }, "Use my position")] : [])),
    element("div", { className: "actions" }, request),
    ...(who ? [] : [element("div", { className: "actions others" },
      element("span", { className: "muted" }, "New here?"),
      element("button", { type: "button", className: "plain", onclick: () => go("?account=register") }, "Create an account"),
      element("button", { type: "button", className: "plain", onclick: () => go("?account=forgot") }, "Forgotten password"))]));
  showChosen();
}

function locate() {
  say("Looking where you are.");
  navigator.geolocation.getCurrentPosition(({ coords }) => {
    if (map.has(coords)) choose({ latitude: Number(coords.latitude.toFixed(6)), longitude: Number(coords.longitude.toFixed(6)) });
    else say("You are not on this map. Choose a place on it.");
  }, ({ code }) => say(code === 1 ? "Your browser does not tell your position. Choose a place on the map." : "Your position cannot be found. Choose a place on the map."),
  { enableHighAccuracy: true, timeout: TIMEOUT_MS, maximumAge: 0 });
}

/** Begin a request. Its id is made before anything is sent: however often it is sent, it is one ride. */
function begin({ email }) {
  if (asking || !pickup) return;
  sessionStorage.setItem(PENDING, JSON.stringify({ id: crypto.randomUUID(), pickup, email }));
  send();
}

/** The request that is not answered yet, or null; one of somebody else, who was signed in here before, is forgotten. */
function pending() {
  const kept = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  const who = visitors.person();
  if (!kept || !who || kept.email === who.email) return kept;
  sessionStorage.removeItem(PENDING);
  return null;
}

/** Send the request that is not answered yet, until it is. */
async function send() {
  const kept = pending();
  if (asking || !kept) return;
  asking = true;
  clearTimeout(timer);
  const { id, pickup: from } = kept;
  const address = location.search;
  showWaiting(from);
  const { status, body } = await call("/v1/rides", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id, pickup: from }),
  });
  asking = false;
  if (status === 200 || status === 202) {
    sessionStorage.removeItem(PENDING);
    ride = body;
    go(`?ride=${id}`);
  } else if (pending()?.id !== id) { // it was discarded meanwhile
    if (find("#request")) showChosen();
  } else if (status === 401) showSignIn("Sign in to request your unicorn", "Your sign-in has ended. The request is kept.");
  else if (status === 0 || status === 429 || status >= 500) {
    if (location.search === address) timer = setTimeout(send, RETRY_MS); // else it is sent when somebody is back here
  } else {
    sessionStorage.removeItem(PENDING);
    showRequest(body.message ?? "The request was refused.");
  }
}

/** By how many seconds the API's clock is ahead; small differences are the request's way. */
function clockSkew(moment, sent) {
  const found = moment - (sent + Date.now()) / 2000;
  return Math.abs(found) > 2 ? found : 0;
}

function showWaiting(from) {
  map.choosable(false);
  map.show(from);
  const discard = element("button", { type: "button", className: "plain", onclick: () => {
    clearTimeout(timer);
    sessionStorage.removeItem(PENDING);
    connection("");
    showRequest();
  } }, "Discard the request");
  if (find("#waiting")) return;
  panel("Requesting a unicorn", "Your request is on its way.",
    element("div", { id: "waiting" }, steps({ state: "", moments: {} })), element("div", { className: "actions" }, discard));
}

// ---- a ride

/** Ask for a ride every second while it is open and somebody looks. */
async function follow(id) {
  clearTimeout(timer);
  if (query().get("ride") !== id || document.hidden) return;
  if (!ID.test(id)) { // nothing that is sent anywhere
    showUnknown();
    return;
  }
  const { status, body } = await call(`/v1/rides/${id}`);
  if (query().get("ride") !== id) return; // somebody went elsewhere meanwhile
  if (status === 200) {
    const isChanged = ride?.state !== body.state;
    ride = body;
    if (isChanged) {
      showRide();
      if (!OPEN.includes(ride.state)) showHistory();
    }
    if (isStill.matches) drawRide();
  } else if (status === 401) {
    showEnded();
    return;
  } else if (status === 404) {
    showUnknown();
    return;
  }
  clearTimeout(timer);
  if (!ride || OPEN.includes(ride.state)) timer = setTimeout(() => follow(id), status === 200 ? POLL_MS : RETRY_MS);
}

function showUnknown() {
  clearRide();
  panel("No such ride", "You have no ride with this address.", another());
}

function steps({ state, moments }) {
  const at = STEPS.indexOf(state);
  return element("ol", { className: "steps" }, ...STEPS.map((step, place) => {
    const isPast = place < at || state === "done" || (at < 0 && step in moments); // it was there before it was cancelled
    const made = element("li", { className: isPast ? "past" : place === at ? "current" : "" },
      element("span", {}, STATES[step].word), element("small", {}, moments[step] ? when(moments[step]).split(", ")[1] : ""));
    if (place === at) made.setAttribute("aria-current", "step");
    return made;
  }));
}

const portrait = (colour) => svg("svg", { class: "portrait", viewBox: "-26 -32 52 56", "aria-hidden": "true" }, unicorn(colour));

const another = () => element("div", { className: "actions" }, element("button", { type: "button", className: "plain", onclick: () => go("") }, "Another ride"));

function showRide() {
  const { state, unicorn: who } = ride;
  map.show(ride.pickup);
  const facts = element("div", { className: "facts" },
    ...(who ? [portrait(who.colour), element("div", {}, element("strong", {}, who.name), element("span", { className: "muted" }, `${who.colour} unicorn`))] : []),
    element("div", {}, element("strong", {}, nameOf(ride.pickup)), element("span", { className: "muted" }, "Pick-up")),
    element("div", { className: "eta" }, element("strong", { id: "eta" }), element("span", { className: "muted", id: "eta-of" })));
  const parts = [steps(ride), facts];
  if (state === "done") parts.push(receipt(), another());
  else if (state === "unserved") parts.push(again());
  else if (!OPEN.includes(state)) parts.push(another());
  else if (CANCELLABLE.includes(state)) parts.push(element("div", { className: "actions" }, cancelButton()));
  panel(state === "done" ? "Welcome back" : STATES[state].word, sentenceOf(ride), ...parts);
  drawRide();
}

function receipt() {
  const rows = [["Unicorn", ride.unicorn.name], ["From", nameOf(ride.pickup)], ["Picked up", when(ride.moments.riding)],
    ["Back", when(ride.moments.done)], ["Way", "1.5 km over the roofs"]];
  return element("section", { className: "receipt" }, element("h3", {}, "Receipt"),
    element("dl", {}, ...rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    element("p", { className: "total" }, element("span", {}, "Total"), element("strong", {}, money(ride.receipt))));
}

function cancelButton() {
  const button = element("button", { type: "button", className: "plain" }, "Cancel the ride");
  const { id } = ride;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const { status, body } = await call(`/v1/rides/${id}/cancel`, { method: "POST" });
    button.disabled = false;
    if (query().get("ride") !== id) { // somebody went elsewhere meanwhile
      showHistory();
      return;
    }
    if (status === 200) {
      ride = body;
      showRide();
      showHistory();
    } else if (status === 409) say("Too late to cancel: the ride has begun.");
    else if (status !== 0) say("The ride could not be cancelled. Try again.");
    else say("There is no connection: the ride is not cancelled.");
  });
  return button;
}

/** What somebody does whom nobody could serve: wait, and ask again from the same place. */
function again() {
  const button = element("button", { type: "button", id: "again" }, "Try again");
  const who = visitors.person();
  button.addEventListener("click", () => {
    pickup = ride.pickup;
    history.pushState(null, "", location.pathname); // where a reload finds what is not answered yet
    arrange();
    begin(who);
  });
  return element("div", { className: "actions" }, button, element("button", { type: "button", className: "plain", onclick: () => go("") }, "Choose another place"));
}

/** The unicorn on the map, and what is counted down; on each frame while a ride is open. */
function drawRide() {
  if (!ride) return;
  const moment = isStill.matches ? ride.moments[ride.state] : now(); // it jumps from one place to the next
  map.follow(ride, moment);
  const eta = find("#eta");
  if (!eta) return;
  const left = (until) => Math.max(0, Math.ceil(until - now()));
  const shown = {
    assigned: () => [countdown(left(ride.arrives)), "Until it is with you"],
    arriving: () => [countdown(left(ride.arrives)), "Until it is with you"],
    riding: () => [countdown(left(ride.ends)), "Until you are back"],
    unserved: () => [countdown(left(ride.moments.unserved + ride.retry_after)), "Until one may be free"],
  }[ride.state]?.() ?? ["", ""];
  if (eta.textContent !== shown[0]) [eta.textContent, find("#eta-of").textContent] = shown;
  const button = find("#again");
  if (button) button.disabled = left(ride.moments.unserved + ride.retry_after) > 0;
  if (button && !button.disabled && ride.state === "unserved") say("A unicorn may be free now.");
}

function frame() {
  if (ride && (OPEN.includes(ride.state) || ride.state === "unserved")) drawRide();
  if (isStill.matches) setTimeout(frame, 500);
  else requestAnimationFrame(frame);
}

// ---- earlier rides

async function showHistory() {
  const card = find("#history");
  if (!visitors.person()) {
    card.hidden = true;
    return;
  }
  const { status, body } = await call(`/v1/rides?limit=${PAGE}`);
  if (status !== 200) return;
  card.hidden = false;
  const rows = element("tbody");
  const place = card.querySelector("div");
  if (!body.rides.length) {
    place.replaceChildren(element("p", { className: "empty" }, "No ride yet. The first one is the best."));
    return;
  }
  place.replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, ...["Requested", "From", "Unicorn", "State"].map((name) => element("th", { scope: "col" }, name)),
      element("th", { scope: "col", className: "number" }, "Receipt"))), rows));
  showRows(rows, body, place);
}

function showRows(rows, { rides, after }, place) {
  rows.append(...rides.map((each) => element("tr", {},
    element("td", {}, rideLink(each)), element("td", {}, nameOf(each.pickup)), element("td", {}, each.unicorn?.name ?? ""),
    element("td", {}, element("span", { className: `badge ${STATES[each.state].look}` }, STATES[each.state].word)),
    element("td", { className: "number" }, each.receipt ? money(each.receipt) : ""))));
  if (!after) return;
  const more = element("button", { type: "button", className: "plain" }, "Show more");
  more.addEventListener("click", async () => {
    more.disabled = true;
    const { status, body } = await call(`/v1/rides?limit=${PAGE}&after=${encodeURIComponent(after)}`);
    more.disabled = false;
    if (status !== 200) return;
    more.remove();
    showRows(rows, body, place);
  });
  place.append(more);
}

function rideLink({ id, moments }) {
  const link = element("a", { href: `?ride=${id}` }, when(moments.requested));
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(`?ride=${id}`);
  });
  return link;
}

// ---- begin

let looked;
function look(place) {
  clearTimeout(looked);
  looked = setTimeout(() => say(`Under the crosshair: ${nameOf(place)}.`), 300);
}

arrange();
try {
  [map, config] = await Promise.all([drawMap(find("#map"), { onChoose: choose, onLook: look }), openPage()]);
  const isReturning = await visitors.finishSignIn(config).catch((error) => { complain(error.message); return false; });
  if (!("RidesApiUrl" in config)) panel("No rides here", "Rides are not deployed. The start page says how to deploy them.");
  else if (!isReturning) {
    show();
    frame();
    window.addEventListener("popstate", () => show(true));
    window.addEventListener("session", () => {
      ride = null; // it is somebody else's
      show();
    });
    window.addEventListener("online", () => {
      connection("");
      if (!find("form.account")) show(); // what somebody entered stays
    });
    window.addEventListener("offline", () => connection("You are offline. A ride goes on; this page catches up when you are online again."));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && query().has("ride") && visitors.person()) follow(query().get("ride")); });
  }
} catch (error) {
  complain(error.message);
  find("#panel").hidden = true;
}
