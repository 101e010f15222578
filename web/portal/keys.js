// Keys: make, rotate, move to another plan, revoke. A value is in one answer alone, and on the page until its dialog closes.
import { copy, element } from "../shared/suite.js";
import { isOffered } from "./plans.js";
import { keyState, refusal, when } from "./words.js";

const MOST = 60; // characters of a name
const HOURS = { 0: "At once", 1: "In an hour", 24: "In a day", 72: "In three days", 168: "In a week" };
const OVERLAP = "24"; // hours
const JSON_BODY = { "Content-Type": "application/json" };

/** Draw the keys of who is signed in. */
export async function drawKeys(portal, place) {
  const [plans, keys, subscriptions] = await Promise.all([portal.plans(), portal.call("/v1/keys"), portal.call("/v1/subscriptions")]);
  for (const answer of [plans, keys]) if (answer.status !== 200) throw new Error(refusal(answer));
  const offers = offersOf(plans.body.plans, subscriptions.body.subscriptions ?? []); // the free plan needs none
  const wanted = offers.find(({ plan }) => plan === portal.query().get("plan"));
  if (subscriptions.status !== 200) portal.say("Your subscriptions cannot be read just now: only the free plan can be chosen.", "warm");
  else if (wanted?.isOff) portal.say("Keys of this plan need a subscription: subscribe to it on AWS Marketplace first.", "warm");
  const view = {
    portal, offers,
    titles: Object.fromEntries(plans.body.plans.map(({ name, title }) => [name, title])),
    redraw: () => drawKeys(portal, place).catch((error) => portal.say(error.message, "bad")),
  };
  const revoked = keys.body.keys.filter(({ state }) => state === "revoked");
  const living = keys.body.keys.filter(({ state }) => state !== "revoked");
  place.replaceChildren(
    createForm(view),
    living.length ? element("ul", { className: "keys" }, ...living.map((key) => keyCard(view, key)))
      : element("p", { className: "card empty" }, "No key yet. Name one above: a name says later where it is used."),
    ...(revoked.length ? [element("details", { className: "revoked" }, element("summary", {}, `Revoked keys (${revoked.length})`),
      element("ul", { className: "keys" }, ...revoked.map((key) => keyCard(view, key))))] : []));
}

/** What keys can be made of: the free plan, and each active subscription to another. */
function offersOf(plans, subscriptions) {
  return plans.filter(isOffered).flatMap(({ name, title }) => {
    if (name === "free") return [{ value: name, plan: name, label: title }];
    const active = subscriptions.filter(({ plan, state }) => plan === name && state === "active");
    if (!active.length) return [{ value: name, plan: name, label: `${title} (subscribe first)`, isOff: true }];
    return active.map(({ id }) => ({ value: `${name} ${id}`, plan: name, subscription: id, label: active.length > 1 ? `${title}, subscription ${id}` : title }));
  });
}

function choice(offers, chosen) {
  const list = element("select", { required: true }, ...offers.map(({ value, label, isOff }) => element("option", { value, disabled: Boolean(isOff) }, label)));
  const offer = offers.find(({ plan, isOff }) => plan === chosen && !isOff) ?? offers.find(({ isOff }) => !isOff);
  list.value = offer?.value ?? "";
  return list;
}

const contentOf = (offers, list) => {
  const { plan, subscription } = offers.find(({ value }) => value === list.value);
  return { plan, ...(subscription ? { subscription } : {}) };
};

function createForm(view) {
  const { portal, offers } = view;
  const name = element("input", { id: "key-name", required: true, maxLength: MOST, autocomplete: "off", placeholder: "Shop, production" });
  const plan = choice(offers, portal.query().get("plan"));
  const submit = element("button", {}, "Create the key");
  let id = crypto.randomUUID(); // of the request: however often it is sent, it makes one key
  const form = element("form", { className: "card make", noValidate: true }, element("h3", {}, "Create a key"), element("div", { className: "fields" },
    element("label", {}, "Name", name), element("label", {}, "Plan", plan), submit));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    const isNamed = Boolean(name.value.trim());
    name.setAttribute("aria-invalid", String(!isNamed));
    if (!isNamed) {
      portal.say("Name the key first: for example what will use it.", "bad");
      name.focus();
      return;
    }
    submit.disabled = true;
    portal.say("");
    const answer = await portal.call("/v1/keys", { method: "POST", headers: JSON_BODY, body: JSON.stringify({ id, name: name.value.trim(), ...contentOf(offers, plan) }) });
    submit.disabled = false;
    if (answer.status !== 0 && answer.status < 500) id = crypto.randomUUID();
    await made(view, answer, "");
  });
  return form;
}

/** What comes of a request that makes a key. */
async function made(view, answer, more) {
  const { portal } = view;
  if (answer.status === 201) {
    const { value, name } = answer.body;
    portal.secret = { name, value, made: Date.now() };
    showValue(portal, name, value, more);
    await view.redraw();
  } else if (answer.status === 200) {
    await view.redraw();
    portal.say("The key was made before, but the answer with its value was lost. Rotate it, at once, for a new value.", "warm");
  } else portal.say(refusal(answer), "bad");
}

// ---- dialogs

