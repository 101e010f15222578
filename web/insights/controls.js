// The form above the panels: range, zone, refresh, filters. It shows what the address says, and changes the address.
import { element } from "../shared/suite.js";
import { LOCAL_ZONE, toField } from "../shared/time.js";
import { borders, change, current, filter, FILTERS, OF_ROWS, WINDOWS, zoomToFields } from "./state.js";
import { find } from "./cards.js";

const KINDS = { people: "People", bots: "All bots", ai: "AI crawlers", search: "Search engines", seo: "SEO tools", monitor: "Monitors", tool: "Tools", preview: "Link previews", feed: "Feed readers", scanner: "Scanners" };
const kindOf = (value) => (Object.hasOwn(KINDS, value) ? KINDS[value] : value);
const seen = { distribution: new Set(), kind: new Set(Object.keys(KINDS)) }; // values that a filter may have

const form = () => find("#controls");

function options(select, values, chosen, names = {}) {
  const all = new Set([...values, ...(chosen ? [chosen] : [])]);
  select.replaceChildren(element("option", { value: "" }, "All"), ...[...all].map((value) => element("option", { value }, names[value] ?? value)));
  select.value = chosen ?? "";
}

/** Remember values of an answer, so that the form offers them. */
export function offer({ columns, rows }) {
  for (const [name, column] of [["distribution", "distribution"], ["kind", "botcategory"]]) {
    const place = columns.indexOf(column);
    if (place >= 0) for (const row of rows) if (row[place] && row[place] !== "-") seen[name].add(row[place]);
  }
  fillFilters();
}

function fillFilters() {
  const { filters } = current();
  options(form().elements.distribution, seen.distribution, filters.distribution);
  options(form().elements.kind, seen.kind, filters.kind, KINDS);
  if (document.activeElement !== form().elements.status) form().elements.status.value = filters.status ?? "";
}

/** Show the state; `application` says which controls there are. */
export function render({ hasRange, filters, refreshes, more }) {
  const { window, zone, refresh, filters: chosen, more: values } = current();
  find("#range").hidden = !hasRange;
  for (const button of form().querySelectorAll("[data-window]")) button.setAttribute("aria-pressed", String(button.dataset.window === window));
  const [from, to] = borders();
  find("#apply").hidden = true;
  if (!Number.isNaN(from)) form().elements.from.value = toField(from, zone);
  if (!Number.isNaN(to)) form().elements.to.value = toField(to, zone);
  form().elements.zone.value = zone;
  form().elements.refresh.replaceChildren(...Object.entries(refreshes).map(([value, name]) => element("option", { value }, name)));
  form().elements.refresh.value = refresh in refreshes ? refresh : "off";
  find("#filters").hidden = !filters.includes("distribution");
  fillFilters();
  for (const name of ["cluster", "minutes", "most"]) {
    find(`#controls [data-more=${name}]`).hidden = !more.includes(name);
    if (values[name]) form().elements[name].value = values[name];
  }
  const chips = Object.entries(chosen).filter(([name]) => filters.includes(name) && !OF_ROWS.includes(name)).map(([name, value]) => {
    const chip = element("button", { type: "button", className: "plain small chip", onclick: () => filter(name, null) }, `${FILTERS[name]}: ${kindOf(value)} ✕`);
    chip.setAttribute("aria-label", `Remove the filter ${FILTERS[name]}: ${kindOf(value)}`);
    return chip;
  });
  find("#chips").replaceChildren(...chips);
  find("#chips").hidden = !chips.length;
}

/** Offer the clusters that are sampled. */
export function offerClusters({ clusters, cluster }) {
  const select = form().elements.cluster;
  if (select.options.length !== clusters.length) select.replaceChildren(...clusters.map((name) => element("option", {}, name)));
  select.value = cluster;
}

/** Connect the form; `refreshNow` is what its button does, `complain` tells what is wrong with the form. */
export function connect({ refreshNow, complain }) {
  find("#range .quick").replaceChildren(...Object.entries(WINDOWS).map(([window, { name, words }]) => {
    const button = element("button", { type: "button", className: "plain", onclick: () => change({ window, from: null, to: null }) }, name);
    button.dataset.window = window;
    button.setAttribute("aria-label", `${name}: ${words}`);
    button.title = words;
    return button;
  }));
  form().elements.zone.replaceChildren(element("option", { value: "local" }, LOCAL_ZONE === "UTC" ? "Local (UTC)" : LOCAL_ZONE), element("option", { value: "utc" }, "UTC"));
  // Typing a moment is no question yet.
  find("#range").addEventListener("input", () => { find("#apply").hidden = false; });
  find("#now").addEventListener("click", refreshNow);
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    if (find("#apply").hidden) return; // Enter in another field: what changes there is asked by itself
    try {
      zoomToFields(form().elements.from.value, form().elements.to.value);
    } catch (error) {
      complain(error.message);
    }
  });
  form().addEventListener("change", ({ target: { name, value } }) => {
    if (name in FILTERS) filter(name, value);
    else if (name === "zone" || name === "refresh") change({ [name]: value });
    else if (["cluster", "minutes", "most"].includes(name)) change({ more: { ...current().more, [name]: value } });
  });
}
