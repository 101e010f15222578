// Sentences of the page: limits, states, and what the portal refused.
import { count } from "../shared/suite.js";
import { day, stamp } from "../shared/time.js";

const PERIODS = { DAY: "day", WEEK: "week", MONTH: "month" };
const APIS = { images: "Images", rides: "Rides", auth: "Authentication", event_hub: "Event hub", api_portal: "API portal" };

/** An API's name for people. */
export const apiTitle = (name) => APIS[name] ?? name;

/** { rate: 10, burst: 20 } -> "10 calls a second, bursts of 20"; null is any number */
export function rateOf({ rate, burst }) {
  if (rate === null) return "Not limited";
  return `${count(rate)} ${rate === 1 ? "call" : "calls"} a second, bursts of ${count(burst)}`;
}

/** "MONTH" -> "month" */
export const periodOf = (period) => PERIODS[period] ?? String(period).toLowerCase();

/** What a plan costs. */
export function priceOf({ name, sold, meter }) {
  if (name === "free") return { word: "Free", look: "good", sentence: "No charge, no subscription: an account is enough." };
  if (!sold) return { word: "Not sold here", look: "muted", sentence: "This deployment has no product on AWS Marketplace for this plan." };
  return { word: "AWS Marketplace", look: "", sentence: meter === "gateway"
    ? "Metered by API Gateway; the price of a call is on the plan's listing."
    : "Metered hour by hour; the price of a call is on the plan's listing." };
}

/** A key's state, for people: { word, look, sentence }. */
export function keyState({ state, ends }, now = Date.now()) {
  if (state === "revoked") return { word: "Revoked", look: "muted", sentence: "It is refused." };
  if (state === "creating") return { word: "Unfinished", look: "warm", sentence: "It was not finished, and does not work. Revoke it, and make another one." };
  if (ends && 1000 * ends <= now) return { word: "Ending", look: "warm", sentence: "It has been replaced, and is being revoked." };
  if (ends) return { word: "Replaced", look: "warm", sentence: `It works until ${when(1000 * ends)}.` };
  return { word: "Active", look: "good", sentence: "" };
}

export const SUBSCRIPTION_STATES = {
  pending: { word: "Pending", look: "warm", sentence: "AWS Marketplace has not confirmed it yet. That takes some minutes." },
  active: { word: "Active", look: "good", sentence: "" },
  ending: { word: "Ending", look: "warm", sentence: "It was cancelled. Its keys are revoked; what was called until then is billed." },
  ended: { word: "Ended", look: "muted", sentence: "Its keys are revoked." },
  failed: { word: "Failed", look: "bad", sentence: "AWS Marketplace could not set it up. Nothing is charged; subscribe again there." },
};

/** When, for people; `moment` is in milliseconds since the epoch. */
export const when = (moment) => stamp(moment, "local");

/** "2026-11-28" -> "28 Nov" */
export const dayOf = (date) => day(Date.parse(`${date}T00:00:00Z`), "utc");

/** "2026-11-28T03" -> "28 Nov 2026, 03:00" (UTC) */
export const hourOf = (hour) => stamp(Date.parse(`${hour}:00:00Z`), "utc");

const REFUSALS = {
  busy: "That is being done at this moment. Try again in a moment.",
  expired_token: "This registration has expired. Open the product on AWS Marketplace, and choose \"Set up your account\" once more.",
  invalid_token: "AWS Marketplace does not know this registration, or it was used before. Open the product there, and choose \"Set up your account\" once more.",
  not_active: "This key is not active, or another one has taken its place already. Reload the page.",
  not_found: "That is not there any more.",
  not_sold: "This plan is not sold here.",
  not_subscribed: "You have no active subscription to this plan. Subscribe on AWS Marketplace first.",
  only_on_aws: "API Gateway makes SDKs on AWS alone.",
  other_request: "There is a key with this id already. Reload the page, and try again.",
  other_visitor: "Another account has registered this subscription. Sign in with that one.",
  throttled: "There are too many requests just now. Try again in a moment.",
  too_many_keys: "You have as many keys as you may. Revoke one first.",
  unknown_key: "You have no such key.",
  unknown_plan: "There is no such plan any more. Reload the page.",
  unknown_product: "This subscription is to a product that is not sold here. Write to the seller.",
  wrong_meter: "This plan's meter is set up wrongly. An operator has to see to it.",
};

/** A sentence for an answer that is no success. */
export function refusal({ status, body }) {
  if (status === 0) return navigator.onLine ? "No answer came. Try again." : "You are offline. Try again when you are online.";
  return REFUSALS[body?.code] ?? (status >= 500 ? "The portal cannot answer just now. Try again in a moment." : body?.message ?? "That was refused.");
}
