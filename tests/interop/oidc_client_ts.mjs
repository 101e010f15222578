// An application in a page, with the npm package oidc-client-ts: its buttons are its operations, and it shows what
// they lead to. The page has the settings of the package's UserManager.
import { UserManager } from "oidc-client-ts";

const manager = new UserManager(JSON.parse(document.querySelector("#settings").textContent));
const output = document.querySelector("output");

function show(said) {
  output.textContent = JSON.stringify(said);
}

function user({ profile, access_token, refresh_token }) {
  return { profile, access_token, refresh_token };
}

const operations = {
  "Sign in": () => manager.signinRedirect(),
  Refresh: async () => show(user(await manager.signinSilent())),
  Revoke: async () => {
    const { refresh_token } = await manager.getUser();
    await manager.revokeTokens();
    show({ revoked: refresh_token });
  },
  "Sign out": () => manager.signoutRedirect(),
};

async function attempt(operation) {
  output.textContent = "";
  try {
    await operation();
  } catch (error) {
    show({ problem: error.error ?? String(error) });
  }
}

for (const [name, operation] of Object.entries(operations)) {
  const button = document.createElement("button");
  button.textContent = name;
  button.onclick = () => attempt(operation);
  document.body.append(button);
}

if (location.pathname === "/callback") {
  await attempt(async () => {
    const signedIn = await manager.signinCallback(); // undefined in the frame of a silent renewal
    if (signedIn) show(user(signedIn));
  });
} else if (location.pathname === "/goodbye") {
  await attempt(async () => {
    await manager.signoutCallback();
    show({ signedOut: (await manager.getUser()) === null });
  });
}
