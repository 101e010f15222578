// The console: a call of an operation with somebody's key, what came back, and the same call as a command.
import { bytes, copy, count, element } from "../shared/suite.js";
import { curlOf, operationsOf, requestOf, sampleOf, sampleOfParameter } from "./openapi.js";
import { apiTitle } from "./words.js";

const TIMEOUT_MS = 40_000;
const NEW_MS = 60_000; // for which a key may not work everywhere yet
const TEXT = /json|text|xml|javascript/;
const REFUSED = {
  invalid_key: "The key is missing, wrong or revoked, or its plan has not this API.",
  quota_exceeded: "The plan's quota is exceeded. It begins anew with the next period.",
  throttled: "That was faster than the plan allows. Wait a second.",
  unauthorized: "This operation needs a sign-in.",
};

/** Draw the console for the operation that the address names, or the first. */
export async function drawConsole(portal, place) {
  const names = portal.config.ApiDocuments ?? [];
  const all = await Promise.all(names.map(async (api) => {
    const document = await portal.document(api);
    return { api, document, operations: operationsOf(document).filter(({ isTriable }) => isTriable) };
  }));
  const offered = all.filter(({ operations }) => operations.length);
  if (!offered.length) throw new Error("No API can be tried here. Publish the pages again.");
  const [api, id] = [portal.query().get("api"), portal.query().get("op")];
  const chosen = offered.find((each) => each.api === api) ?? offered.find(({ operations }) => operations[0].access === "key") ?? offered[0];
  const operation = chosen.operations.find((each) => each.id === id) ?? chosen.operations[0];
  place.replaceChildren(element("div", { className: "console" },
    element("section", { className: "card" }, choice(portal, offered, chosen.api, operation), form(portal, chosen.document, operation)),
    element("section", { className: "card result", id: "result" }, element("h3", {}, "Answer"), element("p", { className: "empty" }, "Fill in the form, and send it."))));
}

function choice(portal, offered, api, operation) {
  const list = element("select", { id: "operation" }, ...offered.map((each) => {
    const group = element("optgroup", { label: apiTitle(each.api) });
    group.append(...each.operations.map(({ id }) => element("option", { value: `${each.api} ${id}` }, id)));
    return group;
  }));
  list.value = `${api} ${operation.id}`;
  list.addEventListener("change", () => {
    const [name, ...rest] = list.value.split(" ");
    portal.go(`?view=try&api=${name}&op=${encodeURIComponent(rest.join(" "))}`);
  });
  return element("label", { className: "field" }, "Operation", list);
}

function form(portal, document, operation) {
  const inputs = {};
  const fields = operation.parameters.filter((each) => ["path", "query", "header"].includes(each.in)).map((parameter) => {
    inputs[parameter.name] = element("input", { value: sampleOfParameter(document, parameter), required: Boolean(parameter.required), autocomplete: "off", spellcheck: false });
    return element("label", { className: "field" }, element("span", {}, element("code", {}, parameter.name), parameter.required ? "" : " (optional)"), inputs[parameter.name]);
  });
  const text = operation.body && element("textarea", { rows: 6, spellcheck: false, value: JSON.stringify(sampleOf(document, operation.body[1].schema), null, 2) });
  const key = operation.access === "key" && keyField(portal);
  const submit = element("button", {}, "Send");
  const command = element("code", { id: "curl" });
  const request = () => requestOf(document, operation, {
    values: Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()])),
    text: text?.value,
    ...(key ? { key: portal.secret?.value ?? "" } : {}),
    ...(operation.access === "session" ? { token: portal.person()?.token ?? "" } : {}),
  });
  const made = element("form", { className: "asks", noValidate: true },
    element("p", { className: "muted" }, operation.summary), ...fields,
    ...(text ? [element("label", { className: "field" }, `Body, ${operation.body[0]}`, text)] : []),
    ...(key ? key.nodes : []),
    ...(operation.access === "session" && !portal.person() ? [element("p", { className: "warm" }, "This operation needs a sign-in: sign in above first.")] : []),
    element("div", { className: "actions" }, submit),
    ...snippet(command));
  const write = () => { command.textContent = curlOf(request()); };
  made.addEventListener("input", write);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    const missing = [...made.querySelectorAll("input:required")].find(({ value }) => !value.trim());
    if (missing) {
      missing.setAttribute("aria-invalid", "true");
      missing.focus();
      portal.say("Fill in what is missing first.", "bad");
      return;
    }
    for (const input of made.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    portal.say("");
    submit.disabled = true;
    await send(portal, request());
    submit.disabled = false;
  });
  write();
  return made;
}

