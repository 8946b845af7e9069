// An origin that verifies Sallyport-Jwt-Assertion with jose. Answers 200 and says who is asking, or 403. Also fit to stand
// behind nginx's auth_request or Caddy's forward_auth. Settings come from the environment; must not trust any other header.

import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

const authUrl = setting("SALLYPORT_AUTH_URL"); // https://auth.example.com
const audience = setting("SALLYPORT_AUDIENCE"); // https://grafana.example.com: the application's public URL
const jwksUrl = process.env["SALLYPORT_JWKS_URL"] ?? `${authUrl}/.well-known/jwks.json`;

// Keeps the keys, and asks again for a key it does not know, at most every 30 s.
const keys = createRemoteJWKSet(new URL(jwksUrl), { cacheMaxAge: 300_000, cooldownDuration: 30_000 });

/** Who is asking. Throws unless the assertion is genuine, current, and for this application. */
async function verifyAssertion(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer: authUrl,
    audience,
    algorithms: ["ES256"],
    typ: "sallyport-assertion+jwt",
    requiredClaims: ["exp", "iat", "sub"],
    clockTolerance: 30,
  });
  return payload;
}

const server = createServer((request, response) => {
  verifyAssertion(request.headers["sallyport-jwt-assertion"] ?? "").then(
    ({ kind, sub, email }) => {
      response.writeHead(200, { "Content-Type": "application/json", "X-User": encodeURIComponent(email ?? sub) });
      response.end(`${JSON.stringify({ kind, sub, email })}\n`);
    },
    (/** @type {unknown} */ error) => {
      console.error("refused:", error instanceof Error && "code" in error ? error.code : error);
      response.writeHead(403).end("who are you?\n");
    },
  );
});
server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => console.log("listening on", server.address().port));

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
