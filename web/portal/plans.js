// Plans: what each allows, what it costs, and how to have it.
import { count, element } from "../shared/suite.js";
import { apiTitle, periodOf, priceOf, rateOf, refusal } from "./words.js";

const STEPS = [
  ["Create an account", "Your address and a password. Free, and one for the whole suite."],
  ["Create a key", "Pick a plan, name the key, and copy its value: it is shown once."],
  ["Call an API", "Send the key as x-api-key. The console here does it for you."],
];

/** Whether somebody can have keys of a plan, with a subscription if it is sold. */
export const isOffered = ({ name, sold }) => name === "free" || sold;

/** Draw the plans. */
export async function drawPlans(portal, place) {
  const answer = await portal.plans();
  if (answer.status !== 200) throw new Error(refusal(answer));
  place.replaceChildren(
    element("ol", { className: "way" }, ...STEPS.map(([title, text]) => element("li", { className: "card" },
      element("strong", {}, title), element("span", { className: "muted" }, text)))),
    answer.body.plans.length ? element("div", { className: "plans" }, ...answer.body.plans.map(card))
      : element("p", { className: "card empty" }, "There is no plan here: neither the image resizer nor the rides are deployed."));
}

function card(plan) {
  const { name, title, description, apis, throttle, quota } = plan;
  const price = priceOf(plan);
  const facts = [
    ["Rate", rateOf(throttle)],
    ["Price", price.sentence],
  ];
  return element("article", { className: `card plan${isOffered(plan) ? "" : " faded"}`, id: `plan-${name}` },
    element("div", { className: "top" }, element("h3", {}, title), element("span", { className: `badge ${price.look}` }, price.word)),
    element("p", { className: "muted" }, description),
    element("p", { className: "quota" }, element("strong", {}, quota ? count(quota.limit) : "Any number of"), quota ? ` calls a ${periodOf(quota.period)} per key` : " calls"),
    element("ul", { className: "chips" }, ...apis.map((api) => element("li", {}, element("a", { href: `?view=apis&api=${api}` }, apiTitle(api))))),
    element("dl", { className: "facts" }, ...facts.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text)))),
    element("div", { className: "actions" }, ...actions(plan)));
}

function actions(plan) {
  if (!isOffered(plan)) return [element("span", { className: "muted" }, "No keys of this plan can be made.")];
  const key = (isFirst) => element("a", { className: isFirst ? "button" : "button plain", href: `?view=keys&plan=${plan.name}` }, "Get a key");
  if (plan.name === "free") return [key(true)];
  return [...(plan.listing ? [element("a", { className: "button", href: plan.listing, target: "_blank", rel: "noopener" }, "Subscribe")] : []), key(!plan.listing)];
}
