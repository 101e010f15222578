// Live traffic of the last minutes. The newest seconds, which another window may still add to, are left out.
import { bars, room, series, table } from "../shared/charts.js";
import { bytes, count, element, percent } from "../shared/suite.js";
import { clock } from "../shared/time.js";
import { Card, empty, onDemand } from "./cards.js";
import { current } from "./state.js";

const BARS = 10;

/** All seconds up to the last whose counts are complete, with zeros where nothing came. */
function filled({ rows, complete_until: last }, minutes) {
  const known = new Map(rows.map(([second, ...values]) => [second, values]));
  const first = Math.max(Math.min(rows[0][0], last), last - 60 * minutes + 1);
  return Array.from({ length: last - first + 1 }, (_, place) => [first + place, ...(known.get(first + place) ?? [0, 0, 0])]);
}

/** The cards of live traffic, and what draws an answer into them. */
export function liveCards() {
  const cards = Object.fromEntries([
    ["seconds", "Requests per second", true], ["sent", "Bytes per second", true],
    ["distributions", "Bytes by distribution"], ["locations", "Bytes by edge location"], ["bots", "Heaviest bots"], ["viewers", "Top 50 viewers of the minute"],
  ].map(([name, title, wide]) => [name, new Card(name, title, { wide })]));
  return { cards: Object.values(cards), show: (answer, hint) => show(cards, answer, hint) };
}

function show(cards, answer, hint) {
  if (!answer.seconds.rows.length) {
    for (const card of Object.values(cards)) {
      card.pend();
      card.fill(empty(`No requests in the last minutes. ${hint}`));
    }
    return;
  }
  showSeconds(cards, answer);
  for (const [name, heading] of [["distributions", "Distribution"], ["locations", "Edge location"]]) {
    const { rows } = answer[name]; // most bytes first, and last all others together
    const title = `Bytes by ${heading.toLowerCase()}`;
    const columns = [[heading, (row) => row[0]], ["Requests", (row) => count(row[1]), true], ["Bytes", (row) => bytes(row[2]), true]];
    fillBars(cards[name], title, rows.map(([key, , sent]) => [key, sent]), bytes, columns, answer[name]);
  }
  if (answer.bots.rows.length) {
    const columns = [["Address", (row) => row[0]], ["Edge", (row) => row[1]], ["Distribution", (row) => row[2]], ["Requests", (row) => count(row[3]), true], ["Bytes", (row) => bytes(row[4]), true]];
    fillBars(cards.bots, "Requests of bots", answer.bot_addresses.rows, count, columns, answer.bots);
  } else cards.bots.fill(empty("No bots in the last minutes."));
  showViewers(cards.viewers, answer.viewers);
}

function fillBars(card, title, rows, show, columns, answer) {
  card.fill(bars({ title, rows: rows.slice(0, BARS), show, width: room(card.body, 700) }), onDemand(table(title, columns, answer.rows), answer.rows.length));
  card.offer(answer);
}

function showSeconds(cards, { totals, seconds: answer }) {
  const { zone, more } = current();
  const seconds = filled(answer, Number(more.minutes ?? 3));
  const at = (row) => clock(row[0] * 1000, zone, true);
  const draw = (card, title, names, points, read, columns, before = []) => {
    const chart = series({ title, names, points, show: read, zone, step: 1, height: 170 });
    card.fill(...before, chart.place, onDemand(table(title, [["Time", at], ...columns], seconds.toReversed()), seconds.length, "seconds"));
    card.offer(answer);
    chart.draw();
  };
  const stats = [["Requests", count(totals.requests)], ["From bots", percent(totals.bot_requests / Math.max(1, totals.requests))], ["Sent", bytes(totals.sent)], ["Late", count(totals.late)]];
  draw(cards.seconds, "Requests per second", ["Requests", "From bots"], seconds.map(([second, requests, , bots]) => [second, requests, bots]), count,
    [["Requests", (row) => count(row[1]), true], ["From bots", (row) => count(row[3]), true]],
    [element("dl", { className: "stats", id: "totals" }, ...stats.map(([name, value]) => element("div", { className: "stat" }, element("dt", {}, name), element("dd", {}, value))))]);
  draw(cards.sent, "Bytes per second", ["Bytes"], seconds.map(([second, , sent]) => [second, sent]), bytes, [["Bytes", (row) => bytes(row[2]), true]]);
}

function showViewers(card, viewers) {
  if (!viewers.rows.length) {
    card.fill(empty("No viewers yet."));
    return;
  }
  fillBars(card, "Requests of viewers", viewers.rows, count, [["Address", (row) => row[0]], ["Requests", (row) => count(row[1]), true]], viewers);
  card.note.textContent = `Minute of ${clock(viewers.minute * 1000, current().zone)}${viewers.complete ? "" : ", so far"}; ${viewers.error ? `counts may be too low by at most ${count(viewers.error)}` : "exact"}`;
}
