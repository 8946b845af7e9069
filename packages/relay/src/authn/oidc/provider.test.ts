import { createHash } from "node:crypto";
import type { JWTPayload } from "jose";
import { describe, expect, it, test } from "vitest";
import { ATTEMPT, atHash, callbackUrl, FakeProvider, outcome, signingKey } from "./test-support.ts";

const REDIRECT_URI = "https://auth.example.com/callback/corp";

describe("the authorization request", () => {
  it("R-F3: has state, nonce and a PKCE challenge with S256", async () => {
    const url = new URL(await new FakeProvider().provider().begin(ATTEMPT, REDIRECT_URI));
    expect(`${url.origin}${url.pathname}`).toBe("https://idp.example.com/authorize");
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: "client",
      response_type: "code",
      redirect_uri: REDIRECT_URI,
      scope: "openid profile email",
      state: ATTEMPT.state,
      nonce: ATTEMPT.nonce,
      code_challenge: createHash("sha256").update(ATTEMPT.codeVerifier).digest("base64url"),
      code_challenge_method: "S256",
    });
  });

  it("R-F3: is not made for a provider that has PKCE in the plain form only", async () => {
    const fake = new FakeProvider();
    fake.discovery["code_challenge_methods_supported"] = ["plain"];
    await expect(fake.provider().begin(ATTEMPT, REDIRECT_URI)).rejects.toMatchObject({ code: "ERR_PROVIDER_INVALID" });
    expect(fake.problems.join()).toContain("no PKCE with S256");
  });

  it("R-F3: keeps what protects it, whatever parameters are configured", async () => {
    const fake = new FakeProvider();
    const url = new URL(await fake.provider({ authorizationParameters: { prompt: "login", state: "mine" } }).begin(ATTEMPT, REDIRECT_URI));
    expect([url.searchParams.get("prompt"), url.searchParams.getAll("state")]).toEqual(["login", [ATTEMPT.state]]);
  });
});

describe("discovery", () => {
  it.each<[string, (discovery: Record<string, unknown>) => void]>([
    ["another issuer (R-F4)", (discovery) => (discovery["issuer"] = "https://evil.example.com")],
    ["an issuer that differs by a slash (R-F4)", (discovery) => (discovery["issuer"] = "https://idp.example.com/")],
    ["an http token endpoint (R-F7)", (discovery) => (discovery["token_endpoint"] = "http://idp.example.com/token")],
    ["an http authorization endpoint (R-F7)", (discovery) => (discovery["authorization_endpoint"] = "http://idp.example.com/authorize")],
    ["an authorization endpoint that is a script (R-F7)", (discovery) => (discovery["authorization_endpoint"] = "javascript:alert(1)")],
    ["no keys", (discovery) => delete discovery["jwks_uri"]],
    ["only symmetric signatures (R-F5)", (discovery) => (discovery["id_token_signing_alg_values_supported"] = ["HS256"])],
  ])("with %s is refused", async (_title, change) => {
    const fake = new FakeProvider();
    change(fake.discovery);
    await expect(fake.provider().begin(ATTEMPT, REDIRECT_URI)).rejects.toMatchObject({ code: "ERR_PROVIDER_INVALID" });
  });

  it("is one request for many sign-ins, and a new one after an hour", async () => {
    const fake = new FakeProvider();
    const provider = fake.provider();
    await Promise.all(Array.from({ length: 20 }, () => provider.begin(ATTEMPT, REDIRECT_URI)));
    expect(fake.requests).toHaveLength(1);
    fake.clock.advance(3_600_000);
    await provider.begin(ATTEMPT, REDIRECT_URI);
    expect(fake.requests).toHaveLength(2);
  });

  it("R-F7: a provider that is down is asked once per 5 s, and what is known serves for 12 h", async () => {
    const fake = new FakeProvider();
    const provider = fake.provider();
    await provider.begin(ATTEMPT, REDIRECT_URI);
    const [url = ""] = fake.requests.map((request) => request.url);
    fake.answers.delete(url);
    fake.clock.advance(11 * 3_600_000);
    for (let index = 0; index < 50; index++) await provider.begin(ATTEMPT, REDIRECT_URI);
    expect(fake.count(url)).toBe(2);
    fake.clock.advance(3_600_000);
    const error = { code: "ERR_PROVIDER_UNREACHABLE", retryable: true };
    for (let index = 0; index < 50; index++) await expect(provider.begin(ATTEMPT, REDIRECT_URI)).rejects.toMatchObject(error);
    expect(fake.count(url)).toBe(3);
  });
});

