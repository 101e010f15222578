// Subscriptions on AWS Marketplace: the registration that begins there and ends here, and what was metered.
import { table } from "../shared/charts.js";
import { count, element } from "../shared/suite.js";
import { hourOf, refusal, SUBSCRIPTION_STATES, when } from "./words.js";

const TOKEN = "portal.registration"; // in sessionStorage, until it is redeemed
const RECORDS = { pending: "To be sent", sent: "Sent", failed: "Failed" };
let isSending = false;

/** Take the token out of the address, where AWS Marketplace's redirect left it: it is good once, and nobody else's. */
export function keepRegistration() {
  const token = new URLSearchParams(location.hash.slice(1)).get("registration");
  if (!token) return;
  sessionStorage.setItem(TOKEN, token);
  history.replaceState(null, "", location.pathname + location.search);
}

/**
 * Ask whoever is signed in whether the purchase is theirs: a token may come from somebody else's link, and a subscription
 * belongs to who registers it. Signed out, ask to sign in.
 */
export function finishRegistration(portal, card, invitation) {
  if (!sessionStorage.getItem(TOKEN) || isSending) return;
  const person = portal.person();
  if (!person) {
    const sentence = "AWS Marketplace sent you here. Sign in, or create an account, and the subscription is yours.";
    fill(card, "Finish your subscription", ...(portal.query().has("account") ? [element("p", {}, sentence)] : invitation(sentence)));
    return;
  }
  fill(card, "Finish your subscription", element("p", {}, `AWS Marketplace sent you here. If you have just subscribed there, the subscription will belong to ${person.email}, and to nobody else.`),
    element("div", { className: "actions" }, element("button", { type: "button", onclick: () => redeem(portal, card, invitation) }, "Register the subscription"), close(card)));
}

/** Redeem the token that is kept; the card says how it goes. */
async function redeem(portal, card, invitation) {
  const token = sessionStorage.getItem(TOKEN);
  if (!token || isSending) return;
  isSending = true;
  fill(card, "Finishing your subscription", element("span", { className: "skeleton" }));
  const answer = await portal.call("/v1/registrations", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
  isSending = false;
  if (answer.status === 401) { // the sign-in has ended; the token is kept
    finishRegistration(portal, card, invitation);
    return;
  }
  const isKept = answer.status === 0 || answer.status === 429 || answer.status >= 500;
  if (!isKept) sessionStorage.removeItem(TOKEN);
  if (answer.status === 200 || answer.status === 201) {
    const { plan, state } = answer.body.subscription;
    fill(card, "You are subscribed", element("p", {}, state === "active" ? "Create a key of the plan, and begin." : SUBSCRIPTION_STATES[state].sentence),
      element("div", { className: "actions" }, ...(state === "active" ? [element("a", { className: "button", href: `?view=keys&plan=${plan}` }, "Get a key")] : []), close(card)));
    portal.go("?view=subscriptions");
  } else {
    fill(card, "The subscription is not finished", element("p", { className: "bad" }, refusal(answer)), element("div", { className: "actions" },
      ...(isKept ? [element("button", { type: "button", onclick: () => redeem(portal, card, invitation) }, "Try again")] : []), close(card)));
  }
}

function fill(card, title, ...children) {
  card.replaceChildren(element("h2", { id: "registration-title" }, title), ...children);
  card.hidden = false;
}

/** What is not redeemed is then forgotten, too: AWS Marketplace sends another token. */
function close(card) {
  return element("button", { type: "button", className: "plain", onclick: () => { sessionStorage.removeItem(TOKEN); card.hidden = true; } }, "Close");
}

/** Draw the subscriptions of who is signed in. */
export async function drawSubscriptions(portal, place) {
  const [plans, answer] = await Promise.all([portal.plans(), portal.call("/v1/subscriptions")]);
  for (const each of [plans, answer]) if (each.status !== 200) throw new Error(refusal(each));
  const titles = Object.fromEntries(plans.body.plans.map(({ name, title }) => [name, title]));
  const isSelling = plans.body.plans.some(({ name, sold }) => name !== "free" && sold);
  const { subscriptions } = answer.body;
  place.replaceChildren(...(subscriptions.length ? subscriptions.map((each) => card(each, titles)) : [element("div", { className: "card empty" },
    element("p", {}, isSelling ? "No subscription yet. Subscribe to a plan on AWS Marketplace: from there you come back here." : "No subscription, and no plan is sold here. The free plan needs none."),
    element("a", { className: "button plain", href: "?" }, "See the plans"))]));
}

function card({ id, plan, state, since, until, usage }, titles) {
  const { word, look, sentence } = SUBSCRIPTION_STATES[state];
  const facts = [["Since", when(1000 * since)], ...(until ? [[state === "ended" ? "Ended" : "Until", when(1000 * until)]] : []), ["Number", id]];
  const total = usage.reduce((sum, { quantity }) => sum + quantity, 0);
  return element("article", { className: "card subscription" },
    element("div", { className: "top" }, element("h3", {}, titles[plan] ?? plan), element("span", { className: `badge ${look}` }, word)),
    element("dl", { className: "watched" }, ...facts.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text)))),
    ...(sentence ? [element("p", { className: "muted" }, sentence)] : []),
    ...(usage.length ? [element("details", {}, element("summary", {}, `Metered: ${count(total)} calls in ${usage.length} ${usage.length === 1 ? "hour" : "hours"}`),
      table(`Metered hours of ${id}`, [["Hour (UTC)", ({ hour }) => hourOf(hour)], ["Calls", ({ quantity }) => count(quantity), true], ["To AWS Marketplace", (each) => RECORDS[each.state] ?? each.state]], usage))]
      : [element("p", { className: "muted" }, "Nothing was metered yet.")]),
    ...(state === "active" ? [element("div", { className: "actions" }, element("a", { className: "button plain", href: `?view=keys&plan=${plan}` }, "Get a key"))] : []));
}
