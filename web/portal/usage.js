// Usage against quota: a meter for each key, which has a quota of its own, and a column for each day.
import { room, stacks, table } from "../shared/charts.js";
import { count, element } from "../shared/suite.js";
import { isOffered } from "./plans.js";
import { dayOf, periodOf, refusal } from "./words.js";

const MONTHS = 2; // that can be chosen; API Gateway keeps 90 days
const NEAR = 0.8; // of a quota

const date = (moment) => moment.toISOString().slice(0, 10);

/** The month `back` months ago, in UTC as quotas are: { value, label, from, to, days }, until today if it is not over. */
function monthOf(back, now = new Date()) {
  const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
  const last = back ? new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)) : now;
  const label = first.toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  const days = Array.from({ length: last.getUTCDate() }, (_, at) => date(new Date(first.getTime() + at * 86_400_000)));
  return { value: date(first).slice(0, 7), label, from: days[0], to: days.at(-1), days, isOpen: !back };
}

/** Draw what the keys of who is signed in have used. */
export async function drawUsage(portal, place) {
  const [plans, keys] = await Promise.all([portal.plans(), portal.call("/v1/keys")]);
  for (const answer of [plans, keys]) if (answer.status !== 200) throw new Error(refusal(answer));
  const months = Array.from({ length: MONTHS }, (_, back) => monthOf(back));
  const offered = plans.body.plans.filter(isOffered);
  const had = new Set(keys.body.keys.map(({ plan }) => plan));
  if (!offered.length) throw new Error("There is no plan here.");
  const plan = offered.find(({ name }) => name === portal.query().get("plan")) ?? offered.find(({ name }) => had.has(name)) ?? offered[0];
  const month = months.find(({ value }) => value === portal.query().get("month")) ?? months[0];
  if (!had.has(plan.name)) {
    place.replaceChildren(choices(portal, offered, months, plan, month), element("div", { className: "card empty" },
      element("p", {}, `You have no key of the plan ${plan.title}.`), element("a", { className: "button plain", href: `?view=keys&plan=${plan.name}` }, "Create a key")));
    return;
  }
  const answer = await portal.call(`/v1/usage?${new URLSearchParams({ plan: plan.name, from: month.from, to: month.to })}`);
  if (answer.status !== 200) throw new Error(refusal(answer));
  place.replaceChildren(choices(portal, offered, months, plan, month),
    element("section", { className: "card" }, ...drawn(answer.body, keys.body.keys, month)));
}

function choices(portal, plans, months, plan, month) {
  const select = (text, options, value) => {
    const list = element("select", {}, ...options.map(([name, title]) => element("option", { value: name }, title)));
    list.value = value;
    return [list, element("label", {}, text, list)];
  };
  const [planList, planField] = select("Plan", plans.map(({ name, title }) => [name, title]), plan.name);
  const [monthList, monthField] = select("Month", months.map(({ value, label }) => [value, label]), month.value);
  const change = () => portal.go(`?view=usage&plan=${planList.value}&month=${monthList.value}`);
  for (const list of [planList, monthList]) list.addEventListener("change", change);
  return element("div", { className: "card fields" }, planField, monthField);
}

function drawn({ quota, used, days, keys: usages }, keys, month) {
  const perDay = new Map(days.map((each) => [each.day, each.used]));
  const points = month.days.map((each) => [dayOf(each), perDay.get(each) ?? 0]);
  const during = month.isOpen ? "this month" : `in ${month.label}`;
  const rows = usages.map((each) => ({ ...each, ...keys.find(({ id }) => id === each.id), used: each.used })).sort((one, other) => other.used - one.used);
  const labels = rows.map(({ name, last4, used: calls }) => [`${name} …${last4}`, calls]);
  return [
    element("p", { className: "used" }, element("strong", {}, count(used)), ` ${used === 1 ? "call" : "calls"} ${during}`),
    element("p", { className: "muted" }, quota ? `Each key has ${count(quota.limit)} calls a ${periodOf(quota.period)}.` : "This plan has no quota."),
    element("h3", {}, "By key"),
    element("ul", { className: "meters" }, ...rows.map((row) => keyUsage(row, quota, month.isOpen && quota?.period === "MONTH"))),
    element("h3", {}, "By day"),
    ...(used ? [chart(points, month.isOpen)] : [element("p", { className: "empty" }, month.isOpen ? "No call yet. The console sends the first one for you, under “Try it”." : "No call in this month.")]),
    element("details", {}, element("summary", {}, "Table"),
      table("Calls by day", [["Day (UTC)", ([label]) => label], ["Calls", ([, value]) => count(value), true]], points),
      table("Calls by key", [["Key", ([name]) => name], ["Calls", ([, value]) => count(value), true]], labels)),
  ];
}

/** Columns as wide as there is room, now and after the window has another size. */
function chart(points, isOpen) {
  const place = element("div", { className: "by-day" });
  let wide = 0;
  new ResizeObserver(() => {
    if (room(place) === wide) return;
    wide = room(place);
    const partial = (at) => (isOpen && at === points.length - 1 ? "so far" : "");
    place.replaceChildren(...stacks({ title: "Calls a day", points, names: ["Calls"], show: count, width: wide, partial }));
  }).observe(place);
  return place;
}

/** What a key has used, against its quota while that is the month's. */
function keyUsage({ name, last4, state, used }, quota, isAgainstQuota) {
  const title = element("span", { className: "name" }, name, element("span", { className: "muted" }, ` …${last4}${state === "revoked" ? ", revoked" : ""}`));
  if (!quota || !isAgainstQuota) return element("li", {}, title, element("span", { className: "number" }, `${count(used)} calls`));
  const { limit } = quota;
  const isExceeded = used >= limit;
  const bar = element("meter", { min: 0, max: limit, high: NEAR * limit, optimum: 0, value: used, className: isExceeded ? "exceeded" : "" });
  const sentence = `${count(used)} of ${count(limit)} calls`;
  bar.setAttribute("aria-label", `${name} …${last4}: ${sentence}`);
  const rest = isExceeded ? "Exceeded: its calls are refused until the quota begins anew." : `${count(limit - used)} left`;
  return element("li", {}, title, element("span", { className: "number" }, sentence), bar,
    element("span", { className: isExceeded ? "bad" : used >= NEAR * limit ? "warm" : "muted" }, rest));
}
