// Compares an original with one of its variants: how they look, what each costs to send, and who answered.
// What is chosen is in the address of the page, so that a copied link shows the same.
import { openPage } from "../shared/shell.js";
import { bytes, copy, element, percent } from "../shared/suite.js";
import { addressOf, curlCommand, imageTag, variantPath } from "./variants.js";
import { sentence } from "./words.js";

// What browsers send for an <img>; fetch by itself accepts anything, and `auto` would have nothing to go by.
const IMAGE_FORMATS = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
const CHOSEN = { key: "", width: 500, height: 500, fit: "cover", format: "avif" };
const DASH = "–";
const IN_A_MOMENT = [429, 502, 503, 504]; // too many at once, or there was no time: what is asked for again is there soon
const ATTEMPTS = 3;

const form = document.querySelector("#ask");
const [stage, frame, before, after, split] = ["#stage", "#frame", "#before", "#after", "#split"].map((id) => document.querySelector(id));
const [nothing, trouble, saving, badge] = ["#nothing", "#trouble", "#saving", "#variant .badge"].map((id) => document.querySelector(id));
const log = document.querySelector("#history");
const originals = new Map(); // by key: they are big, and stay the same while sizes are tried
let website = "";
let ladder = [];
let latest = 0;
let pending = ""; // the path that is being asked for

class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Ask for an object as a browser would. Redirected means that the API was asked: to make it, or what `auto` is. */
async function ask(path, priority, attempt = 1) {
  const started = performance.now();
  const response = await fetch(addressOf(website, path), { cache: "no-store", headers: { Accept: IMAGE_FORMATS }, priority }).catch(() => {
    const mixed = location.protocol === "https:" && website.startsWith("http:");
    throw new Error(mixed ? `This page came by HTTPS, and browsers block images by HTTP: ${website} has to be reached by HTTPS.`
      : `${new URL(website).host} does not answer. Is the network up, and the suite?`);
  });
  if (IN_A_MOMENT.includes(response.status) && attempt < ATTEMPTS) {
    await new Promise((resolve) => { setTimeout(resolve, 1000 * attempt); });
    return ask(path, priority, attempt + 1);
  }
  const body = await response.blob();
  const milliseconds = Math.round(performance.now() - started);
  if (!response.ok) {
    const error = await body.text().then(JSON.parse).catch(() => ({ code: `status ${response.status}`, message: "The answer cannot be read." }));
    throw new Refused(error.code, sentence(error));
  }
  const type = response.headers.get("Content-Type") ?? body.type;
  return { path, body, milliseconds, type, url: response.url, from: answeredBy(path, response) };
}

/** `{ text, kind }`: who had the variant. Of `auto` the API says the format, and not whether the variant was there. */
function answeredBy(path, response) {
  if (response.redirected && /,auto\//.test(path)) return { text: "auto: the API chose", kind: "warm" };
  if (response.redirected) return { text: "miss: made now", kind: "warm" };
  const atEdge = response.headers.get("X-Cache")?.startsWith("Hit"); // of CloudFront, where there is one
  return { text: `hit: from ${atEdge ? "edge" : "storage"}`, kind: "good" };
}

/** Put an answer into one of the two pictures, with its dimensions. */
async function show(picture, answer) {
  answer.blob ??= URL.createObjectURL(answer.body);
  picture.src = answer.blob;
  await picture.decode().catch(() => { throw new Error(`This browser cannot show ${answer.type} of ${answer.path}.`); });
  answer.size = { width: picture.naturalWidth, height: picture.naturalHeight };
  Object.assign(picture, answer.size);
}

function painted() {
  return new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); });
}

function pixels({ width, height }) {
  return `${width} × ${height}`;
}

function describe(part, answer) {
  const line = document.querySelector(`#${part} .facts-line`);
  if (!answer) return line.replaceChildren(DASH);
  line.replaceChildren(`${pixels(answer.size)}, ${bytes(answer.body.size)}, ${answer.type}, ${answer.milliseconds} ms`, element("br"),
    element("a", { href: answer.url }, decodeURI(answer.url).slice(website.length + 1)));
}