describe("the callback", () => {
  it.each<[string, string]>([
    ["R-F2: no code and no error", `state=${ATTEMPT.state}`],
    ["R-F2: both code and error", `code=c&error=access_denied&state=${ATTEMPT.state}`],
    ["R-F2: two codes", `code=c&code=d&state=${ATTEMPT.state}`],
    ["R-F2: two states", `code=c&state=${ATTEMPT.state}&state=${ATTEMPT.state}`],
    ["R-F2: the state of another attempt", "code=c&state=other"],
    ["R-F2: no state", "code=c"],
    ["R-F2: an empty code", `code=&state=${ATTEMPT.state}`],
    ["R-F4: another issuer (RFC 9207)", `code=c&state=${ATTEMPT.state}&iss=https%3A%2F%2Fevil.example.com`],
    ["an ID token in the front channel", `code=c&state=${ATTEMPT.state}&id_token=x`],
    ["a response object", `response=x&code=c&state=${ATTEMPT.state}`],
  ])("%s is refused before the code is redeemed", async (_title, query) => {
    const fake = new FakeProvider();
    expect(await outcome(fake.provider().finish(ATTEMPT, new URL(`${REDIRECT_URI}?${query}`)))).toBe("provider-invalid");
    expect(fake.count("https://idp.example.com/token")).toBe(0);
  });

  it("R-F4: has to name the issuer where the provider promised it (RFC 9207)", async () => {
    const fake = new FakeProvider();
    fake.discovery["authorization_response_iss_parameter_supported"] = true;
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
    const named = callbackUrl({ code: "c", state: ATTEMPT.state, iss: fake.issuer });
    expect(await outcome(fake.provider().finish(ATTEMPT, named))).toBe("login 248289761001");
  });

  it("with an error says the provider's words, without control characters and at most 200 characters of them", async () => {
    const description = `No\u001b[31m \u202eentry<script>${"x".repeat(400)}`;
    const callback = callbackUrl({ error: "access_denied", error_description: description, state: ATTEMPT.state });
    const result = await new FakeProvider().provider().finish(ATTEMPT, callback);
    expect(result).toMatchObject({ kind: "problem", problem: "refused-by-provider" });
    const detail = result.kind === "problem" ? result.detail : "";
    expect(detail).toMatch(/^access_denied: No \[31m {2}entry<script>x+…$/);
    expect(detail).toHaveLength(200);
  });
});

describe("the code exchange", () => {
  it("R-F3: sends the verifier of this attempt to the discovered token endpoint, with the client's secret", async () => {
    const fake = new FakeProvider();
    await fake.provider().finish(ATTEMPT, callbackUrl());
    const exchange = fake.requests.find(({ url }) => url === "https://idp.example.com/token");
    expect(Object.fromEntries(exchange?.request.body as URLSearchParams)).toEqual({
      grant_type: "authorization_code",
      code: "code",
      redirect_uri: REDIRECT_URI,
      code_verifier: ATTEMPT.codeVerifier,
    });
    expect(exchange?.request.headers["authorization"]).toBe(`Basic ${btoa("client:client%2Dsecret")}`);
  });

  it("sends the secret in the body where that is advertised", async () => {
    const fake = new FakeProvider();
    fake.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_basic", "client_secret_post"];
    await fake.provider().finish(ATTEMPT, callbackUrl());
    const exchange = fake.requests.find(({ url }) => url === "https://idp.example.com/token");
    expect((exchange?.request.body as URLSearchParams | undefined)?.get("client_secret")).toBe("client-secret");
    expect(exchange?.request.headers["authorization"]).toBeUndefined();
  });

  it.each<[string, () => Response, string]>([
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "https://evil.example.com" } }), "provider-invalid"],
    ["HTML", () => new Response("<p>", { headers: { "content-type": "text/html" } }), "provider-invalid"],
    ["broken JSON", () => new Response("{", { headers: { "content-type": "application/json" } }), "provider-invalid"],
    ["no ID token", () => Response.json({ access_token: "a", token_type: "bearer" }), "provider-invalid"],
    ["an ID token that is a number", () => Response.json({ access_token: "a", token_type: "bearer", id_token: 1 }), "provider-invalid"],
    ["invalid_grant", () => Response.json({ error: "invalid_grant" }, { status: 400 }), "provider-invalid"],
    ["temporarily_unavailable", () => Response.json({ error: "temporarily_unavailable" }, { status: 400 }), "provider-unreachable"],
  ])("answered with %s is a problem", async (_title, answer, problem) => {
    const fake = new FakeProvider();
    fake.answers.set("https://idp.example.com/token", answer);
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe(problem);
  });
});