function dialog(title, ...children) {
  const heading = element("h2", { id: "dialog-title" }, title);
  const box = element("dialog", {}, heading, ...children);
  box.setAttribute("aria-labelledby", heading.id);
  box.addEventListener("close", () => box.remove());
  document.querySelector("main").append(box);
  box.showModal();
  return box;
}

function showValue(portal, name, value, more) {
  const code = element("pre", { className: "secret", tabIndex: 0 }, element("code", { id: "secret" }, value));
  code.setAttribute("role", "region");
  code.setAttribute("aria-label", "Value of the key");
  const button = element("button", { type: "button", autofocus: true }, "Copy");
  button.addEventListener("click", () => copy(value, button));
  const box = dialog(`The key “${name}”`,
    element("p", { className: "warning" }, "Copy the value now, and store it as you store passwords. It is not shown again."),
    element("div", { className: "snippet" }, code, button),
    ...(more ? [element("p", {}, more)] : []),
    element("div", { className: "actions" },
      element("button", { type: "button", className: "plain", onclick: () => box.close() }, "I have stored it"),
      element("button", { type: "button", className: "plain", onclick: () => { box.close(); portal.go("?view=try"); } }, "Try it now")));
}

/** A dialog that sends something: `send()` answers, `done(answer)` is called when it is closed. */
function confirmation({ title, text, fields = [], button, send, done }) {
  const submit = element("button", {}, button);
  const said = element("p", { className: "said bad" });
  said.setAttribute("role", "alert");
  const form = element("form", { className: "asks" }, element("p", {}, text), ...fields, said, element("div", { className: "actions" }, submit,
    element("button", { type: "button", className: "plain", onclick: () => box.close() }, "Cancel")));
  const box = dialog(title, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    said.textContent = "";
    const answer = await send();
    submit.disabled = false;
    if (answer.status >= 200 && answer.status < 300) {
      box.close();
      done(answer);
    } else said.textContent = refusal(answer);
  });
}

function overlap() {
  const list = element("select", {}, ...Object.entries(HOURS).map(([value, label]) => element("option", { value }, label)));
  list.value = OVERLAP;
  return list;
}

const field = (text, input) => element("label", { className: "field" }, text, input);

/** Replace a key, by one of the same plan or of another. */
function replaceKey(view, key, { title, text, button, offers }) {
  const id = crypto.randomUUID();
  const hours = overlap();
  const plan = offers && choice(offers, "");
  const send = () => view.portal.call(`/v1/keys/${key.id}/rotate`, {
    method: "POST", headers: JSON_BODY, body: JSON.stringify({ id, hours: Number(hours.value), ...(plan ? contentOf(offers, plan) : {}) }),
  });
  const more = () => (hours.value === "0" ? "The old key is refused from now on." : `The old key goes on working: it is revoked ${HOURS[hours.value].toLowerCase()}.`);
  confirmation({
    title, text, button, send, done: (answer) => made(view, answer, more()),
    fields: [...(plan ? [field("Plan", plan)] : []), field("Revoke the old key", hours)],
  });
}

function revoke(view, key) {
  confirmation({
    title: `Revoke “${key.name}”?`, button: "Revoke",
    text: "Calls with this key are refused from then on. That cannot be undone.",
    send: () => view.portal.call(`/v1/keys/${key.id}/revoke`, { method: "POST" }),
    done: async () => {
      await view.redraw();
      view.portal.say(`“${key.name}” is revoked.`, "good");
    },
  });
}

// ---- a key

function keyCard(view, key) {
  const { name, plan, subscription, state, last4, created, ends } = key;
  const { word, look, sentence } = keyState(key);
  const facts = [["Plan", view.titles[plan] ?? plan], ["Value", `…${last4}`], ["Created", when(1000 * created)], ...(subscription ? [["Subscription", subscription]] : [])];
  return element("li", { className: `card key-card${state === "revoked" ? " faded" : ""}` },
    element("div", { className: "top" }, element("h3", {}, name), element("span", { className: `badge ${look}` }, word)),
    element("dl", { className: "watched" }, ...facts.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text)))),
    ...(sentence ? [element("p", { className: "muted" }, sentence)] : []),
    ...(state === "revoked" ? [] : [element("div", { className: "actions" }, ...keyActions(view, key, Boolean(ends) || state === "creating"))]));
}

function keyActions(view, key, isOnlyRevocable) {
  const action = (text, onclick) => {
    const button = element("button", { type: "button", className: "plain", onclick }, text);
    button.setAttribute("aria-label", `${text}: ${key.name}`);
    return button;
  };
  const others = view.offers.filter(({ plan, isOff }) => plan !== key.plan && !isOff);
  if (isOnlyRevocable) return [action("Revoke", () => revoke(view, key))];
  return [
    action("Rotate", () => replaceKey(view, key, {
      title: `Rotate “${key.name}”`, button: "Rotate",
      text: "A new key takes its place, of the same name and plan. Both work until the old one is revoked.",
    })),
    ...(others.length ? [action("Change plan", () => replaceKey(view, key, {
      title: `Another plan for “${key.name}”`, button: "Change the plan", offers: others,
      text: "A new key of the other plan takes its place. Both work until the old one is revoked, so nothing is interrupted.",
    }))] : []),
    action("Revoke", () => revoke(view, key)),
  ];
}
