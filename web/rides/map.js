// The map: drawn from map.json, which needs no tile host. People choose a point by pointer or by keys; unicorns move on it.
import { element, svg } from "../shared/suite.js";
import { COLOURS } from "./words.js";

const STEP_M = 20; // of an arrow key
const FAR_M = 100; // with the shift key
const EDGE_M = 55;
const EARTH_M = 6_371_008.8;
const ROUND_M = 1500 / (2 * Math.PI); // a ride is a circle of 1,500 m

const FALLBACK = { west: 24.9351762, south: 60.164155, east: 24.9534145, north: 60.179113, width: 1008.7, height: 1663.3, layers: [], streets: [], places: [] };

/** Metres between two places. */
export function distance(one, other) {
  const radians = Math.PI / 180;
  const up = (other.latitude - one.latitude) * radians;
  const across = (other.longitude - one.longitude) * radians * Math.cos(((one.latitude + other.latitude) / 2) * radians);
  return EARTH_M * Math.hypot(up, across); // flat, which is good enough in a town
}

/** Draw the map into a figure. `onChoose` gets places, `onLook` those under the crosshair. */
export async function drawMap(figure, { onChoose, onLook }) {
  const response = await fetch(new URL("map.json", import.meta.url)).catch(() => null);
  const data = response?.ok ? await response.json() : FALLBACK; // a point can be chosen, and a ride followed
  return new CityMap(figure, data, onChoose, onLook);
}

class CityMap {
  constructor(figure, data, onChoose, onLook) {
    this.data = data;
    this.places = data.places.map(([name, latitude, longitude]) => ({ name, latitude, longitude }));
    this.onChoose = onChoose;
    this.onLook = onLook;
    this.crosshair = { x: data.width / 2, y: data.height / 2 };
    this.stage = element("div", { className: "stage" });
    this.drawing = svg("svg", { viewBox: `0 0 ${data.width} ${data.height}`, "aria-hidden": "true" });
    this.stage.append(this.drawing);
    this.#drawTown();
    this.trail = svg("g", { class: "trail" });
    this.pin = svg("g", { class: "pin", hidden: "" }, svg("circle", { class: "ripple", r: 26 }),
      svg("path", { d: "M0 0C-8 -22 -30 -34 -30 -58a30 30 0 0 1 60 0C30 -34 8 -22 0 0z" }), svg("circle", { class: "eye", cy: -58, r: 11 }));
    this.cross = svg("g", { class: "cross" }, svg("circle", { r: 30 }), svg("path", { d: "M-52 0h36M16 0h36M0 -52v36M0 16v36" }));
    this.unicorn = svg("g", { class: "unicorn", hidden: "" });
    this.drawing.append(this.trail, this.pin, this.unicorn, this.cross);
    this.stage.addEventListener("click", (event) => this.#click(event));
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    figure.prepend(this.stage);
    this.choosable(false);
  }

  #drawTown() {
    const { layers, streets } = this.data;
    const ground = svg("g", { class: "ground" }, ...layers.map(([kind, path]) => svg("path", { class: kind, d: path, "fill-rule": "evenodd" })));
    const names = svg("g", { class: "names" }, ...streets.map(([name, x, y, turn]) =>
      svg("text", { transform: `translate(${x} ${y}) rotate(${turn})`, dy: "0.35em" }, name)));
    const dots = svg("g", { class: "dots" }, ...this.places.map((place) => {
      const { x, y } = this.#pointOf(place);
      return svg("circle", { cx: x, cy: y, r: 9 }, svg("title", {}, place.name));
    }));
    this.drawing.append(ground, names, dots);
  }

  /** Whether people may choose a point now. */
  choosable(isOn) {
    this.isChoosable = isOn;
    this.stage.classList.toggle("choosable", isOn);
    this.stage.tabIndex = isOn ? 0 : -1;
    this.stage.setAttribute("role", isOn ? "application" : "img");
    this.stage.setAttribute("aria-label", isOn
      ? "Map of central Helsinki. Arrow keys move the crosshair, with Shift further; Enter chooses the place. There is a list beside the map."
      : "Map of central Helsinki");
  }

