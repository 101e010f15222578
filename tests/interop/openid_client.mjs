// An application with the npm package openid-client: reads jobs from standard input, one JSON object a line, and
// answers each with one line.
import * as readline from "node:readline";
import * as client from "openid-client";

let config, asked;

const jobs = {
  // { issuer, id, key: private JWK | null, signatures: whether those of ID tokens are verified, though they come
  // straight from the issuer, which is not the package's default; regional: whether assertions name the token
  // endpoint, and not the issuer, which is the default }
  async discover({ issuer, id, key, signatures, regional }) {
    const named = {
      [client.modifyAssertion]: (_header, claims) => {
        claims.aud = config.serverMetadata().token_endpoint;
      },
    };
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const authentication = key
      ? client.PrivateKeyJwt(
          await crypto.subtle.importKey("jwk", key, algorithm, false, ["sign"]),
          regional ? named : undefined,
        )
      : client.None();
    const execute = [client.allowInsecureRequests, ...(signatures ? [client.enableNonRepudiationChecks] : [])];
    config = await client.discovery(new URL(issuer), id, undefined, authentication, { execute });
    return { issuer: config.serverMetadata().issuer };
  },
  // { redirect_uri, scope, ... }
  async begin(parameters) {
    asked = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
      idTokenExpected: true,
    };
    const url = client.buildAuthorizationUrl(config, {
      ...parameters,
      state: asked.expectedState,
      nonce: asked.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(asked.pkceCodeVerifier),
      code_challenge_method: "S256",
    });
    return { url: url.href };
  },
  // { url: where the person was sent back to }
  async finish({ url }) {
    const tokens = await client.authorizationCodeGrant(config, new URL(url), asked);
    return { tokens, claims: tokens.claims() };
  },
  async userinfo({ token, subject }) {
    return { claims: await client.fetchUserInfo(config, token, subject) };
  },
  async refresh({ token }) {
    const tokens = await client.refreshTokenGrant(config, token);
    return { tokens, claims: tokens.claims() };
  },
  async revoke({ token }) {
    await client.tokenRevocation(config, token);
    return {};
  },
  async end(parameters) {
    return { url: client.buildEndSessionUrl(config, parameters).href };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { job, ...parameters } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await jobs[job](parameters)));
  } catch (error) {
    console.log(JSON.stringify({ problem: error.error ?? error.code ?? error.message }));
  }
}
