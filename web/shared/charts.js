// Charts: time series by uPlot (web/vendor/uplot), bars and columns as SVG. Each has a name for who cannot see it, and the
// page puts a table of the same numbers behind `details`. Colours are the page's tokens, in either scheme.
import { element, svg } from "./suite.js";
import { stamp, tick } from "./time.js";

/** The colours of series and parts, in their order: names of tokens. */
const COLOURS = ["accent", "violet", "bad", "teal", "good", "warm", "muted"];
const HEIGHT = 190;
const ROW = 26; // of bars
const LABEL = 44; // pixels, of a column's label
const NAME_FONT = 12; // pixels, of names of bars

/** The next round number: 1, 2 or 5 times a power of ten. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

const pen = document.createElement("canvas").getContext("2d");

/** A name that is at most `width` pixels wide: what is too long loses its middle, since ends tell names apart. */
function fitting(name, width) {
  pen.font = `${NAME_FONT}px ${getComputedStyle(document.body).fontFamily}`;
  for (let kept = name.length; kept > 2; kept -= 1) {
    const tail = Math.floor(kept / 2);
    const text = kept === name.length ? name : `${name.slice(0, kept - tail)}…${name.slice(name.length - tail)}`;
    if (pen.measureText(text).width <= width) return text;
  }
  return "…";
}

/** How wide a chart may be, so that its text is as large as the page's: the place's own width, up to a bound. */
export const room = (place, most = 1400) => Math.min(most, Math.max(220, place.clientWidth || most));

/** A token's colour as the canvas takes it. */
function colour(token) {
  const probe = element("span", { hidden: true });
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const key = (number) => svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `part${number}`, width: 10, height: 10, rx: 2 }));

function legend(names) {
  const values = names.map(() => element("strong", {}));
  const list = element("ul", { className: "legend" }, ...names.map((name, number) => element("li", {}, key(number), ` ${name} `, values[number])));
  return { list, values };
}

/**
 * Lines over time. `points` are [seconds since the epoch, value or null, ...], null where nothing is known: a gap. The
 * first `open.first` and the last `open.last` points may still change, or are of a part of their slot: dashed.
 * `pick(second)` is what a click on a point does, or Enter; `zoom(from, to)` what a selection does. Call `draw` once the
 * returned `place` is in the page.
 */