/** Nothing of an earlier answer stays, be it a picture, a number or a "hit". */
function clear() {
  frame.hidden = before.hidden = true;
  frame.classList.remove("compares");
  badge.hidden = true;
  saving.textContent = "";
  describe("original");
  describe("variant");
  for (const id of ["address", "tag", "curl"]) document.getElementById(id).textContent = DASH;
}

function remember(path, from, answer) {
  if (log.querySelector("[colspan]")) log.replaceChildren();
  const numbers = answer ? [pixels(answer.size), bytes(answer.body.size), String(answer.milliseconds)] : [DASH, DASH, DASH];
  log.prepend(element("tr", {}, element("td", {}, path), element("td", {}, element("span", { className: from.kind }, from.text)),
    element("td", {}, answer?.type ?? DASH), ...numbers.map((text) => element("td", { className: "number" }, text))));
}

/** What the form says: `{ key, width, height, fit, format }`, of which 0 is any side. */
function chosen() {
  const { key, width, height, fit, format } = Object.fromEntries(new FormData(form));
  const side = (place) => ladder[Number(place) - 1] ?? 0;
  return { key: key.trim(), width: side(width), height: side(height), fit: fit ?? "cover", format };
}

/** Put a choice into the form: from the page's address, whatever is written there. */
function choose(shape) {
  const place = (side) => ladder.findLastIndex((rung) => rung <= Number(side)) + 1;
  form.key.value = shape.key;
  form.width.value = place(shape.width);
  form.height.value = place(shape.height);
  for (const name of ["fit", "format"]) {
    form[name].value = shape[name];
    if (form[name].selectedIndex < 0) form[name].value = CHOSEN[name];
  }
  reflect();
}

/** What follows from the form without asking anybody: lengths beside the sliders, which thumbnail, whether a fit matters. */
function reflect() {
  const shape = chosen();
  for (const side of ["width", "height"]) {
    const text = shape[side] ? `${shape[side]} px` : "any";
    document.querySelector(`#${side}-shown`).textContent = text;
    form[side].setAttribute("aria-valuetext", shape[side] ? `${shape[side]} pixels` : "any: as the other side decides");
  }
  form.fit.disabled = !(shape.width && shape.height);
  for (const radio of form.querySelectorAll("[name=sample]")) radio.checked = radio.value === shape.key;
}

function fromAddress() {
  const asked = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(CHOSEN).map(([name, value]) => [name, asked.get(name) ?? value]));
}

function toAddress(shape, { replace }) {
  const address = `?${new URLSearchParams(shape)}`;
  if (address !== location.search) history[replace ? "replaceState" : "pushState"](null, "", address);
}

async function refresh({ again = false } = {}) {
  const shape = chosen();
  const path = variantPath(shape);
  if (path === pending) return; // Enter in a field changes it, and submits
  pending = path;
  const turn = ++latest; // a slower, older answer must not replace a newer one
  if (again) originals.delete(shape.key);
  trouble.hidden = true;
  badge.hidden = true;
  stage.setAttribute("aria-busy", "true");
  nothing.textContent = "Loading…";
  try {
    if (!shape.key) throw new Error("Choose a picture, or type the name of an original.");
    if (!shape.width && !shape.height) throw new Error("Choose a width, a height, or both.");
    const variant = await ask(path, "high"); // first: it is small, and its errors say more than the original's
    if (turn !== latest) return;
    await showVariant(shape, variant);
    await painted(); // the original is many times as big: it has time until the variant is seen
    const original = originals.get(shape.key) ?? await ask(shape.key, "low");
    if (turn !== latest) return;
    originals.set(shape.key, original);
    await compare(shape, original, variant);
  } catch (error) {
    if (turn !== latest) return;
    clear();
    nothing.textContent = "No picture";
    Object.assign(trouble, { hidden: false, textContent: error.message });
    if (error.code) remember(path, { text: `refused: ${error.code}`, kind: "bad" });
  } finally {
    if (turn === latest) {
      pending = "";
      stage.setAttribute("aria-busy", "false");
    }
  }
}

