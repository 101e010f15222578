// Charts as plain SVG. Each has a name for who cannot see it, and stands beside a table of the same numbers.
import { element } from "../shared/suite.js";

const SVG = "http://www.w3.org/2000/svg";
const CLASSES = ["first", "second"];

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The next round number: 1, 2 or 5 times a power of ten. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/** Points of one line between its gaps: a list of lists of [second, value]. */
function runs(points, place) {
  const found = [[]];
  for (const [second, ...values] of points) {
    if (values[place] === null) found.push([]);
    else found.at(-1).push([second, values[place]]);
  }
  return found.filter((run) => run.length);
}

/** Lines over time: `points` are [second, value or null, ...], `names` the lines' names, `show` makes a value readable. */
export function lines(title, points, names, show, width = 900) {
  const [height, left, bottom] = [220, 62, 22];
  const top = ceiling(Math.max(...points.flatMap(([, ...values]) => values)));
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (second) => left + ((second - first) / Math.max(1, last - first)) * (width - left - 12);
  const y = (value) => 8 + (1 - value / top) * (height - 8 - bottom);
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}, ${clock(first)} to ${clock(last)}` });
  for (const share of [0, 0.5, 1]) {
    chart.append(
      svg("line", { class: "grid-line", x1: left, x2: width - 12, y1: y(top * share), y2: y(top * share) }),
      svg("text", { x: left - 8, y: y(top * share) + 4, "text-anchor": "end" }, show(top * share)));
  }
  for (const [second, anchor] of last > first ? [[first, "start"], [last, "end"]] : [[first, "start"]]) {
    chart.append(svg("text", { x: x(second), y: height - 6, "text-anchor": anchor }, clock(second)));
  }
  names.forEach((name, place) => {
    const paths = runs(points, place).map((run) => ({
      // A lone point is a line of no length, which its round ends make a dot.
      line: [...run, ...(run.length < 2 ? run : [])].map(([second, value], index) => `${index ? "L" : "M"}${x(second).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
      foot: `L${x(run.at(-1)[0]).toFixed(1)} ${y(0)}L${x(run[0][0]).toFixed(1)} ${y(0)}Z`,
    }));
    chart.append(
      svg("path", { class: `area ${CLASSES[place]}`, d: paths.map(({ line, foot }) => line + foot).join("") }),
      svg("path", { class: `line ${CLASSES[place]}`, d: paths.map(({ line }) => line).join("") }, svg("title", {}, name)));
  });
  if (names.length < 2) return [chart];
  const legend = names.map((name, place) =>
    element("li", {}, svg("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, svg("path", { class: `line ${CLASSES[place]}`, d: "M0 5H24" })), ` ${name}`));
  return [chart, element("ul", { className: "legend" }, ...legend)];
}

/** Columns over time, one part upon the other: `points` are [slot, value, ...], of the first and the last slot a part, `names` the parts' names, `width` pixels. */
export function stacks(title, points, names, show, width) {
  const [height, left, bottom] = [220, 40, 22];
  const wide = Math.max(width, 260);
  const top = ceiling(Math.max(...points.map(([, ...values]) => values.reduce((sum, value) => sum + value, 0))));
  const step = (wide - left) / points.length;
  const y = (value) => 8 + (1 - value / top) * (height - 8 - bottom);
  const totals = names.map((name, place) => `${name} ${show(points.reduce((sum, point) => sum + point[place + 1], 0))}`);
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${wide} ${height}`, role: "img", "aria-label": `${title}, ${points[0][0]} to ${points.at(-1)[0]}: ${totals.join(", ")}` });
  for (const value of new Set([0, top / 2, top].filter(Number.isInteger))) {
    chart.append(
      svg("line", { class: "grid-line", x1: left, x2: wide, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, show(value)));
  }
  const every = Math.ceil(56 / step); // a label is as wide
  points.forEach(([slot, ...values], place) => {
    const part = { 0: "from the beginning of the window", [points.length - 1]: "so far" }[place];
    let below = 0;
    values.forEach((value, number) => {
      if (!value) return;
      chart.append(svg("rect", { class: `part part${number}${part ? " partial" : ""}`, x: (left + place * step + 1).toFixed(1), y: y(below + value).toFixed(1), width: Math.max(1, step - 2).toFixed(1), height: (y(below) - y(below + value)).toFixed(1) }, svg("title", {}, `${slot}${part ? `, ${part}` : ""}: ${names[number]} ${show(value)}`)));
      below += value;
    });
    if (place % every === 0) chart.append(svg("text", { x: left + (place + 0.5) * step, y: height - 6, "text-anchor": "middle" }, slot));
  });
  const legend = names.map((name, place) => element("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `part part${place}`, width: 10, height: 10 })), ` ${name}`));
  return [chart, element("ul", { className: "legend" }, ...legend)];
}

/** How wide a chart may be, so that its text is as large as the page's: the place's own width, up to a bound. */
export const room = (place, most = 900) => Math.min(most, Math.max(240, place.clientWidth || most));

/** Horizontal bars, longest first: `rows` are [name, value], `whole` is what the longest possible bar means, if there is one. */
export function bars(title, rows, show, width = 460, whole = 0) {
  const step = 22;
  const left = Math.min(150, Math.round(width * 0.45));
  const longest = Math.floor((left - 8) / 7.4); // characters of a name
  const most = whole || Math.max(...rows.map(([, value]) => value)) || 1;
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${rows.length * step}`, role: "img", "aria-label": `${title}: ${rows.map(([name, value]) => `${name} ${show(value)}`).join(", ")}` });
  rows.forEach(([name, value], place) => {
    const middle = place * step + step / 2;
    const length = (value / most) * (width - left - 80);
    chart.append(
      svg("text", { class: "name", x: left - 8, y: middle + 4, "text-anchor": "end" }, name.length > longest ? `${name.slice(0, longest - 1)}…` : name),
      ...(whole ? [svg("rect", { class: "bar rest", x: left, y: middle - 7, width: width - left - 80, height: 14 })] : []),
      svg("rect", { class: "bar first", x: left, y: middle - 7, width: Math.max(value ? 1 : 0, length).toFixed(1), height: 14 }, svg("title", {}, `${name}: ${show(value)}`)),
      svg("text", { x: left + length + 6, y: middle + 4 }, show(value)));
  });
  return [chart];
}

/** A table; `columns` are [name, key or function of the row, whether it is a number]. */
export function table(caption, columns, rows) {
  const cell = (kind, text, number) => element(kind, number ? { className: "number" } : {}, text);
  const scroll = element("div", { className: "scroll", tabIndex: 0 },
    element("table", {},
      element("thead", {}, element("tr", {}, ...columns.map(([name, , number]) => cell("th", name, number)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...columns.map(([, value, number]) => cell("td", String(value(row) ?? "–"), number)))))));
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
  return scroll;
}

/** 12:34:56, as the person's clock has it. */
export function clock(second) {
  return new Date(second * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
