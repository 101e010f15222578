// Sign-in by Cognito's hosted pages: authorization code with PKCE (RFC 7636), no library, no secret. Operators and visitors
// have user pools, and sessions, of their own.
//
// A session lives in the tabs alone, in sessionStorage: a new tab asks the open ones for it, and when the last one is
// closed it is gone. It is renewed silently, by one tab for all of them, until the refresh token ends (12 hours). Cognito
// sends people back to a page that is registered there, which redeems the code and returns to where they began.

const RENEW_MS = 5 * 60_000; // before the token ends
const ANSWER_MS = 120; // for which a new tab waits for the others

/** Operators come back to the root. */
export const operators = sessions({
  name: "sign-in", home: new URL("../", import.meta.url).href,
  urlOf: (config) => config.SignInUrl, clientOf: (config) => config.UserPoolClientId,
});
export const { person, restore, signIn, signOut, finishSignIn, ask } = operators;

/** Visitors come back to the page on which they are: each that has their session is registered at the sign-in. */
export const visitors = sessions({
  name: "visit", home: new URL(".", location.href).href,
  urlOf: (config) => config.VisitorsSignInUrl, clientOf: (config) => config.VisitorsUserPoolClientId,
});

/**
 * The sessions of a user pool. `name` is of what is kept in the browser, `home` the page to which the sign-in sends people;
 * `urlOf` and `clientOf` find the sign-in's address and the pages' client in the configuration.
 */
