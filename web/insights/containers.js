// Counters of one cluster every five seconds. A slot without numbers is a gap, never a zero.
import { series, table } from "../shared/charts.js";
import { clock } from "../shared/time.js";
import { Card, empty, onDemand } from "./cards.js";
import { current } from "./state.js";

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

/** The cards of the counters, and what draws an answer into them. */
export function containerCards() {
  const cards = Object.entries(CHARTS).map(([metric, title]) => new Card(metric, title));
  return { cards, show: (answer) => show(cards, answer) };
}

/** What to say in a deployment in which nothing is sampled. */
export const OFF = "No cluster is sampled yet: deploy with ContainerMetricsClusters=<name>,<name>, and look again two minutes later.";

function show(cards, answer) {
  if (!answer.rows.length) {
    const sentence = answer.missing
      ? `${answer.cluster} has no numbers: ${answer.missing} samples are missing in the last 15 minutes. The cause of the failed executions says why.`
      : `No samples of ${answer.cluster} in the last 15 minutes. The first come two minutes after the deployment at most; if none do, look at the executions of the state machine.`;
    for (const card of cards) {
      card.pend();
      card.fill(empty(sentence));
    }
    return;
  }
  const { zone } = current();
  const every = slots(answer);
  for (const card of cards) {
    const place = answer.columns.indexOf(card.name);
    const title = `${card.title} of ${answer.cluster}`;
    const chart = series({ title, names: [card.title], points: every.map((row) => [row[0], row[place]]), show: whole, zone, step: SLOT_S, height: 150 });
    const numbers = table(title, [["Time", (row) => clock(row[0] * 1000, zone, true)], [card.title, (row) => row[place], true]], every.toReversed());
    card.fill(chart.place, onDemand(numbers, every.length, "slots"));
    card.offer({ columns: ["second", card.name], rows: every.map((row) => [row[0], row[place]]) });
    chart.draw();
  }
}
