// Sign-in by Cognito's hosted pages: authorization code with PKCE (RFC 7636), no library, no secret.
// The token lives in this tab's sessionStorage and nowhere else; the site's root is where Cognito sends people back to,
// and hands the code on to the page on which they began.

const BEGUN = "sign-in.begun";
const SESSION = "sign-in.session";
const ROOT = new URL("../", import.meta.url).href;

/** Who is signed in, `{ token, email, expires }`, or null; `expires` is in milliseconds since the epoch. */
export function person() {
  const session = JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
  if (session && session.expires > Date.now()) return session;
  sessionStorage.removeItem(SESSION);
  return null;
}

/** Leave for the sign-in; whoever comes back is on this page again. */
export async function signIn(config) {
  const verifier = random();
  const state = random();
  sessionStorage.setItem(BEGUN, JSON.stringify({ verifier, state, page: location.origin + location.pathname }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(`${config.SignInUrl}/oauth2/authorize?${new URLSearchParams({
    response_type: "code", client_id: config.UserPoolClientId, redirect_uri: ROOT, scope: "openid email",
    state, code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256",
  })}`);
}

/** Forget the token here and the session there. */
export function signOut(config) {
  sessionStorage.removeItem(SESSION);
  location.assign(`${config.SignInUrl}/logout?${new URLSearchParams({ client_id: config.UserPoolClientId, logout_uri: ROOT })}`);
}

/** On the root page: hand an answer of the sign-in on to the page that asked for it; whether there was one. */
export function handOn() {
  const begun = JSON.parse(sessionStorage.getItem(BEGUN) ?? "null");
  if (!begun || !new URLSearchParams(location.search).has("state")) return false;
  location.replace(begun.page + location.search);
  return true;
}

/** On the page that asked: turn the code in the address into a session. Throws with a sentence for people. */
export async function finishSignIn(config) {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return;
  const begun = JSON.parse(sessionStorage.getItem(BEGUN) ?? "null");
  sessionStorage.removeItem(BEGUN);
  history.replaceState(null, "", location.pathname); // a code is good once, and no bookmark
  if (!begun || answer.get("state") !== begun.state) throw new Error("The sign-in was not begun in this tab. Please sign in again.");
  if (!answer.has("code")) throw new Error(`The sign-in failed: ${answer.get("error_description") ?? answer.get("error")}`);
  const response = await fetch(`${config.SignInUrl}/oauth2/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "authorization_code", client_id: config.UserPoolClientId, redirect_uri: ROOT,
      code: answer.get("code"), code_verifier: begun.verifier,
    }),
  });
  if (!response.ok) throw new Error("The sign-in could not be finished. Please sign in again.");
  const { id_token: token } = await response.json();
  // Only to show and to time: the API checks the signature.
  const { email, exp } = JSON.parse(new TextDecoder().decode(bytesOf(token.split(".")[1])));
  sessionStorage.setItem(SESSION, JSON.stringify({ token, email, expires: exp * 1000 }));
}

/** An API's JSON in the name of who is signed in: `{ status, body }`. A refused token ends the session. */
export async function ask(address) {
  const session = person();
  if (!session) return { status: 401, body: { code: "unauthorized", message: "Your sign-in has ended" } };
  const response = await fetch(address, { headers: { Authorization: session.token }, cache: "no-store" });
  if (response.status === 401) sessionStorage.removeItem(SESSION);
  const body = await response.json().catch(() => ({ code: String(response.status), message: "The answer cannot be read" }));
  return { status: response.status, body };
}

/** 32 random bytes as base64url. */
export function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** Bytes as base64url without padding. */
export function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function bytesOf(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}
