// A panel's card: heading, what can be done with its numbers, the place where they are drawn.
import { bytes, count, element, isLocal, percent } from "../shared/suite.js";
import { stamp } from "../shared/time.js";
import { showInAthena } from "./athena.js";
import { download } from "./csv.js";
import { current } from "./state.js";

const RATIO = /^(rate|share|ratio)/;
const KINDS = { "-": "People", ai: "AI crawlers", search: "Search engines", seo: "SEO tools", monitor: "Monitors", tool: "Tools", preview: "Link previews", feed: "Feed readers", scanner: "Scanners", other: "Other bots" };

export const find = (selector) => document.querySelector(selector);
export const isRatio = (column) => RATIO.test(column);

/** How a value of a column reads. */
export function readable(column, value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return (isRatio(column) ? percent : /bytes/.test(column) ? bytes : column === "status" ? String : count)(value);
  if (/^\d{4}-\d\d-\d\dT[\d:]+Z$/.test(value)) return stamp(Date.parse(value), current().zone, true);
  return column === "botcategory" && Object.hasOwn(KINDS, value) ? KINDS[value] : value;
}

/** A sentence where there are no numbers, and perhaps a command. */
export function empty(sentence, command) {
  return element("p", { className: "empty" }, sentence, ...(command ? [" ", element("code", {}, command)] : []));
}

/** What is missing locally is made by a command; on AWS something has to be done. */
export const hintOf = (next) => (isLocal() ? `Run ${next.local} to make some.` : `${next.aws}.`);

/** What went wrong with one panel alone. */
export function trouble(message) {
  const made = element("p", { className: "bad" }, message);
  made.setAttribute("role", "alert");
  return made;
}

const focusable = (place) => [...place.querySelectorAll("summary, [tabindex]")];
const skeleton = () => element("span", { className: "skeleton tall" });

/** A card, empty until `fill`; `answer` of it, once there is one, is what CSV and Athena are about. */
export class Card {
  constructor(name, title, { wide = false } = {}) {
    this.name = name;
    this.answer = null;
    this.body = element("div", { className: "body" }, skeleton());
    this.actions = element("div", { className: "card-actions" });
    this.note = element("p", { className: "muted note" });
    this.place = element("article", { className: wide ? "card wide" : "card" }, element("div", { className: "top" }, element("h2", {}, title), this.actions), this.body, this.note);
    this.place.dataset.panel = name;
    this.title = title;
  }

  /** Say that another question is being asked: what is there answers an older one. */
  pend() {
    this.answer = null;
    this.actions.replaceChildren();
    this.note.replaceChildren();
    this.body.replaceChildren(skeleton());
  }

  /** Replace what the card shows; a reader's place in a table survives it, and so does the keyboard's focus. */
  fill(...content) {
    const place = focusable(this.body).indexOf(document.activeElement);
    const { scrollTop = 0 } = this.body.querySelector(".scroll") ?? {};
    const isOpen = this.body.querySelector("details")?.open;
    this.body.replaceChildren(...content);
    const details = this.body.querySelector("details");
    if (isOpen && details) details.open = true; // what came may have none
    const scroll = this.body.querySelector(".scroll");
    if (scroll && scrollTop) scroll.scrollTop = scrollTop; // which has the page laid out at once
    if (place >= 0) focusable(this.body)[place]?.focus();
  }

  /** Offer the numbers: `columns` and `rows` as CSV, and the query in Athena if there was one. */
  offer(answer, { columns, rows } = answer) {
    this.answer = answer;
    const button = (text, label, click) => {
      const made = element("button", { type: "button", className: "bare small", onclick: click }, text);
      made.setAttribute("aria-label", `${this.title}: ${label}`);
      return made;
    };
    const { activeElement } = document;
    const focused = [...this.actions.children].indexOf(activeElement);
    this.actions.replaceChildren(
      button("CSV", "download as CSV", () => download(`${current().app}-${this.name}`, columns, rows)),
      ...(answer.athena ? [button("Athena", "open in Athena", () => showInAthena(this.title, answer))] : []));
    if (focused >= 0) this.actions.children[focused]?.focus();
  }
}

/** A table behind a summary, for who wants the numbers. */
export function onDemand(table, rows, words = "rows") {
  return element("details", {}, element("summary", {}, `Table, ${count(rows)} ${rows === 1 ? words.replace(/s$/, "") : words}`), table);
}
