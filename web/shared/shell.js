// The frame of every page: where one is, the way to every application, who is signed in, light or dark.
import { addressOf, APPLICATIONS, icon } from "./applications.js";
import { operators, visitors } from "./signin.js";
import { configuration, element } from "./suite.js";

const SCHEME = "scheme"; // in localStorage, once somebody has chosen one
const SCHEMES = { auto: "Automatic", light: "Light", dark: "Dark" };
const HOME_ICON = "M4 11l8-7 8 7v9h-5v-6H9v6H4z";
const MENU_ICON = "M4 7h16M4 12h16M4 17h16";

/** Whose session the bar shows: the visitors', on a page that says so (`<body data-session="visitors">`). */
const session = document.body.dataset.session === "visitors" ? visitors : operators;

/** Draw the frame; the configuration. Throws with a sentence for people if that cannot be loaded. */
export async function openPage() {
  useScheme(localStorage.getItem(SCHEME));
  const place = document.querySelector("#shell");
  const who = element("div", { className: "session" });
  const navigation = element("nav", { id: "navigation" });
  navigation.setAttribute("aria-label", "Applications");
  place.replaceChildren(
    element("a", { className: "skip", href: "#main" }, "Skip to the content"),
    element("div", { className: "bar" }, menuButton(navigation), brand(), who), navigation);
  drawNavigation(navigation, null);
  who.append(schemeButton());
  const config = await configuration();
  await session.restore(config);
  drawNavigation(navigation, config);
  const drawSession = () => who.replaceChildren(...whoIsIn(config), schemeButton());
  drawSession();
  window.addEventListener("session", drawSession);
  return config;
}

function brand() {
  const made = element("a", { className: "brand", href: addressOf("") },
    element("img", { src: new URL("favicon.svg", import.meta.url).href, width: 26, height: 26, alt: "" }), "Serverless suite");
  return made;
}

function menuButton(navigation) {
  const button = element("button", { type: "button", className: "bare menu" }, icon(MENU_ICON));
  button.setAttribute("aria-label", "Menu");
  button.setAttribute("aria-controls", "navigation");
  const open = (isOpen) => {
    navigation.classList.toggle("open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
  };
  open(false);
  button.addEventListener("click", () => open(!navigation.classList.contains("open")));
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !navigation.classList.contains("open")) return;
    open(false);
    button.focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (!navigation.contains(target) && !button.contains(target)) open(false);
  });
  return button;
}

/** Links to every page; without a configuration nobody knows yet what is deployed. */
function drawNavigation(navigation, config) {
  const here = document.body.dataset.application;
  const asked = new URLSearchParams(location.search).get("app");
  const link = (page, title, path, isHere, isOff) => {
    const anchor = element("a", { href: addressOf(page) }, icon(path), element("span", {}, title), ...(isOff ? [element("small", {}, "off")] : []));
    if (isHere) anchor.setAttribute("aria-current", "page");
    return element("li", { className: isOff ? "off" : "" }, anchor);
  };
  navigation.replaceChildren(element("ul", {},
    link("", "Home", HOME_ICON, here === "home", false),
    ...APPLICATIONS.map(({ name, title, page, icon: path, output }) => {
      const isOff = Boolean(config) && !(output in config);
      return link(isOff ? `#${name}` : page, title, path, here === name || (here === "insights" && asked === name), isOff);
    })));
}

function whoIsIn(config) {
  const who = session.person();
  if (!who) return [element("button", { type: "button", className: "plain sign-in", onclick: () => session.signIn(config) }, "Sign in")];
  return [
    element("span", { className: "who", title: `Signed in as ${who.email}` }, who.email),
    element("button", { type: "button", className: "bare", onclick: () => session.signOut(config) }, "Sign out"),
  ];
}

function useScheme(scheme) {
  if (scheme in SCHEMES && scheme !== "auto") document.documentElement.dataset.scheme = scheme;
  else delete document.documentElement.dataset.scheme;
}

/** One button that goes on to the next scheme; `scheme` events on the window tell charts to be drawn anew. */
function schemeButton() {
  const current = () => document.documentElement.dataset.scheme ?? "auto";
  const button = element("button", { type: "button", className: "bare" });
  const draw = () => {
    button.replaceChildren({ auto: "◐", light: "☀", dark: "☾" }[current()]);
    button.setAttribute("aria-label", `Colours: ${SCHEMES[current()]}`);
    button.title = `Colours: ${SCHEMES[current()]}`;
  };
  button.addEventListener("click", () => {
    const names = Object.keys(SCHEMES);
    const next = names[(names.indexOf(current()) + 1) % names.length];
    if (next === "auto") localStorage.removeItem(SCHEME);
    else localStorage.setItem(SCHEME, next);
    useScheme(next);
    draw();
    window.dispatchEvent(new Event("scheme"));
  });
  draw();
  return button;
}
