// Shows an original and one of its variants side by side, with what each costs to send and who answered.
import { openPage } from "../shared/shell.js";
import { bytes, element } from "../shared/suite.js";

const form = document.querySelector("#ask");
const trouble = document.querySelector("#trouble");
const history = document.querySelector("#history");
// What browsers send for an <img>; fetch by itself accepts anything, and `auto` would have nothing to go by.
const IMAGE_FORMATS = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
let website = "";
let latest = 0;

/** Ask for an object as a browser would, and say what came: redirected means that it had to be made (or found) first. */
async function ask(path) {
  const started = performance.now();
  const address = `${website}/${path.split("/").map(encodeURIComponent).join("/").replaceAll("%2C", ",")}`;
  const response = await fetch(address, { cache: "no-store", headers: { Accept: IMAGE_FORMATS } });
  const body = await response.blob();
  const milliseconds = Math.round(performance.now() - started);
  if (!response.ok) {
    const error = await body.text().then(JSON.parse).catch(() => ({ code: String(response.status), message: "" }));
    throw new Error(`${error.code}: ${error.message}`);
  }
  const atEdge = response.headers.get("X-Cache")?.startsWith("Hit"); // of CloudFront, where there is one
  return { path, body, milliseconds, type: response.headers.get("Content-Type") ?? body.type, url: response.url,
    made: response.redirected, from: atEdge ? "edge" : "storage" };
}

async function show(panel, answer) {
  const picture = document.querySelector(`${panel} img`);
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(answer.body);
  await picture.decode();
  answer.pixels = `${picture.naturalWidth} × ${picture.naturalHeight}`;
  document.querySelector(`${panel} figcaption`).replaceChildren(
    `${answer.pixels}, ${bytes(answer.body.size)}, ${answer.type}, ${answer.milliseconds} ms`, element("br"),
    element("a", { href: answer.url }, decodeURI(answer.url)));
}

function remember(answer) {
  const who = answer.made ? element("span", { className: "warm" }, "made now (miss)") : element("span", { className: "good" }, `${answer.from} (hit)`);
  if (history.querySelector("[colspan]")) history.replaceChildren();
  history.prepend(element("tr", {},
    element("td", {}, answer.path), element("td", {}, who), element("td", {}, answer.type),
    element("td", { className: "number" }, answer.pixels),
    element("td", { className: "number" }, bytes(answer.body.size)),
    element("td", { className: "number" }, String(answer.milliseconds))));
}

function variantPath() {
  const { key, width, height, fit, format } = Object.fromEntries(new FormData(form));
  const options = [width && height ? fit : "", format].filter(Boolean);
  return [[`${width}x${height}`, ...options].join(","), key].join("/");
}

async function refresh() {
  const turn = ++latest; // a slower, older answer must not replace a newer one
  trouble.hidden = true;
  document.querySelectorAll("figure").forEach((figure) => figure.classList.add("arriving"));
  try {
    if (!form.width.value && !form.height.value) throw new Error("Choose a width, a height, or both");
    const variant = await ask(variantPath()); // first: its errors say more than the original's
    const original = await ask(form.key.value);
    if (turn !== latest) return;
    await Promise.all([show("#original", original), show("#variant", variant)]);
    remember(variant);
    Object.assign(document.querySelector("#variant .badge"), {
      hidden: false, textContent: variant.made ? "miss: made now" : `hit: from ${variant.from}`,
      className: `badge ${variant.made ? "warm" : "good"}`,
    });
    const share = variant.body.size / original.body.size;
    const saving = document.querySelector(".saving");
    saving.hidden = false;
    saving.querySelector("meter").value = Math.min(share, 1);
    saving.querySelector("span").textContent = `${(share * 100).toFixed(1)} % of the original's bytes`;
  } catch (error) {
    if (turn === latest) Object.assign(trouble, { hidden: false, textContent: error.message });
  } finally {
    if (turn === latest) document.querySelectorAll("figure").forEach((figure) => figure.classList.remove("arriving"));
  }
}

try {
  const config = await openPage();
  website = config.ImagesWebsiteUrl;
  const rungs = config.ImagesLadder.split(",");
  for (const [select, chosen] of [[form.width, "500"], [form.height, "500"]]) {
    select.append(element("option", { value: "" }, "any"), ...rungs.map((rung) => element("option", { selected: rung === chosen }, rung)));
  }
  document.querySelector("#samples").append(...config.ImageSamples.map((name) => element("option", { value: name })));
  form.key.value = config.ImageSamples.includes("blue_marble.jpg") ? "blue_marble.jpg" : config.ImageSamples[0] ?? "";
  form.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  form.addEventListener("change", refresh);
  if (form.key.value) await refresh();
} catch (error) {
  Object.assign(trouble, { hidden: false, textContent: error.message });
}
