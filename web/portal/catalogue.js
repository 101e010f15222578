// The catalogue: the suite's APIs from their OpenAPI documents, with what each operation takes and answers.
import { visitors } from "../shared/signin.js";
import { copy, element, isLocal } from "../shared/suite.js";
import { operationsOf, shapeOf } from "./openapi.js";
import { apiTitle, refusal } from "./words.js";

const SDKS = { java: "Java", javascript: "JavaScript", android: "Android", objectivec: "Objective-C", swift: "Swift", ruby: "Ruby" };
const OWN = "api_portal"; // is what this page is for; the portal has SDKs of the others
const ACCESS = {
  key: { word: "Needs a key", look: "" },
  session: { word: "Needs a sign-in", look: "violet" },
  open: { word: "Open", look: "good" },
};

/** Draw all APIs, or the one that the address names. */
export async function drawCatalogue(portal, place) {
  const names = portal.config.ApiDocuments ?? [];
  const chosen = portal.query().get("api");
  if (names.includes(chosen)) {
    place.replaceChildren(...apiPage(portal, chosen, await portal.document(chosen)));
    return;
  }
  if (!names.length) throw new Error("No API has a document here. Publish the pages again.");
  const all = await Promise.all(names.map(async (name) => [name, await portal.document(name)]));
  place.replaceChildren(element("div", { className: "grid" }, ...all.map(([name, document]) => apiCard(name, document))));
}

function apiCard(name, document) {
  const operations = operationsOf(document);
  const keyed = operations.filter(({ access }) => access === "key").length;
  return element("article", { className: "card api" },
    element("h3", {}, element("a", { href: `?view=apis&api=${name}` }, apiTitle(name))),
    element("p", { className: "muted" }, (document.info.description ?? "").split(/(?<=\.)\s/)[0]),
    element("p", {}, `${operations.length} ${operations.length === 1 ? "operation" : "operations"}${keyed ? `, ${keyed} of them with a key` : ""}`),
    element("div", { className: "actions" },
      element("a", { className: "button plain", href: `?view=apis&api=${name}` }, "See operations"),
      download(name)));
}

function download(name) {
  const link = element("a", { className: "button plain", href: `apis/${name}.json`, download: `${name}.json` }, "Download OpenAPI");
  link.setAttribute("aria-label", `Download OpenAPI: ${apiTitle(name)}`);
  return link;
}

function apiPage(portal, name, document) {
  const address = document.servers[0].url;
  const button = element("button", { type: "button", className: "plain" }, "Copy");
  button.setAttribute("aria-label", "Copy the address");
  button.addEventListener("click", () => copy(address, button));
  const code = element("pre", { tabIndex: 0 }, element("code", {}, address));
  code.setAttribute("role", "region");
  code.setAttribute("aria-label", "Address of the API");
  return [
    element("p", {}, element("a", { className: "back", href: "?view=apis" }, "All APIs")),
    element("section", { className: "card" },
      element("h3", {}, apiTitle(name)), element("p", { className: "muted" }, document.info.description ?? ""),
      element("div", { className: "snippet" }, code, button),
      element("div", { className: "actions" }, download(name), ...(isLocal() || name === OWN ? [] : sdks(portal, name)))),
    ...operationsOf(document).map((operation) => operationCard(name, document, operation)),
  ];
}

/** API Gateway makes SDKs on AWS; the local engine has no generator. */
function sdks(portal, name) {
  const choice = element("select", {}, ...Object.entries(SDKS).map(([value, title]) => element("option", { value }, title)));
  choice.setAttribute("aria-label", "Language of the SDK");
  const button = element("button", { type: "button", className: "plain" }, "Download SDK");
  button.addEventListener("click", async () => {
    if (!visitors.person()) {
      portal.say("Sign in to download an SDK.", "warm");
      return;
    }
    button.disabled = true;
    // API Gateway decodes what a function sends as Base64 for those who ask for this type.
    const headers = { Accept: "application/zip" };
    const answer = await portal.call(`/v1/sdks/${name}/${choice.value}`, { headers, read: (response) => response.blob() });
    button.disabled = false;
    if (answer.status !== 200) portal.say(refusal(answer), "bad");
    else save(answer.body, `${name}-${choice.value}.zip`);
  });
  return [choice, button];
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function operationCard(name, document, operation) {
  const { id, method, path, summary, description, access, isTriable } = operation;
  const { word, look } = ACCESS[access];
  return element("details", { className: "card operation" },
    element("summary", {}, element("span", { className: `method ${method.toLowerCase()}` }, method), element("code", {}, path),
      element("span", { className: "what" }, summary), element("span", { className: `badge ${look}` }, word)),
    ...(description ? [element("p", {}, ...prose(description))] : []),
    ...parameters(document, operation), ...body(document, operation), ...answers(document, operation),
    ...(isTriable ? [element("div", { className: "actions" },
      element("a", { className: "button plain", href: `?view=try&api=${name}&op=${encodeURIComponent(id)}` }, "Try it"))] : []));
}

/** A text whose parts in backquotes are code. */
const prose = (text) => text.split("`").map((part, place) => (place % 2 ? element("code", {}, part) : part));

function table(caption, headings, rows) {
  const scroll = element("div", { className: "scroll", tabIndex: 0 }, element("table", {},
    element("thead", {}, element("tr", {}, ...headings.map((heading) => element("th", { scope: "col" }, heading)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, ...[cell].flat())))))));
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
  return scroll;
}

function parameters(document, { id, parameters: all }) {
  if (!all.length) return [];
  return [element("h4", {}, "Parameters"), table(`Parameters of ${id}`, ["Name", "In", "Type", "What it is"], all.map((each) =>
    [element("code", {}, each.name), `${each.in}${each.required ? ", required" : ""}`, shapeOf(document, each.schema), prose(each.description ?? "")]))];
}

function shape(title, name, text) {
  const pre = element("pre", { tabIndex: 0 }, element("code", {}, text));
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", name);
  return [element("h4", {}, title), pre];
}

function body(document, { id, body: written }) {
  if (!written) return [];
  return shape(`Body, ${written[0]}`, `Body of ${id}`, shapeOf(document, written[1].schema));
}

function answers(document, { id, answers: all }) {
  const good = all.find(({ status, content }) => status.startsWith("2") && content);
  const [, media] = Object.entries(good?.content ?? {})[0] ?? [];
  return [element("h4", {}, "Answers"),
    table(`Answers of ${id}`, ["Status", "What it is"], byText(all).map(([text, statuses]) => [statuses.flatMap((status, place) => [...(place ? [" "] : []), element("code", {}, status)]), text])),
    ...(media?.schema ? shape(`Body of ${good.status}`, `Answer of ${id}`, shapeOf(document, media.schema)) : [])];
}

/** Answers that say the same, once: [text, statuses]. */
function byText(all) {
  const found = new Map();
  for (const { status, description = "" } of all) found.set(description, [...(found.get(description) ?? []), status]);
  return [...found];
}