function sessions({ name, home, urlOf, clientOf }) {
  const begunKey = `${name}.begun`;
  const sessionKey = `${name}.session`;
  const tabs = new BroadcastChannel(name);
  let renewal; // a timer
  let heard = () => {}; // called when another tab has told its session
  let address; // of the sign-in, { url, client }; known once a page has asked for a session

  function stored() {
    return JSON.parse(sessionStorage.getItem(sessionKey) ?? "null");
  }

  /** Keep a session in this tab, or none; a `session` event tells the page that somebody else, or nobody, is signed in. */
  function keep(session) {
    const before = stored()?.email;
    if (session) sessionStorage.setItem(sessionKey, JSON.stringify(session));
    else sessionStorage.removeItem(sessionKey);
    clearTimeout(renewal);
    // A timer of a tab in the background may come late, and a laptop may sleep: `ask` renews, too.
    if (session?.refresh) renewal = setTimeout(() => renew().catch(() => {}), Math.max(0, session.expires - RENEW_MS - Date.now()));
    if (before !== session?.email) window.dispatchEvent(new Event("session"));
  }

  tabs.addEventListener("message", ({ data }) => {
    if (data.wanted && person()) tabs.postMessage({ session: stored(), answer: true });
    if (data.session && !(data.answer && person())) keep(data.session);
    if (data.session) heard();
    if (data.ended) keep(null);
  });

  /** Who is signed in, `{ token, email, expires }`, or null; `expires` is in milliseconds since the epoch. */
  function person() {
    const session = stored();
    return session && (session.refresh || session.expires > Date.now()) ? session : null;
  }

  /** On each page's start: have the session of an open tab, if this one has none. */
  async function restore(config) {
    if (config && urlOf(config)) address = { url: urlOf(config), client: clientOf(config) };
    if (person()) {
      keep(stored()); // sets the timer
      return;
    }
    if (new URLSearchParams(location.search).has("state")) return; // on the way back from the sign-in
    await new Promise((resolve) => {
      heard = resolve;
      setTimeout(resolve, ANSWER_MS);
      tabs.postMessage({ wanted: true });
    });
  }

  /** Leave for the sign-in; whoever comes back is on this page again, at the same address. */
  async function signIn(config) {
    const verifier = random();
    const state = random();
    sessionStorage.setItem(begunKey, JSON.stringify({ verifier, state, page: location.href }));
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    location.assign(`${urlOf(config)}/oauth2/authorize?${new URLSearchParams({
      response_type: "code", client_id: clientOf(config), redirect_uri: home, scope: "openid email",
      state, code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256",
    })}`);
  }

  /** End the session here, in the other tabs, and at the sign-in. */
  async function signOut(config) {
    const refresh = stored()?.refresh;
    end();
    // The sign-in's own log-out ends the browser's session there, but not the refresh token.
    if (refresh) await post(`${urlOf(config)}/oauth2/revoke`, { token: refresh, client_id: clientOf(config) }).catch(() => {});
    location.assign(`${urlOf(config)}/logout?${new URLSearchParams({ client_id: clientOf(config), logout_uri: home })}`);
  }

  /**
   * On the page to which the sign-in sends people: redeem the code in the address, and go back to the page that asked for
   * it. Whether there was one. Throws with a sentence for people.
   */
  async function finishSignIn(config) {
    const answer = new URLSearchParams(location.search);
    if (!answer.has("state")) return false;
    const begun = JSON.parse(sessionStorage.getItem(begunKey) ?? "null");
    sessionStorage.removeItem(begunKey);
    history.replaceState(null, "", location.pathname); // a code is good once, and no bookmark
    if (!begun || answer.get("state") !== begun.state) throw new Error("The sign-in was not begun in this tab. Please sign in again.");
    if (!answer.has("code")) throw new Error(`The sign-in failed: ${answer.get("error_description") ?? answer.get("error")}`);
    const response = await post(`${urlOf(config)}/oauth2/token`, {
      grant_type: "authorization_code", client_id: clientOf(config), redirect_uri: home,
      code: answer.get("code"), code_verifier: begun.verifier,
    }).catch(() => null);
    if (!response?.ok) throw new Error("The sign-in could not be finished. Please sign in again.");
    const tokens = await response.json();
    const session = sessionOf(tokens, tokens.refresh_token);
    sessionStorage.setItem(sessionKey, JSON.stringify(session)); // no `session` event: this page is about to go
    tabs.postMessage({ session });
    history.replaceState(null, "", begun.page);
    location.reload(); // also where the two differ by their fragment alone
    return true;
  }

  /**
   * An API's JSON in the name of who is signed in: `{ status, body }`; `request` is what `fetch` takes, and `read` what reads a
   * good answer that is not JSON. A token that is refused and cannot be renewed ends the session.
   */
  async function ask(url, { read = json, ...request } = {}) {
    const ended = { status: 401, body: { code: "unauthorized", message: "Your sign-in has ended" } };
    for (const isLast of [false, true]) {
      let session = person();
      if (session && session.expires - Date.now() < RENEW_MS) session = await renew();
      if (!session) return ended;
      const response = await fetch(url, { ...request, headers: { ...request.headers, Authorization: session.token }, cache: "no-store" });
      if (response.status === 401 && !isLast && await renew(session.token)) continue;
      if (response.status === 401) end();
      const body = await (response.ok ? read : json)(response).catch(() => null);
      if (body) return { status: response.status, body };
      return { status: response.ok ? 502 : response.status, body: { code: String(response.status), message: "The answer cannot be read" } };
    }
    return ended;
  }

  /**
   * A session whose token is good for a while, or null if it has ended; `refused` is a token that an API did not take.
   * One tab renews at a time; the others have what it got.
   */
  function renew(refused) {
    return navigator.locks.request(`${name}.renew`, async () => {
      const session = person();
      const isFresh = session && session.token !== refused && session.expires - Date.now() >= RENEW_MS;
      if (!session || isFresh) return session;
      if (!session.refresh || !address) return usable(session, refused);
      const response = await post(`${address.url}/oauth2/token`, {
        grant_type: "refresh_token", client_id: address.client, refresh_token: session.refresh,
      }).catch(() => null);
      if (!response || response.status >= 500) return usable(session, refused); // try again at the next question
      if (!response.ok) {
        end();
        return null;
      }
      const next = sessionOf(await response.json(), session.refresh);
      if (stored()?.refresh !== session.refresh) return person(); // meanwhile somebody signed out, or another signed in
      keep(next);
      tabs.postMessage({ session: next });
      return next;
    });
  }

  function end() {
    keep(null);
    tabs.postMessage({ ended: true });
  }

  return { name, person, restore, signIn, signOut, finishSignIn, ask };
}

/** A session that could not be renewed: good until its token ends. */
const usable = (session, refused) => (session.token !== refused && session.expires > Date.now() ? session : null);

const json = (response) => response.json();

function post(url, fields) {
  return fetch(url, { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams(fields) });
}

/** Only to show and to time: the API checks the signature. */
function sessionOf({ id_token: token }, refresh) {
  const { email, exp } = JSON.parse(new TextDecoder().decode(bytesOf(token.split(".")[1])));
  return { token, refresh, email, expires: exp * 1000 };
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
