// What every page needs: the addresses that the deployment wrote, elements, and numbers for people.

const WHOLE = new Intl.NumberFormat("en");
const SVG = "http://www.w3.org/2000/svg";

/** The stack's outputs, as `config.json` beside the pages has them. Throws with a sentence for people. */
export async function configuration() {
  const response = await fetch(new URL("../config.json", import.meta.url)).catch(() => null);
  if (!response) throw new Error("The pages' settings cannot be loaded. Check your connection, then reload the page.");
  if (!response.ok) throw new Error(`config.json: ${response.status}. Publish the pages with "make up" or "make deploy".`);
  return response.json();
}

/** Whether the suite runs on the local engine, where its commands reach it. */
export const isLocal = () => location.hostname.endsWith(".localhost");

/** 1234567 -> "1.2 MB" */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit && count < 100 ? count.toFixed(1) : WHOLE.format(Math.round(count))} ${units[unit]}`;
}

/** 1234567.4 -> "1,234,567" */
export const count = (value) => WHOLE.format(Math.round(value));

/** 0.1234 -> "12.3 %" */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** "3 hours", of milliseconds: the largest unit alone. */
export function duration(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  const [number, unit] = minutes < 60 ? [minutes, "minute"] : minutes < 2880 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 1440), "day"];
  return number === 0 ? "less than a minute" : `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** An element with properties and children; strings become text, never markup. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** The same of SVG, with attributes. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** What went wrong, above everything else of the page; nothing takes it away again. */
export function complain(message) {
  let card = document.querySelector("main > .trouble");
  if (!card) {
    card = element("p", { className: "card trouble" });
    card.setAttribute("role", "alert");
    document.querySelector("main").prepend(card);
  }
  Object.assign(card, { hidden: !message, textContent: message ?? "" });
}

/** Copy a text, and say so on the button that asked for it. */
export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it by hand";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
}
