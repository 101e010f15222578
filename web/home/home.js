// The suite at a glance: each application with its flow, its health, what it did lately, and what to try next.
import { addressOf, APPLICATIONS, icon } from "../shared/applications.js";
import { activity, healthBadge, prose, whatIsWrong } from "../shared/health.js";
import { openPage } from "../shared/shell.js";
import { ask, finishSignIn, person } from "../shared/signin.js";
import { complain, copy, element, isLocal } from "../shared/suite.js";

const REFRESH_MS = 60_000; // each look may cost $0.0009
const ROOM = 2; // for counts in a card

const find = (selector) => document.querySelector(selector);
const cards = new Map(); // of each deployed application, where its health and activity go
let timer = 0;

function command(text) {
  const button = element("button", { type: "button", className: "bare copy" }, "Copy");
  button.setAttribute("aria-label", `Copy ${text}`);
  button.addEventListener("click", () => copy(text, button));
  return element("span", { className: "command" }, element("code", {}, text), button);
}

function flow({ flow: steps }) {
  return element("ol", { className: "flow" }, ...steps.map((step) => element("li", {}, element("span", {}, step))));
}

function heading({ title, page, icon: path }, isOn) {
  return element("h2", {}, icon(path), isOn ? element("a", { href: addressOf(page) }, title) : title);
}

function deployedCard(application) {
  const { name, text, next } = application;
  const health = element("span", { className: "state" });
  const lately = element("dl", { className: "stats lately" });
  const wrong = element("ul", { className: "wrong", hidden: true });
  const hint = isLocal() ? next.local : next.aws;
  cards.set(name, { health, lately, wrong });
  const isCommand = hint.startsWith("make ");
  return element("section", { className: "card application", id: name },
    element("div", { className: "top" }, heading(application, true), health),
    element("p", { className: "muted" }, text), flow(application), wrong, lately,
    element("div", { className: "next" },
      element("p", {}, element("strong", {}, "Try next: "), hint && !isCommand ? `${hint}.` : `${next.text}.`),
      element("div", { className: "actions" },
        element("a", { className: "button plain", href: addressOf(application.page) }, "Open"), ...(isCommand ? [command(hint)] : []))));
}

function missingCard(application) {
  const { name, text, parameter } = application;
  return element("section", { className: "card application", id: name },
    element("div", { className: "top" }, heading(application, false), element("span", { className: "muted" }, "Not deployed")),
    element("p", { className: "muted" }, text), flow(application),
    element("p", {}, "To deploy it, add ", element("code", {}, `${parameter}=true`), " to ", element("code", {}, "parameter_overrides"),
      " in samconfig.toml, then run ", element("code", {}, isLocal() ? "make up" : "make deploy"), "."));
}

/** Show health and activity of who may see them; skeletons until they are there. */
function showOverview({ applications, hours }) {
  const wrong = applications.filter(({ state }) => state !== "ok");
  const said = wrong.length
    ? `${wrong.length} of ${applications.length} applications ${wrong.length === 1 ? "needs" : "need"} attention.`
    : `All ${applications.length} applications are healthy.`;
  find("#period").textContent = `Counts are of the last ${hours} hours.`;
  Object.assign(find("#summary"), { className: wrong.length ? "bad" : "good", textContent: said });
  for (const each of applications) {
    const card = cards.get(each.application);
    if (!card) continue;
    const sentences = whatIsWrong(each);
    card.health.replaceChildren(healthBadge(each));
    card.wrong.replaceChildren(...sentences.map((sentence) => element("li", {}, ...prose(sentence))));
    card.wrong.hidden = !sentences.length;
    card.lately.replaceChildren(...each.activity.slice(0, ROOM).map((one) => activity(one)));
  }
}

function showNothing() {
  for (const { health, lately, wrong } of cards.values()) {
    health.replaceChildren();
    lately.replaceChildren();
    wrong.hidden = true;
  }
  Object.assign(find("#summary"), { className: "", textContent: "Sign in to see each application's health, and what it did lately." });
  find("#period").textContent = "";
}

async function refresh(config) {
  clearTimeout(timer);
  if (!person()) {
    showNothing();
    return;
  }
  for (const { lately } of cards.values()) {
    if (!lately.children.length) lately.replaceChildren(element("span", { className: "skeleton" }));
  }
  if (!document.hidden) {
    try {
      const { status, body } = await ask(`${config.InsightsApiUrl}/v1/insights/overview`);
      if (status === 200) {
        showOverview(body);
        complain();
      } else if (status === 401) showNothing();
      else throw new Error(body.message);
    } catch (error) {
      showNothing();
      Object.assign(find("#summary"), { textContent: "" });
      complain(error instanceof TypeError ? "The overview cannot be loaded: no connection to the API." : error.message);
    }
  }
  timer = setTimeout(() => refresh(config), REFRESH_MS);
}

try {
  const config = await openPage();
  const isReturning = await finishSignIn(config).catch((error) => { complain(error.message); return false; });
  if (!isReturning) {
    const missing = APPLICATIONS.filter(({ output }) => !(output in config));
    find("#applications").replaceChildren(...APPLICATIONS.filter(({ output }) => output in config).map(deployedCard));
    find("#missing .grid").replaceChildren(...missing.map(missingCard));
    find("#missing").hidden = !missing.length;
    find("main").removeAttribute("aria-busy");
    refresh(config);
    window.addEventListener("session", () => refresh(config));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(config); });
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
} catch (error) {
  complain(error.message);
}