describe("R-F5: the ID token", () => {
  const login = async (change: JWTPayload, fake = new FakeProvider()): Promise<string> => {
    fake.idToken = { ...fake.idToken, ...change };
    return await outcome(fake.provider().finish(ATTEMPT, callbackUrl()));
  };
  const now = Math.floor(Date.now() / 1_000);

  it.each<[string, JWTPayload]>([
    ["for another client", { aud: "other" }],
    ["for several clients without an authorized party", { aud: ["client", "other"] }],
    ["with another authorized party", { azp: "other" }],
    ["of another issuer (R-F4)", { iss: "https://evil.example.com" }],
    ["of an issuer that differs by a slash (R-F4)", { iss: "https://idp.example.com/" }],
    ["that expired 70 s ago", { iat: now - 300, exp: now - 70 }],
    ["from 70 s in the future", { iat: now + 70, exp: now + 500 }],
    ["made 12 min ago", { iat: now - 720 }],
    ["not valid before 70 s from now", { nbf: now + 70 }],
    ["without expiry", { exp: undefined as unknown as number }],
    ["without time of issue", { iat: undefined as unknown as number }],
    ["with another nonce (R-F3)", { nonce: "other" }],
    ["without nonce (R-F3)", { nonce: undefined }],
    ["with the hash of another access token", { at_hash: atHash("other") }],
    ["with a hash that is too short", { at_hash: "" }],
    ["with a hash that is a list", { at_hash: [atHash("access-token")] }],
  ])("%s is refused", async (_title, change) => {
    expect(await login(change)).toBe("provider-invalid");
  });

  it.each<[string, JWTPayload]>([
    ["that expired 50 s ago", { iat: now - 300, exp: now - 50 }],
    ["from 50 s in the future", { iat: now + 50 }],
    ["with the hash of its access token", { at_hash: atHash("access-token") }],
    ["for several clients, authorized for this one", { aud: ["other", "client"], azp: "client" }],
  ])("%s is accepted", async (_title, change) => {
    expect(await login(change)).toBe("login 248289761001");
  });

  it("signed with a key that the provider does not publish is refused", async () => {
    const fake = new FakeProvider();
    const foreign = await signingKey("ES256", fake.key.kid);
    fake.answers.set("https://idp.example.com/token", async () =>
      Response.json({ ...fake.tokens, id_token: await fake.sign(fake.idToken, {}, foreign) }),
    );
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
    expect(fake.problems.join()).toContain("ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
  });

  it("signed with an algorithm that is not configured is refused", async () => {
    const fake = new FakeProvider();
    expect(await outcome(fake.provider({ algorithms: ["RS256"] }).finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
  });

  it.each(["none", "HS256"])("with alg %s is refused, whatever the provider advertises", async (alg) => {
    const fake = new FakeProvider();
    fake.discovery["id_token_signing_alg_values_supported"] = ["ES256", alg];
    const [, payload = ""] = (await fake.sign(fake.idToken)).split(".");
    const header = Buffer.from(JSON.stringify({ alg })).toString("base64url");
    const { createHmac } = await import("node:crypto");
    const signature = alg === "none" ? "" : createHmac("sha256", "client-secret").update(`${header}.${payload}`).digest("base64url");
    fake.answers.set("https://idp.example.com/token", () =>
      Response.json({ ...fake.tokens, id_token: `${header}.${payload}.${signature}` }),
    );
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
  });

  it.each(["RS256", "PS256", "EdDSA"])("signed with %s is accepted", async (alg) => {
    const fake = new FakeProvider();
    fake.discovery["id_token_signing_alg_values_supported"] = [alg];
    fake.key = await signingKey(alg);
    fake.idToken = { ...fake.idToken, at_hash: atHash("access-token", alg === "EdDSA" ? "sha512" : "sha256") };
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("login 248289761001");
  });

  it("without a usable subject is nobody", async () => {
    expect(await login({ sub: "caf\u00e9" })).toBe("identity-unusable");
  });
});

describe("R-F7: the provider's keys", () => {
  const KEYS = "https://idp.example.com/keys";

  it("a thousand unknown key ids lead to one request per 30 s", async () => {
    const fake = new FakeProvider();
    const provider = fake.provider();
    await provider.finish(ATTEMPT, callbackUrl());
    expect(fake.count(KEYS)).toBe(1);
    fake.clock.advance(30_000);
    const logout = { iss: fake.issuer, aud: "client", sub: "1", jti: "j", ...fake.times(), events: {} };
    const tokens = await Promise.all(Array.from({ length: 1_000 }, (_, index) => fake.sign(logout, { kid: `random-${index}` })));
    for (const token of tokens) expect(await provider.backChannelLogout(token)).toBeUndefined();
    expect(fake.count(KEYS)).toBe(2);
  });

  it("a new key is found when it first signs", async () => {
    const fake = new FakeProvider();
    const provider = fake.provider();
    await provider.finish(ATTEMPT, callbackUrl());
    fake.clock.advance(30_000);
    fake.key = await signingKey("ES256", "k2");
    expect(await outcome(provider.finish(ATTEMPT, callbackUrl()))).toBe("login 248289761001");
  });

  it("a key that was taken back is forgotten within 10 min", async () => {
    const fake = new FakeProvider();
    const provider = fake.provider();
    const old = fake.key;
    await provider.finish(ATTEMPT, callbackUrl());
    const replacement = await signingKey("ES256", "k2");
    fake.answers.set(KEYS, () => Response.json({ keys: [replacement.publicJwk] }));
    fake.clock.advance(600_000);
    fake.idToken = { ...fake.idToken, ...fake.times() };
    fake.key = old;
    expect(await outcome(provider.finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
  });

  it("serve for 12 h where the provider is down, and no longer", async () => {
    const fake = new FakeProvider();
    const provider = fake.provider();
    await provider.finish(ATTEMPT, callbackUrl());
    fake.answers.delete(KEYS);
    const logout = async (): Promise<boolean> => {
      const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
      const token = await fake.sign({ iss: fake.issuer, aud: "client", sub: "1", jti: String(fake.clock.now()), events, ...fake.times() });
      return (await provider.backChannelLogout(token)) !== undefined;
    };
    fake.clock.advance(12 * 3_600_000 - 1_000);
    expect(await logout()).toBe(true);
    fake.clock.advance(31_000);
    expect(await logout()).toBe(false);
  });

  it("that are symmetric are not keys of a provider", async () => {
    const fake = new FakeProvider();
    fake.answers.set(KEYS, () => Response.json({ keys: [{ kty: "oct", k: "AAAA", kid: "k1", alg: "HS256" }] }));
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
  });
});

describe("userinfo", () => {
  const complete = { name: "Ann", email: "ann@example.com", email_verified: true, groups: ["eng"] };
  const withUserinfo = (idToken: JWTPayload, userinfo: Readonly<Record<string, unknown>>): FakeProvider => {
    const fake = new FakeProvider();
    fake.discovery["userinfo_endpoint"] = "https://idp.example.com/me";
    fake.idToken = { ...fake.idToken, ...idToken };
    fake.setUserinfo({ sub: "248289761001", ...userinfo });
    return fake;
  };

  it("is not asked for what the ID token says", async () => {
    const fake = withUserinfo(complete, {});
    await fake.provider().finish(ATTEMPT, callbackUrl());
    expect(fake.count("https://idp.example.com/me")).toBe(0);
  });

  it("fills up what the ID token leaves out", async () => {
    const result = await withUserinfo({}, complete).provider().finish(ATTEMPT, callbackUrl());
    expect(result).toMatchObject({ login: { identity: { name: "Ann", email: "ann@example.com", groups: ["eng"] } } });
  });

  it("about somebody else ends the sign-in", async () => {
    const fake = withUserinfo({}, { ...complete, sub: "other" });
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
  });

  it("that cannot be had ends the sign-in: half a person is none", async () => {
    const fake = withUserinfo({}, {});
    fake.answers.delete("https://idp.example.com/me");
    expect(await outcome(fake.provider().finish(ATTEMPT, callbackUrl()))).toBe("provider-unreachable");
  });

  it("R-F5: verifies no other email than its own", async () => {
    const emailOf = async (idToken: JWTPayload, userinfo: Readonly<Record<string, unknown>>): Promise<unknown> => {
      const result = await withUserinfo(idToken, userinfo).provider().finish(ATTEMPT, callbackUrl());
      return result.kind === "login" ? result.login.identity.email : result;
    };
    expect(await emailOf({ email: "boss@example.com" }, { email: "ann@example.com", email_verified: true })).toBeUndefined();
    expect(await emailOf({ email_verified: true }, { email: "boss@example.com" })).toBeUndefined();
    expect(await emailOf({ email: "ann@example.com" }, { email: "ann@example.com", email_verified: true })).toBe("ann@example.com");
    expect(
      await emailOf({ email: "ann@example.com", email_verified: false }, { email: "ann@example.com", email_verified: true }),
    ).toBeUndefined();
  });
});

test.each([
  ["that breaks a rule", false],
  ["by a foreign key", true],
])("R-M2: no token, code or secret is in what operators and pages are told of an ID token %s", async (_title, foreignKey) => {
  const fake = new FakeProvider();
  fake.tokens = { ...fake.tokens, access_token: "canary-access", refresh_token: "canary-refresh" };
  if (!foreignKey) fake.idToken = { ...fake.idToken, aud: "canary-audience", nonce: "canary-nonce" };
  const key = foreignKey ? await signingKey("ES256", fake.key.kid) : fake.key;
  fake.answers.set("https://idp.example.com/token", async () =>
    Response.json({ ...fake.tokens, id_token: await fake.sign(fake.idToken, {}, key) }),
  );
  const result = await fake.provider().finish(ATTEMPT, callbackUrl({ code: "canary-code", state: ATTEMPT.state }));
  expect(result.kind).toBe("problem");
  expect(JSON.stringify([result, fake.problems])).not.toMatch(/canary|client-secret|eyJ/);
});