  /** Show where somebody waits, or nothing. */
  show(pickup) {
    this.pin.toggleAttribute("hidden", !pickup);
    if (!pickup) return;
    const { x, y } = this.#pointOf(pickup);
    this.pin.setAttribute("transform", `translate(${x} ${y})`);
    this.crosshair = this.#within({ x, y });
    this.#drawCross();
  }

  /** Whether a place is on the map. */
  has({ latitude, longitude }) {
    const { west, south, east, north } = this.data;
    return latitude >= south && latitude <= north && longitude >= west && longitude <= east;
  }

  /** Show a ride's unicorn where it is at a moment, in seconds since the epoch; null takes it away. */
  follow(ride, now) {
    const isThere = Boolean(ride?.unicorn) && !["cancelled", "failed"].includes(ride.state);
    this.unicorn.toggleAttribute("hidden", !isThere);
    this.trail.toggleAttribute("hidden", !isThere);
    if (!isThere) return;
    if (this.drawn !== ride.unicorn.colour) {
      this.drawn = ride.unicorn.colour;
      this.unicorn.replaceChildren(unicorn(ride.unicorn.colour, 2.3));
    }
    const { x: exactX, y: exactY, left, way } = this.#flight(ride, now);
    const clear = (value, size) => Math.max(EDGE_M, Math.min(size - EDGE_M, value)); // else its nose is cut off
    const [x, y] = [clear(exactX, this.data.width), clear(exactY, this.data.height)];
    this.unicorn.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${left ? -1 : 1} 1)`);
    const key = `${ride.id} ${way}`;
    if (this.drawnWay !== key) {
      this.drawnWay = key;
      // A rainbow: the same way in six colours, side by side.
      this.trail.replaceChildren(...[0, 1, 2, 3, 4, 5].map((band) => svg("path", { d: way, class: `band-${band}`, transform: `translate(0 ${(band - 2.5) * 7})`, pathLength: 1 })));
    }
  }

  /** Where a unicorn is, whether it looks to the left, and its way so far. */
  #flight(ride, now) {
    const start = this.#pointOf(ride.unicorn.start);
    const there = this.#pointOf(ride.pickup);
    if (ride.state === "riding" || ride.state === "done") {
      const share = ride.state === "done" ? 1 : shareOf(now, ride.moments.riding, ride.ends);
      return this.#round(there, share);
    }
    const share = ride.state === "arriving" ? shareOf(now, ride.moments.arriving, ride.arrives) : 0;
    const bow = Math.min(120, Math.hypot(there.x - start.x, there.y - start.y) / 4); // it flies in a bow
    const top = { x: (start.x + there.x) / 2, y: (start.y + there.y) / 2 - bow };
    const mix = (from, middle, to) => (1 - share) ** 2 * from + 2 * share * (1 - share) * middle + share ** 2 * to;
    const far = (from, to) => from + share * (to - from);
    const here = { x: mix(start.x, top.x, there.x), y: mix(start.y, top.y, there.y) };
    const way = `M${start.x.toFixed(0)} ${start.y.toFixed(0)}Q${far(start.x, top.x).toFixed(0)} ${far(start.y, top.y).toFixed(0)} ${here.x.toFixed(0)} ${here.y.toFixed(0)}`;
    return { ...here, left: there.x < start.x, way };
  }

  /** Round over the roofs and back, on the side of the middle of the map. */
  #round(from, share) {
    const { width, height } = this.data;
    const towards = Math.atan2(height / 2 - from.y, width / 2 - from.x);
    const middle = { x: from.x + ROUND_M * Math.cos(towards), y: from.y + ROUND_M * Math.sin(towards) };
    const angle = towards + Math.PI + 2 * Math.PI * share;
    const x = middle.x + ROUND_M * Math.cos(angle);
    const y = middle.y + ROUND_M * Math.sin(angle);
    const arc = (toX, toY, large) => `A${ROUND_M.toFixed(0)} ${ROUND_M.toFixed(0)} 0 ${large} 1 ${toX.toFixed(0)} ${toY.toFixed(0)}`;
    const opposite = [2 * middle.x - from.x, 2 * middle.y - from.y];
    const way = `M${from.x.toFixed(0)} ${from.y.toFixed(0)}${share < 0.5 ? "" : arc(...opposite, 0)}${arc(x, y, 0)}`;
    return { x, y, left: share < 1 && Math.sin(angle) > 0, way };
  }

  #pointOf({ latitude, longitude }) {
    const { west, south, east, north, width, height } = this.data;
    return { x: ((longitude - west) / (east - west)) * width, y: ((north - latitude) / (north - south)) * height };
  }

  #placeOf({ x, y }) {
    const { west, south, east, north, width, height } = this.data;
    const rounded = (value) => Number(value.toFixed(6)); // 0.1 m
    return { latitude: rounded(north - (y / height) * (north - south)), longitude: rounded(west + (x / width) * (east - west)) };
  }

  #within({ x, y }) {
    return { x: Math.max(0, Math.min(this.data.width, x)), y: Math.max(0, Math.min(this.data.height, y)) };
  }

  #drawCross() {
    this.cross.setAttribute("transform", `translate(${this.crosshair.x} ${this.crosshair.y})`);
  }

  #click(event) {
    if (!this.isChoosable) return;
    const box = this.drawing.getBoundingClientRect();
    const point = { x: ((event.clientX - box.left) / box.width) * this.data.width, y: ((event.clientY - box.top) / box.height) * this.data.height };
    this.onChoose(this.#placeOf(this.#within(point)));
  }

  #key(event) {
    if (!this.isChoosable) return;
    const step = event.shiftKey ? FAR_M : STEP_M;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in moves) {
      const [right, down] = moves[event.key];
      this.crosshair = this.#within({ x: this.crosshair.x + right, y: this.crosshair.y + down });
      this.#drawCross();
      this.onLook(this.#placeOf(this.crosshair));
    } else if (event.key === "Enter" || event.key === " ") this.onChoose(this.#placeOf(this.crosshair));
    else return;
    event.preventDefault();
  }
}

const shareOf = (now, from, to) => Math.max(0, Math.min(1, to > from ? (now - from) / (to - from) : 1));

/** A unicorn's head in a colour of the fleet; it looks to the right, around 0, 0. */
export function unicorn(colour, scale = 1) {
  return svg("g", { class: "head", transform: `scale(${scale}) translate(-24 -26)` },
    svg("path", { class: "mane", fill: COLOURS[colour] ?? COLOURS.white, d: "M25 11c-9 0-17 6-18 16-1 7 0 13-3 18 4 1 8 0 10-2 0 2 0 3-1 5h9c-2-8-1-13 4-18z" }),
    svg("path", { class: "coat", d: "M17 48c-1-8-1-13 2-18-2-7 1-15 8-17 6 0 10 5 13 11l4 7c1 3-1 6-4 6-3 0-5-2-8-3-1 4 0 9 2 14z" }),
    svg("path", { class: "coat", d: "M23 14c-1-3 0-6 2-8 2 2 3 4 3 7z" }),
    svg("path", { class: "mane", fill: COLOURS[colour] ?? COLOURS.white, d: "M22 12c3-1 6 0 8 2-1 4-5 4-7 8-1 3 0 5-1 8-3-1-5-5-5-9 0-4 2-8 5-9z" }),
    svg("path", { class: "horn", d: "M29 12L39 -2 34 15z" }),
    svg("circle", { class: "eye", cx: 33, cy: 22, r: 1.7 }),
    svg("path", { class: "smile", d: "M38 34c1 0 3 0 4-2" }));
}