function keyField(portal) {
  const { secret } = portal;
  const input = element("input", { type: "password", id: "key", value: secret?.value ?? "", required: true, autocomplete: "off", spellcheck: false });
  const hint = element("p", { className: "muted hint", id: "key-hint" }, secret?.name ? `This is “${secret.name}”, which you have just made.`
    : "Paste one of your keys. It stays in this tab's memory alone, and is gone with a reload.");
  input.setAttribute("aria-describedby", hint.id);
  input.addEventListener("input", () => { portal.secret = { name: "", value: input.value.trim(), made: 0 }; });
  const show = element("input", { type: "checkbox" });
  show.addEventListener("change", () => { input.type = show.checked ? "text" : "password"; });
  return { nodes: [element("label", { className: "field" }, "API key", input), hint, element("label", { className: "check" }, show, "Show the key")] };
}

function snippet(command) {
  const button = element("button", { type: "button", className: "plain" }, "Copy");
  button.setAttribute("aria-label", "Copy the command");
  button.addEventListener("click", () => copy(command.textContent, button));
  const pre = element("pre", { tabIndex: 0 }, command);
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", "The call as a command");
  return [element("h3", {}, "As a command"), element("div", { className: "snippet" }, pre, button)];
}

async function send(portal, { url, ...request }) {
  const place = document.querySelector("#result");
  place.setAttribute("aria-busy", "true");
  const began = performance.now();
  const found = await answerOf(url, request);
  const took = performance.now() - began;
  place.removeAttribute("aria-busy");
  place.replaceChildren(element("h3", {}, "Answer"), ...(found ? shown(portal, found, took) : [
    element("p", { className: "bad" }, navigator.onLine
      ? "The browser got no answer that it may show. The API may not be reachable, or not answer pages: try the command."
      : "You are offline. Send it again when you are online."),
  ]));
}

/** `{ status, headers, text, size, type }`, or null if there was none that a page may see. */
async function answerOf(url, request) {
  try {
    const response = await fetch(url, { ...request, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const content = await response.arrayBuffer();
    const type = response.headers.get("Content-Type") ?? "";
    return { status: response.status, headers: [...response.headers], size: content.byteLength, type, text: TEXT.test(type) ? new TextDecoder().decode(content) : "" };
  } catch {
    return null;
  }
}

function shown(portal, { status, headers, text, size, type }, took) {
  const isGood = status < 400;
  const parsed = json(text);
  const badge = element("span", { className: `badge ${isGood ? "good" : "bad"}`, id: "status" }, String(status));
  const line = element("p", { className: "outcome" }, badge, element("span", {}, `${count(took)} ms`), element("span", {}, bytes(size)));
  line.setAttribute("role", "status");
  const body = element("pre", { tabIndex: 0 }, element("code", { id: "answer" }, parsed ? JSON.stringify(parsed, null, 2) : text || (size ? `${type || "Content"}, ${bytes(size)}` : "No content")));
  body.setAttribute("role", "region");
  body.setAttribute("aria-label", "Body of the answer");
  return [
    line, ...(isGood ? [] : [element("p", {}, explanation(portal, status, parsed))]), body, ...link(parsed),
    element("details", {}, element("summary", {}, `Headers (${headers.length})`),
      element("dl", { className: "headers" }, ...headers.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      element("p", { className: "muted" }, "Browsers show pages of other origins only some headers; the command shows all.")),
  ];
}

function explanation(portal, status, parsed) {
  const isNew = status === 403 && portal.secret && Date.now() - portal.secret.made < NEW_MS;
  const sentence = REFUSED[parsed?.code] ?? (status >= 500 ? "The API failed. Try again in a moment." : "The API refused it: its message says why.");
  return isNew ? `${sentence} A new key may need some seconds before it works.` : sentence;
}

/** A link to what an answer names. */
function link(parsed) {
  if (!/^https?:\/\//.test(parsed?.url ?? "")) return [];
  return [element("p", {}, element("a", { href: parsed.url, target: "_blank", rel: "noopener" }, "Open the address"))];
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