export function series({ title, names, points, show, zone, step, open = {}, pick, zoom, whole = 0, height = HEIGHT }) {
  const { list, values } = legend(names);
  const reading = element("span", { className: "reading" });
  const canvas = element("div", { className: "plot", tabIndex: 0 });
  const said = `${stamp(points[0][0] * 1000, zone)} to ${stamp(points.at(-1)[0] * 1000, zone)}`;
  const attributes = { role: "slider", "aria-label": `${title}, ${said}`, "aria-valuemin": 0, "aria-valuemax": points.length - 1, "aria-valuenow": points.length - 1 };
  for (const [name, value] of Object.entries(attributes)) canvas.setAttribute(name, value);
  const place = element("div", { className: "series" }, element("div", { className: "readings" }, list, reading), canvas);
  let chart;

  /** Say what is at a point; without one, at the newest that is known. */
  function read(index) {
    const last = points.findLastIndex(([, value]) => value !== null);
    const at = index ?? (last < 0 ? points.length - 1 : last);
    const [second, ...numbers] = points[at];
    const texts = numbers.map((number) => (number === null ? "no data" : show(number)));
    values.forEach((value, number) => { value.textContent = texts[number]; });
    const isOpen = at < (open.first ?? 0) || at >= points.length - (open.last ?? 0);
    reading.textContent = `${stamp(second * 1000, zone, step < 60)}${isOpen ? " (not complete)" : ""}`;
    canvas.setAttribute("aria-valuenow", at);
    canvas.setAttribute("aria-valuetext", `${reading.textContent}: ${names.map((name, number) => `${name} ${texts[number]}`).join(", ")}`);
  }

  function move(by) {
    const from = Number(canvas.getAttribute("aria-valuenow"));
    const at = Math.min(points.length - 1, Math.max(0, from + by));
    chart.setCursor({ left: chart.valToPos(points[at][0], "x"), top: 0 });
    read(at);
  }
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageUp: -10, PageDown: 10, Home: -points.length, End: points.length }[event.key];
    if (by !== undefined) move(by);
    else if (event.key === "Enter" && pick) pick(points[Number(canvas.getAttribute("aria-valuenow"))][0]);
    else return;
    event.preventDefault();
  });

  const draw = () => {
    chart?.destroy();
    chart = new globalThis.uPlot(options(), data(points, open), canvas);
    read();
  };

  function options() {
    const [ink, line] = [colour("muted"), colour("line")];
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const most = whole || ceiling(Math.max(0, ...points.flatMap(([, ...numbers]) => numbers)));
    const drawn = names.flatMap((name, number) => {
      const stroke = colour(COLOURS[number]);
      return [
        { label: name, stroke, width: 2, points: { show: false, filter: lone, size: 6, fill: stroke }, ...(number ? {} : { fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.1)") }) },
        { label: name, stroke, width: 2, dash: [5, 4], points: { show: false } },
      ];
    });
    return {
      width: room(canvas), height,
      legend: { show: false },
      cursor: { y: false, points: { size: 8 }, drag: { x: Boolean(zoom), y: false, setScale: false } },
      tzDate: zone === "utc" ? (second) => globalThis.uPlot.tzDate(new Date(second * 1000), "UTC") : undefined,
      scales: { x: { time: true }, y: { range: [0, most] } },
      series: [{}, ...drawn],
      axes: [
        { stroke: ink, font, size: 30, space: 70, grid: { show: false }, ticks: { stroke: line, width: 1 }, values: (_, splits, __, ___, increment) => splits.map((second) => tick(second * 1000, increment, zone)) },
        { stroke: ink, font, size: 64, space: 45, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (_, splits) => splits.map((value) => show(value)) },
      ],
      hooks: {
        setCursor: [(plot) => read(plot.cursor.idx ?? undefined)],
        setSelect: [(plot) => {
          if (!zoom || plot.select.width < 8) return;
          zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"));
        }],
        ready: [(plot) => {
          let pressed = 0;
          plot.over.addEventListener("pointerdown", ({ clientX }) => { pressed = clientX; });
          plot.over.addEventListener("click", ({ clientX }) => {
            if (pick && Math.abs(clientX - pressed) < 4 && plot.cursor.idx !== null) pick(points[plot.cursor.idx][0]);
          });
          if (pick) plot.over.classList.add("picks");
        }],
      },
    };
  }

  new ResizeObserver(() => { if (chart && room(canvas) !== chart.width) chart.setSize({ width: room(canvas), height }); }).observe(place);
  return { place, draw };
}

/** A point between two gaps is no line: it needs a dot. */
const lone = (plot, at) => plot.data[at].flatMap((value, index, all) =>
  (value !== null && (all[index - 1] ?? null) === null && (all[index + 1] ?? null) === null ? [index] : []));

/** Columns for uPlot: seconds, then for each line its solid part and its dashed ends. */
function data(points, { first = 0, last = 0 }) {
  const until = points.length - last;
  const columns = [points.map(([second]) => second)];
  for (let line = 1; line < points[0].length; line += 1) {
    columns.push(points.map((point, at) => (at < first || at >= until ? null : point[line])));
    columns.push(points.map((point, at) => ((first && at <= first) || (last && at >= until - 1) ? point[line] : null)));
  }
  return columns;
}

/** What a bar or a column does when somebody chooses it by a click, Enter or the space bar; its title is its name. */
function choosable(part, choose) {
  part.setAttribute("role", "button");
  part.setAttribute("tabindex", "0");
  part.classList.add("choosable");
  part.addEventListener("click", choose);
  part.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  });
}

/**
 * Horizontal bars: `rows` are [name, value], `whole` is what the longest possible bar means, if there is one.
 * `choose(name, index)` is what a bar does, `hint` says it.
 */