async function showVariant(shape, variant) {
  clear();
  nothing.textContent = "";
  const earlier = after.src;
  await show(after, variant);
  URL.revokeObjectURL(earlier);
  frame.style.setProperty("--ratio", variant.size.width / variant.size.height);
  frame.classList.toggle("covers", Boolean(shape.width && shape.height) && shape.fit === "cover");
  frame.hidden = false;
  describe("variant", variant);
  const chose = variant.from.text.startsWith("auto") ? ` ${variant.type.replace("image/", "")}` : "";
  Object.assign(badge, { hidden: false, textContent: variant.from.text + chose, className: `badge ${variant.from.kind}` });
  remember(variant.path, variant.from, variant);
  document.querySelector("#address").textContent = addressOf(website, variant.path);
  document.querySelector("#curl").textContent = curlCommand(website, shape, variant.type, IMAGE_FORMATS);
}

async function compare(shape, original, variant) {
  await show(before, original);
  before.hidden = false;
  frame.classList.add("compares");
  describe("original", original);
  const less = 1 - variant.body.size / original.body.size;
  saving.textContent = `${bytes(variant.body.size)} instead of ${bytes(original.body.size)}: ${percent(Math.abs(less))} ${less < 0 ? "more" : "less"} to send.`;
  document.querySelector("#tag").textContent = imageTag(website, ladder, original.size, shape, variant.size);
}

function thumbnail(key) {
  const name = key.replace(/\.[^.]*$/, "").replaceAll("_", " ");
  // The first frame of an animation: nothing moves before it is asked for.
  const format = key.endsWith(".gif") ? "png" : "auto";
  const address = (rung) => addressOf(website, variantPath({ key, width: rung, height: rung, fit: "cover", format }));
  const rungs = ladder.filter((rung) => rung >= 100 && rung <= 300);
  const picture = element("img", { alt: name, width: 100, height: 100, decoding: "async", fetchPriority: "low",
    sizes: "(max-width: 30rem) 30vw, (min-width: 64rem) 6rem, 18vw", srcset: rungs.map((rung) => `${address(rung)} ${rung}w`).join(", ") });
  picture.src = address(rungs[0] ?? ladder[0]);
  return element("label", { className: "thumbnail", title: key }, element("input", { type: "radio", name: "sample", value: key }), picture);
}

function listen() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    toAddress(chosen(), { replace: false });
    refresh({ again: true });
  });
  form.addEventListener("input", ({ target }) => {
    if (target === split) frame.style.setProperty("--split", `${split.value}%`);
    if (target.name === "sample") form.key.value = target.value;
    if (target.name) reflect();
  });
  form.addEventListener("change", ({ target }) => {
    if (!target.name) return;
    toAddress(chosen(), { replace: target.type === "range" });
    refresh();
  });
  addEventListener("popstate", () => { choose(fromAddress()); refresh(); });
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.addEventListener("click", () => copy(document.getElementById(button.dataset.copy).textContent, button));
  });
}

try {
  const config = await openPage();
  website = config.ImagesWebsiteUrl;
  ladder = config.ImagesLadder.split(",").map(Number);
  CHOSEN.key = config.ImageSamples.includes("blue_marble.jpg") ? "blue_marble.jpg" : config.ImageSamples[0] ?? "";
  form.width.max = form.height.max = ladder.length;
  document.querySelector("#upload").textContent = `aws s3 cp picture.jpg s3://${config.ImagesBucketName}/picture.jpg`;
  document.querySelector("#thumbnails").replaceChildren(...config.ImageSamples.map(thumbnail));
  choose(fromAddress());
  listen();
  await refresh();
} catch (error) {
  clear();
  nothing.textContent = "No picture";
  stage.setAttribute("aria-busy", "false");
  Object.assign(trouble, { hidden: false, textContent: error.message });
}
