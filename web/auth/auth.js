// A relying party without a server: authorization code with PKCE (RFC 7636) at the central authentication.
// It is registered as the client `sign-on-page`, public, with this page's address as its callback.
import { openPage } from "../shared/shell.js";
import { base64url, random } from "../shared/signin.js";
import { element } from "../shared/suite.js";

const CLIENT = "sign-on-page";
const BEGUN = "sign-on.begun";
const HERE = location.origin + location.pathname;
const who = document.querySelector("#who");

async function begin(issuer) {
  const [verifier, state, nonce] = [random(), random(), random()];
  sessionStorage.setItem(BEGUN, JSON.stringify({ verifier, state, nonce }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(`${issuer}/oauth2/authorize?${new URLSearchParams({
    response_type: "code", client_id: CLIENT, redirect_uri: HERE, scope: "openid profile email", state, nonce,
    code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256",
  })}`);
}

/** What the authentication tells of the person who came back; null if nobody did. */
async function finish(issuer) {
  const answer = new URLSearchParams(location.search);
  const begun = JSON.parse(sessionStorage.getItem(BEGUN) ?? "null");
  if (!answer.has("state")) return null;
  sessionStorage.removeItem(BEGUN);
  history.replaceState(null, "", location.pathname); // a code is good once, and no bookmark
  if (answer.get("state") !== begun?.state || answer.get("iss") !== issuer) {
    throw new Error("The sign-in was not begun in this tab. Please sign in again.");
  }
  if (!answer.has("code")) throw new Error(`You were not signed in: ${answer.get("error_description") ?? answer.get("error")}`);
  const exchange = await fetch(`${issuer}/oauth2/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "authorization_code", client_id: CLIENT, redirect_uri: HERE, code: answer.get("code"),
      code_verifier: begun.verifier,
    }),
  });
  if (!exchange.ok) throw new Error("The sign-in could not be finished. Please sign in again.");
  const tokens = await exchange.json();
  // It came straight from the provider, by TLS, which stands for its signature (OpenID Connect Core, 3.1.3.7).
  const { aud, iss, nonce, sub } = JSON.parse(atob(tokens.id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  if (iss !== issuer || aud !== CLIENT || nonce !== begun.nonce) {
    throw new Error("The sign-in belongs to another request. Please sign in again.");
  }
  const told = await fetch(`${issuer}/oauth2/userinfo`, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  const claims = told.ok ? await told.json() : {};
  if (claims.sub !== sub) throw new Error("The authentication does not say who you are. Please sign in again.");
  return { claims, idToken: tokens.id_token };
}

function show(issuer, person) {
  if (!person) {
    const button = element("button", { onclick: () => begin(issuer) }, "Sign in");
    who.replaceChildren(element("h2", {}, "You are not signed in here"), button);
    return;
  }
  const rows = Object.entries(person.claims).map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, String(value))));
  const leave = new URLSearchParams({ id_token_hint: person.idToken, post_logout_redirect_uri: HERE });
  who.replaceChildren(
    element("h2", {}, `Hello, ${person.claims.name ?? person.claims.given_name ?? person.claims.email}`),
    element("table", {}, element("caption", {}, "What this page was told"), element("tbody", {}, ...rows)),
    element("p", {}, element("a", { href: `${issuer}/oauth2/logout?${leave}` }, "Sign out")));
}

try {
  const { AuthApiUrl: issuer } = await openPage();
  if (!issuer) throw new Error("The central authentication is not part of this deployment.");
  document.querySelector("#keys").href = `${issuer}/.well-known/jwks.json`;
  show(issuer, null);
  const person = await finish(issuer);
  if (person) show(issuer, person);
} catch (error) {
  if (who.querySelector("h2") === null) who.hidden = true;
  Object.assign(document.querySelector("#trouble"), { hidden: false, textContent: error.message });
}
