// API portal: plans, the APIs, keys, usage, a console, subscriptions. The address says what is shown: `?view=`, with members of
// the view's own, or `?account=` a form of the account. A key's value is in this tab's memory alone, and gone with a reload.
import { accountForm, isForm, titleOf } from "../shared/account.js";
import { openPage } from "../shared/shell.js";
import { visitors } from "../shared/signin.js";
import { complain, element } from "../shared/suite.js";
import { drawCatalogue } from "./catalogue.js";
import { drawKeys } from "./keys.js";
import { drawPlans } from "./plans.js";
import { drawSubscriptions, finishRegistration, keepRegistration } from "./subscriptions.js";
import { drawConsole } from "./try.js";
import { drawUsage } from "./usage.js";
import { refusal } from "./words.js";

const TIMEOUT_MS = 30_000; // API Gateway answers within 29 s
const OFFLINE = "You are offline. What you see may be old; this page catches up when you are online again.";

const VIEWS = {
  plans: { title: "Plans", draw: drawPlans },
  apis: { title: "APIs", draw: drawCatalogue },
  keys: { title: "Your keys", draw: drawKeys, why: "Sign in to make keys, and to see the ones you have." },
  usage: { title: "Usage", draw: drawUsage, why: "Sign in to see what your keys have used." },
  try: { title: "Try it", draw: drawConsole },
  subscriptions: { title: "Subscriptions", draw: drawSubscriptions, why: "Sign in to see your subscriptions on AWS Marketplace." },
};

const find = (selector) => document.querySelector(selector);
const query = () => new URLSearchParams(location.search);

/**
 * What the views share. `call` asks the portal's API in the name of who is signed in, `open` without one: `{ status, body }`,
 * status 0 if no answer came. `secret` is the key that was made or entered last: `{ name, value, made }`.
 */
const portal = { config: {}, secret: null, query, call, open, go, say, person: visitors.person, plans: () => open("/v1/plans"), document: documentOf };

async function call(path, request = {}) {
  return answered(() => visitors.ask(`${portal.config.PortalApiUrl}${path}`, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) }));
}

async function open(path) {
  return answered(async () => {
    const response = await fetch(`${portal.config.PortalApiUrl}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { status: response.status, body: await response.json() };
  });
}

async function answered(ask) {
  try {
    const answer = await ask();
    connection("");
    return answer;
  } catch {
    connection(navigator.onLine ? "The portal cannot be reached. Check your connection, then try again." : OFFLINE);
    return { status: 0, body: {} };
  }
}

const documents = new Map(); // of APIs, by name

/** An API's OpenAPI document. Throws with a sentence for people. */
async function documentOf(name) {
  if (!documents.has(name)) {
    const response = await fetch(`apis/${name}.json`, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null);
    if (!response?.ok) throw new Error("An API's document cannot be loaded. Reload the page.");
    documents.set(name, await response.json());
  }
  return documents.get(name);
}

function connection(sentence) {
  const card = find("#connection");
  card.hidden = !sentence;
  if (card.textContent !== sentence) card.textContent = sentence;
}

function say(sentence, look = "") {
  const place = find("#sentence");
  place.className = look;
  if (place.textContent !== sentence) place.textContent = sentence; // else it would be read out again
}

/** Show something else, at an address of its own. */
function go(search) {
  history.pushState(null, "", search || location.pathname);
  show(true);
}

let turns = 0; // how often something else was shown

/** Show what the address says. A view that somebody has left goes on drawing where nobody sees it. */
async function show(isMoved = false) {
  turns += 1;
  const turn = turns;
  const account = query().get("account");
  const name = query().get("view") in VIEWS ? query().get("view") : "plans";
  const view = VIEWS[name];
  const isAccount = account && isForm(account) && !visitors.person();
  const title = isAccount ? titleOf(account) : view.title;
  say("");
  find("#view-title").textContent = title;
  document.title = `${title} – API portal`;
  for (const link of document.querySelectorAll("#views a")) {
    if (!isAccount && link.search === (name === "plans" ? "" : `?view=${name}`)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (isMoved) find("#view-title").focus();
  drawRegistration();
  if (isAccount) {
    find("#content").replaceChildren(element("div", { className: "card" }, ...accountForm(account, portal.config, { go: (next) => go(`?account=${next}`), signIn: leave })));
    return;
  }
  if (view.why && !visitors.person()) {
    find("#content").replaceChildren(element("div", { className: "card" }, ...invitation(view.why)));
    return;
  }
  const place = element("div", { className: "view" });
  if (name !== "plans" || isMoved) place.append(element("span", { className: "card skeleton tall" }));
  if (place.children.length) find("#content").replaceChildren(place);
  try {
    await view.draw(portal, place);
  } catch (error) {
    place.replaceChildren(trouble(error.message));
  }
  if (turn === turns && !place.isConnected) find("#content").replaceChildren(place);
}

/** What a view shows in place of what it could not have. */
function trouble(sentence) {
  return element("div", { className: "card trouble" }, element("p", {}, sentence),
    element("div", { className: "actions" }, element("button", { type: "button", className: "plain", onclick: () => show() }, "Try again")));
}

function invitation(sentence) {
  return [element("p", {}, sentence), element("div", { className: "actions" },
    element("button", { type: "button", onclick: leave }, "Sign in"),
    element("button", { type: "button", className: "plain", onclick: () => go("?account=register") }, "Create an account"),
    element("button", { type: "button", className: "plain", onclick: () => go("?account=forgot") }, "Forgotten password"))];
}

/** Leave for the sign-in; who comes back is where they were, but at no form. */
function leave() {
  if (query().has("account")) history.replaceState(null, "", "?view=keys");
  visitors.signIn(portal.config);
}

/** What AWS Marketplace sent somebody here for: it waits until they have an account, then it is finished. */
function drawRegistration() {
  finishRegistration(portal, find("#registration"), invitation);
}

// ---- begin

keepRegistration();
try {
  portal.config = await openPage();
  const isReturning = await visitors.finishSignIn(portal.config).catch((error) => { complain(error.message); return false; });
  if (!("PortalApiUrl" in portal.config)) {
    find("#content").replaceChildren(element("p", { className: "card empty" }, "The API portal is not deployed. The start page says how to deploy it."));
  } else if (!isReturning) {
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("main a[href^='?']");
      if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      go(link.search);
    });
    window.addEventListener("popstate", () => show(true));
    window.addEventListener("session", () => { portal.secret = null; show(); });
    window.addEventListener("online", () => {
      connection("");
      if (!find("#content form:focus-within")) show(); // else what somebody fills in would be gone
    });
    window.addEventListener("offline", () => connection(OFFLINE));
    await show();
  }
} catch (error) {
  complain(error.message);
  find("#content").replaceChildren();
}
