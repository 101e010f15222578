// What the sections of the page have in common: filling a panel, summing its rows, looking again and again.
import { element } from "../shared/suite.js";

export const find = (selector) => document.querySelector(selector);

/** A sentence where there are no numbers. */
export const empty = (text) => element("p", { className: "muted empty" }, text);

/** What went wrong, where the numbers would be. */
export const trouble = (message) => element("p", { className: "bad", role: "alert" }, message);

/** Replace what a panel shows; a reader's place in a table survives it. */
export function fill(body, ...content) {
  const before = body.querySelector(".scroll")?.scrollTop ?? 0;
  const open = body.querySelector("details")?.open;
  body.replaceChildren(...content);
  const details = body.querySelector("details");
  if (open && details) details.open = true; // what came may have none
  const scroll = body.querySelector(".scroll");
  if (scroll) scroll.scrollTop = before;
}

/** Sum a table's rows by one column: [name, sum], highest first, equal ones by name. */
export function grouped(rows, name, value) {
  const sums = new Map();
  for (const row of rows) sums.set(row[name], (sums.get(row[name]) ?? 0) + row[value]);
  return [...sums].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
}

/**
 * Make a section that is looked at when its form changes, when the page is seen again, and every so often in between.
 * `mayAsk` says whether somebody is signed in who sees it. `look(current)` asks and shows; once `current()` is false
 * somebody chose something else meanwhile, and nothing may be shown any more; false ends it. Returns the first look.
 */
export function follow(section, everyMs, mayAsk, look) {
  let timer;
  let asked = 0;
  async function again() {
    clearTimeout(timer);
    asked += 1;
    const mine = asked;
    const current = () => mine === asked;
    if (!document.hidden && mayAsk() && await look(current) === false) return;
    if (current() && mayAsk()) timer = setTimeout(again, everyMs);
  }
  find(`${section} form`).addEventListener("change", again);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && mayAsk()) again(); });
  return again;
}
