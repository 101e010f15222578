// Counters of one cluster every five seconds. A slot without numbers is a gap, never a zero.
import { element } from "../shared/suite.js";
import { clock, lines, room, table } from "./charts.js";
import { empty, fill, find, follow, trouble } from "./panels.js";

const REFRESH_MS = 10_000; // each look asks CloudWatch for five metrics, $0.00005
const SLOT_S = 5;
const CHARTS = {
  RunningTask: "Running tasks", PendingTask: "Pending tasks", ActiveServices: "Active services",
  RegisteredContainerInstances: "Registered container instances",
};
const whole = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : ""); // half a task is none

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

const tell = (sentence) => fill(find("#containers .body"), empty(sentence));

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
  const every = slots(answer);
  const columns = Object.entries(CHARTS).map(([metric, title]) => [title, answer.columns.indexOf(metric)]);
  const details = element("details", {}, element("summary", {}, "Numbers"));
  details.append(table(`Counters of ${answer.cluster}, slot by slot`,
    [["Time", (row) => clock(row[0])], ...columns.map(([title, place]) => [title, (row) => row[place], true])], every.toReversed()));
  const charts = columns.map(([title]) => element("div", {}, element("h3", {}, title), element("div")));
  fill(body, element("div", { className: "grid counters" }, ...charts), details);
  columns.forEach(([title, column], index) => {
    const place = charts[index].lastChild;
    place.append(...lines(`${title} of ${answer.cluster}`, every.map((row) => [row[0], row[column]]), [title], whole, room(place)));
  });
  Object.assign(badge, { className: "badge good", textContent: `as of ${clock(answer.rows.at(-1)[0])}` });
}

/** Nothing is sampled in this deployment. */
function off() {
  find("#containers form").hidden = true;
  Object.assign(find("#containers .badge"), { className: "badge muted", textContent: "off" });
  tell("No cluster is sampled yet: deploy with ContainerMetricsClusters=<name>,<name>, and look again two minutes later.");
}

/** Follow the containers; `panel` asks the API, `mayAsk` says whether somebody sees them. Returns the first look. */
export function followContainers(panel, mayAsk) {
  return follow("#containers", REFRESH_MS, mayAsk, async (current) => {
    const cluster = find("#containers select").value;
    try {
      const answer = await panel("containers", cluster ? { cluster } : {});
      if (current()) show(answer);
    } catch (error) {
      if (!current()) return true;
      if (error.code === "unknown_panel") {
        off();
        return false;
      }
      fill(find("#containers .body"), trouble(error.message));
    }
    return true;
  });
}
