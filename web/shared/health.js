// An application's health and what it did lately, as the overview of the API tells it: docs/insights.md, "Overview".
import { bytes, count, duration, element, percent, svg } from "./suite.js";

const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const SPARK = { width: 160, height: 36 };
const STATES = { ok: { word: "Healthy", look: "good" }, alarm: { word: "Alarm", look: "bad" }, unknown: { word: "Not known", look: "warm" } };

/** A badge that says in a word how an application is. */
export function healthBadge({ state, alarms }) {
  const firing = alarms.filter((alarm) => alarm.state === "ALARM").length;
  const { word, look } = STATES[state] ?? STATES.unknown;
  return element("span", { className: `badge ${look}` }, firing > 1 ? `${firing} alarms` : word);
}

/** A sentence with commands between backticks. */
export function prose(sentence) {
  return sentence.split("`").map((part, place) => (place % 2 ? element("code", {}, part) : part));
}

/** What is wrong, a sentence each: alarms that fire, since when; messages in dead-letter queues, and their age. */
export function whatIsWrong({ alarms, queues }) {
  const firing = alarms.filter(({ state }) => state === "ALARM")
    .map(({ description, since }) => `${description} (for ${duration(Date.now() - Date.parse(since))})`);
  const dead = queues.filter(({ messages }) => messages > 0)
    .map(({ name, messages, oldest_s: oldest }) => `${count(messages)} ${messages === 1 ? "message" : "messages"} in the dead-letter queue ${name}${oldest ? `, the oldest ${duration(1000 * oldest)} old` : ""}`);
  return [...firing, ...dead];
}

// What alarms watch, in words; ages are in the unit that the metric has.
const SECONDS = { "DeliveryToS3.DataFreshness": 1000, ApproximateAgeOfOldestMessage: 1000, IteratorAge: 1 };
const WORDS = {
  "DeliveryToS3.DataFreshness": "Age of the newest delivery", ApproximateAgeOfOldestMessage: "Oldest message", IteratorAge: "Behind the stream",
  "5XXError": "Server errors (5xx)", OnFailureDestinationDeliveredEventCount: "Batches set aside", Errors: "Failed invocations",
};

/** "RowsRejected" -> "Rows rejected" */
const inWords = (metric) => WORDS[metric] ?? metric.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function valueInWords({ metric, value }) {
  if (metric in SECONDS) return value * SECONDS[metric] < 60_000 ? `${(value * SECONDS[metric] / 1000).toFixed(value ? 1 : 0)} s` : duration(value * SECONDS[metric]);
  return metric === "5XXError" ? percent(value) : count(value);
}

/** What the alarms watch, and how it is: rejected, quarantined, ages, and the dead letters of all queues. */
function watched({ alarms, queues }) {
  const dead = queues.reduce((sum, { messages }) => sum + messages, 0);
  const found = new Map([["Dead letters", [count(dead), dead > 0]]]);
  for (const alarm of alarms) {
    if (!alarm.metric || alarm.value === null || alarm.metric === "ApproximateNumberOfMessagesVisible") continue;
    const name = `${inWords(alarm.metric)}${alarm.summed ? ", 24 h" : ""}`;
    if (found.get(name)?.[1]) continue; // of two alarms on one metric the one that fires is shown
    found.set(name, [valueInWords(alarm), alarm.state === "ALARM"]);
  }
  return element("dl", { className: "watched" }, ...[...found].map(([name, [value, isWrong]]) =>
    element("div", { className: isWrong ? "bad" : "" }, element("dt", {}, name), element("dd", {}, value))));
}

/** A strip above an application's panels: health first, then counts. */
export function healthStrip(application) {
  const wrong = whatIsWrong(application);
  const strip = element("section", { className: "card health" },
    element("div", { className: "actions" }, healthBadge(application), watched(application)),
    ...(wrong.length ? [element("ul", { className: "wrong" }, ...wrong.map((sentence) => element("li", {}, ...prose(sentence))))] : []));
  strip.setAttribute("aria-label", "Health");
  return strip;
}

/** How many of something, with small columns over time, of which the last is not complete. */
export function activity({ name, total, unit, points }) {
  const read = unit === "bytes" ? bytes : count;
  return element("div", { className: "stat" }, element("dt", {}, name), element("dd", {}, read(total), spark(name, points, read)));
}

function spark(name, points, read) {
  const most = Math.max(...points.map(([, value]) => value), 1);
  const step = SPARK.width / points.length;
  const chart = svg("svg", {
    class: "spark", viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${name} over time, at most ${read(most)} at once`,
  });
  points.forEach(([second, value], place) => {
    if (!value) return;
    const height = Math.max(1.5, (value / most) * (SPARK.height - 2));
    const column = svg("rect", { class: place === points.length - 1 ? "part" : "", x: place * step, y: SPARK.height - 1 - height, width: Math.max(step - 1, 1), height });
    column.append(svg("title", {}, `${CLOCK.format(second * 1000)}: ${read(value)}`));
    chart.append(column);
  });
  chart.append(svg("line", { x1: 0, x2: SPARK.width, y1: SPARK.height - 0.5, y2: SPARK.height - 0.5 }));
  return chart;
}
