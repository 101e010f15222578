// Counters of one cluster every five seconds. A slot without numbers is a gap, never a zero.
import { element } from "../shared/suite.js";
import { clock, lines, room, table } from "./charts.js";

const REFRESH_MS = 10_000; // each look asks CloudWatch for five metrics, $0.00005
const SLOT_S = 5;
const CHARTS = {
  RunningTask: "Running tasks", PendingTask: "Pending tasks", ActiveServices: "Active services",
  RegisteredContainerInstances: "Registered container instances",
};
const find = (selector) => document.querySelector(selector);
const whole = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : ""); // half a task is none

let timer;
let asked = 0;

/** Every slot since `since`: [second, values...], null where nothing was published. */
function slots({ rows, since, as_of: asOf }) {
  const known = new Map(rows.map(([second, ...values]) => [second, values]));
  const newest = Math.floor(Date.parse(asOf) / 1000 / SLOT_S) * SLOT_S;
  // The present slot may be on its way: it is no gap yet.
  const last = known.has(newest) ? newest : newest - SLOT_S;
  return Array.from({ length: (last - since) / SLOT_S }, (_, place) => {
    const second = since + SLOT_S * (place + 1);
    return [second, ...(known.get(second) ?? Object.keys(CHARTS).map(() => null))];
  });
}

function tell(...sentences) {
  find("#containers .body").replaceChildren(...sentences.map((text) => element("p", { className: "muted empty" }, text)));
}

function show(answer) {
  const choice = find("#containers select");
  if (choice.options.length !== answer.clusters.length) {
    choice.replaceChildren(...answer.clusters.map((name) => element("option", {}, name)));
    choice.value = answer.cluster;
  }
  const badge = find("#containers .badge");
  if (!answer.rows.length) {
    Object.assign(badge, { className: "badge muted", textContent: "waiting for samples" });
    tell(answer.missing
      ? `${answer.cluster} has no numbers: ${answer.missing} samples are missing in the last 15 minutes. The cause of the failed executions says why.`
      : `No samples of ${answer.cluster} in the last 15 minutes. The first come two minutes after the deployment at most; if none do, look at the executions of the state machine.`);
    return;
  }
  const body = find("#containers .body");
  const before = body.querySelector(".scroll")?.scrollTop ?? 0;
  const open = body.querySelector("details")?.open ?? false;
  const every = slots(answer);
  const columns = Object.entries(CHARTS).map(([metric, title]) => [title, answer.columns.indexOf(metric)]);
  const details = element("details", { open }, element("summary", {}, "Numbers"));
  details.append(table(`Counters of ${answer.cluster}, slot by slot`,
    [["Time", (row) => clock(row[0])], ...columns.map(([title, place]) => [title, (row) => row[place], true])], every.toReversed()));
  const charts = columns.map(([title]) => element("div", {}, element("h3", {}, title), element("div")));
  body.replaceChildren(element("div", { className: "grid counters" }, ...charts), details);
  columns.forEach(([title, column], index) => {
    const place = charts[index].lastChild;
    place.append(...lines(`${title} of ${answer.cluster}`, every.map((row) => [row[0], row[column]]), [title], whole, room(place)));
  });
  body.querySelector(".scroll").scrollTop = before;
  Object.assign(badge, { className: "badge good", textContent: `as of ${clock(answer.rows.at(-1)[0])}` });
}

/** Nothing is sampled in this deployment. */
function off() {
  find("#containers form").hidden = true;
  Object.assign(find("#containers .badge"), { className: "badge muted", textContent: "off" });
  tell("No cluster is sampled yet: deploy with ContainerMetricsClusters=<name>,<name>, and look again two minutes later.");
}

/** Ask for the panel now and every ten seconds; `panel` asks the API, `mayAsk` says whether somebody is signed in. */
export async function followContainers(panel, mayAsk) {
  clearTimeout(timer);
  asked += 1;
  const mine = asked;
  const cluster = find("#containers select").value;
  try {
    if (!document.hidden && mayAsk()) {
      const answer = await panel("containers", cluster ? { cluster } : {});
      if (mine !== asked) return; // somebody chose another cluster meanwhile
      show(answer);
    }
  } catch (error) {
    if (mine !== asked) return;
    if (error.code === "unknown_panel") {
      off();
      return;
    }
    find("#containers .body").replaceChildren(element("p", { className: "bad", role: "alert" }, error.message));
  }
  if (mayAsk()) timer = setTimeout(followContainers, REFRESH_MS, panel, mayAsk);
}

/** Make the choice work. */
export function prepareContainers(panel, mayAsk) {
  find("#containers form").addEventListener("change", () => followContainers(panel, mayAsk));
  document.addEventListener("visibilitychange", () => { if (!document.hidden && mayAsk()) followContainers(panel, mayAsk); });
}