export function bars({ title, rows, show, width = 460, whole = 0, choose, hint = "" }) {
  const left = Math.min(190, Math.round(width * 0.4));
  const right = 74;
  const most = whole || Math.max(...rows.map(([, value]) => value)) || 1;
  const said = rows.map(([name, value]) => `${name} ${show(value)}`).join(", ");
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${rows.length * ROW}`, role: choose ? "group" : "img", "aria-label": choose ? title : `${title}: ${said}` });
  rows.forEach(([name, value], place) => {
    const middle = place * ROW + ROW / 2;
    const length = (value / most) * (width - left - right);
    const part = svg("g", { class: "row" },
      svg("title", {}, `${name}: ${show(value)}${hint ? `. ${hint}` : ""}`),
      svg("rect", { class: "target", x: 0, y: place * ROW, width, height: ROW }),
      svg("text", { class: "name", x: left - 10, y: middle + 4, "text-anchor": "end" }, fitting(name, left - 12)),
      ...(whole ? [svg("rect", { class: "track", x: left, y: middle - 8, width: width - left - right, height: 16, rx: 3 })] : []),
      svg("rect", { class: "length", x: left, y: middle - 8, width: Math.max(value ? 2 : 0, length).toFixed(1), height: 16, rx: 3 }),
      svg("text", { class: "value", x: left + Math.max(whole ? width - left - right : 0, length) + 8, y: middle + 4 }, show(value)));
    if (choose) choosable(part, () => choose(name, place));
    chart.append(part);
  });
  return chart;
}

/**
 * Columns over time, one part upon the other: `points` are [label, value, ...], `names` the parts' names, `partial` says
 * of a place what it is a part of ("so far"), if it is. `choose(index)` is what a column does.
 */
export function stacks({ title, points, names, show, width, partial, choose, hint = "" }) {
  const [height, left, bottom] = [HEIGHT + 10, 44, 24];
  const wide = Math.max(width, 260);
  const top = ceiling(Math.max(...points.map(([, ...values]) => values.reduce((sum, value) => sum + value, 0))));
  const step = (wide - left) / points.length;
  const y = (value) => 8 + (1 - value / top) * (height - 8 - bottom);
  const totals = names.map((name, place) => `${name} ${show(points.reduce((sum, point) => sum + point[place + 1], 0))}`);
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${wide} ${height}`, role: choose ? "group" : "img", "aria-label": `${title}, ${points[0][0]} to ${points.at(-1)[0]}: ${totals.join(", ")}` });
  for (const value of new Set([0, top / 2, top].filter(Number.isInteger))) {
    chart.append(
      svg("line", { class: "grid-line", x1: left, x2: wide, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, show(value)));
  }
  const every = Math.ceil((LABEL + 14) / step);
  points.forEach(([label, ...values], place) => {
    const part = partial(place);
    const x = (left + place * step + Math.min(2, step * 0.12)).toFixed(1);
    const thick = Math.max(1, step - Math.min(4, step * 0.24)).toFixed(1);
    const said = `${label}${part ? `, ${part}` : ""}: ${names.map((name, number) => [name, values[number]]).filter(([, value]) => value).map(([name, value]) => `${name} ${show(value)}`).join(", ") || "none"}`;
    const column = svg("g", { class: `column${part ? " partial" : ""}` }, svg("title", {}, `${said}${hint && choose ? `. ${hint}` : ""}`), svg("rect", { class: "target", x: (left + place * step).toFixed(1), y: 8, width: step.toFixed(1), height: height - 8 - bottom }));
    let below = 0;
    values.forEach((value, number) => {
      if (!value) return;
      column.append(svg("rect", { class: `part part${number}`, x, y: y(below + value).toFixed(1), width: thick, height: Math.max(0.5, y(below) - y(below + value)).toFixed(1) }));
      below += value;
    });
    if (choose) choosable(column, () => choose(place));
    chart.append(column);
    if (place % every === 0) chart.append(svg("text", { x: Math.min(left + (place + 0.5) * step, wide - LABEL / 2), y: height - 6, "text-anchor": "middle" }, label));
  });
  const { list } = legend(names);
  return [chart, list];
}

/** A table; `columns` are [heading, function of the row, whether it is a number]. */
export function table(caption, columns, rows) {
  const cell = (kind, text, number) => element(kind, { ...(number ? { className: "number" } : {}), ...(kind === "th" ? { scope: "col" } : {}) }, text);
  const scroll = element("div", { className: "scroll", tabIndex: 0 },
    element("table", {},
      element("thead", {}, element("tr", {}, ...columns.map(([name, , number]) => cell("th", name, number)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...columns.map(([, value, number]) => cell("td", String(value(row) ?? "–"), number)))))));
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
  return scroll;
}
