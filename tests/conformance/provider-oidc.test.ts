// Sign-in with a real OpenID Connect provider: what the unit tests say with a made one, said by one that others wrote.

import { Secret } from "@sallyport/shared/secret";
import { systemClock } from "@sallyport/shared/clock";
import { createProviders } from "@sallyport/relay/authn/providers";
import type { LoginAttempt, LoginResult, ProviderLogin, RedirectProvider } from "@sallyport/relay/authn/provider";
import type { OidcProviderConfig } from "@sallyport/relay/config/types";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIENT, type RunningProvider, startOidcProvider } from "./support/oidc-provider.ts";

const REDIRECT_URI = "https://auth.relay.localhost/callback/corp";
const ANN = { sub: "ann", name: "Ann Example", email: "Ann@EXAMPLE.com", email_verified: true, groups: ["eng", "Cafe\u0301"] };

const stack = new AsyncDisposableStack();
const problems: string[] = [];
let idp: RunningProvider;
let provider: RedirectProvider;
let logoutTokens: { next(): Promise<string> };

function random(): string {
  return randomBytes(32).toString("base64url");
}

function newAttempt(): LoginAttempt {
  return { state: random(), nonce: random(), codeVerifier: random() };
}

function configOf(issuer: string): OidcProviderConfig {
  return {
    type: "oidc",
    name: "corp",
    label: "Corp",
    preset: undefined,
    issuer,
    clientId: CLIENT.id,
    clientSecret: new Secret(CLIENT.secret),
    scopes: ["openid", "profile", "email", "groups", "offline_access"],
    groupsClaim: "groups",
    algorithms: ["RS256", "ES256"],
    emailVerified: "required",
    authorizationParameters: { prompt: "consent" },
    allowPrivateNetwork: true,
  };
}

function create(change: Partial<OidcProviderConfig> = {}): RedirectProvider {
  const deps = {
    clock: systemClock,
    authUrl: "https://auth.relay.localhost",
    onProblem: (_provider: string, explanation: string) => void problems.push(explanation),
    showOnTerminal: () => undefined,
    network: { ca: idp.ca },
  };
  return createProviders([{ ...configOf(idp.issuer), ...change }], deps).get("corp") as RedirectProvider;
}

async function login(attempt: LoginAttempt = newAttempt(), subject = "ann"): Promise<ProviderLogin> {
  const callback = await idp.signIn(await provider.begin(attempt, REDIRECT_URI), subject);
  const result = await provider.finish(attempt, callback);
  if (result.kind !== "login") throw new Error(`${result.problem}: ${result.detail}\n${problems.join("\n")}`);
  return result.login;
}

/** Where the provider delivers logout tokens: what the relay's /.sallyport/backchannel-logout/corp will be. */
async function listenForLogoutTokens(): Promise<{ readonly url: string; next(): Promise<string> }> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      resolve(new URLSearchParams(Buffer.concat(chunks).toString()).get("logout_token") ?? "");
      response.writeHead(200).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, next: () => promise };
}

beforeAll(async () => {
  const listener = await listenForLogoutTokens();
  logoutTokens = listener;
  idp = await startOidcProvider(stack, { redirectUri: REDIRECT_URI, backChannelLogoutUri: listener.url });
  idp.people.set("ann", ANN);
  provider = create();
});
afterAll(() => stack.disposeAsync());

describe("a sign-in", () => {
  test("A1, R-F5, R-N6: says who it is, with names in the spelling in which policies compare them", async () => {
    const { identity, refreshToken } = await login();
    expect(identity).toMatchObject({ subject: "ann", name: "Ann Example", email: "Ann@example.com", groups: ["eng", "Caf\u00e9"] });
    expect(refreshToken).toMatch(/^rt\../);
  });

  test("R-F5: an email that is not verified is no email", async () => {
    idp.people.set("bob", { ...ANN, sub: "bob", email_verified: false });
    expect((await login(newAttempt(), "bob")).identity.email).toBeUndefined();
  });

  const outcome = async (finish: Promise<LoginResult>): Promise<string> => {
    const result = await finish;
    return result.kind === "login" ? "login" : result.problem;
  };

  test("R-F1, R-F2: many attempts at once, and each callback fits its own attempt only", async () => {
    const attempts = [newAttempt(), newAttempt(), newAttempt()];
    const callbacks = await Promise.all(
      attempts.map(async (attempt) => await idp.signIn(await provider.begin(attempt, REDIRECT_URI), "ann")),
    );
    const [first, second, third] = attempts as [LoginAttempt, LoginAttempt, LoginAttempt];
    const [one, two, three] = callbacks as [URL, URL, URL];
    expect(await outcome(provider.finish(first, two))).toBe("provider-invalid");
    expect(await outcome(provider.finish(first, one))).toBe("login");
    expect(await outcome(provider.finish(second, two))).toBe("login");
    expect(await outcome(provider.finish(third, three))).toBe("login");
  });

  test("R-F2: a code works once", async () => {
    const attempt = newAttempt();
    const callback = await idp.signIn(await provider.begin(attempt, REDIRECT_URI), "ann");
    expect(await outcome(provider.finish(attempt, callback))).toBe("login");
    expect(await outcome(provider.finish(attempt, callback))).toBe("provider-invalid");
  });

  test("R-F2: a code of another attempt is refused although the state is right", async () => {
    const [own, foreign] = [newAttempt(), newAttempt()];
    const callback = await idp.signIn(await provider.begin(own, REDIRECT_URI), "ann");
    const swapped = await idp.signIn(await provider.begin(foreign, REDIRECT_URI), "ann");
    callback.searchParams.set("code", swapped.searchParams.get("code") ?? "");
    expect(await outcome(provider.finish(own, callback))).toBe("provider-invalid");
  });

  test("R-F3: without the verifier of the attempt the code is worth nothing", async () => {
    const attempt = newAttempt();
    const callback = await idp.signIn(await provider.begin(attempt, REDIRECT_URI), "ann");
    expect(await outcome(provider.finish({ ...attempt, codeVerifier: random() }, callback))).toBe("provider-invalid");
  });

  test("R-F3: an ID token with the nonce of another attempt is refused", async () => {
    const attempt = newAttempt();
    const callback = await idp.signIn(await provider.begin(attempt, REDIRECT_URI), "ann");
    expect(await outcome(provider.finish({ ...attempt, nonce: random() }, callback))).toBe("provider-invalid");
  });

  test("R-F4: this provider names itself in the callback (RFC 9207), and no other name and no missing one passes", async () => {
    for (const change of ["https://evil.example.com", undefined]) {
      const attempt = newAttempt();
      const callback = await idp.signIn(await provider.begin(attempt, REDIRECT_URI), "ann");
      expect(callback.searchParams.get("iss")).toBe(idp.issuer);
      if (change === undefined) callback.searchParams.delete("iss");
      else callback.searchParams.set("iss", change);
      expect(await outcome(provider.finish(attempt, callback))).toBe("provider-invalid");
    }
  });

  test("with a wrong client secret fails, and the secret is in no message", async () => {
    const wrong = create({ clientSecret: new Secret("canary-secret") });
    const attempt = newAttempt();
    const callback = await idp.signIn(await wrong.begin(attempt, REDIRECT_URI), "ann");
    const result = await wrong.finish(attempt, callback);
    expect(result).toMatchObject({ problem: "provider-invalid", detail: expect.stringContaining("invalid_client") as unknown });
    expect(JSON.stringify([result, problems])).not.toContain("canary");
  });

  test("R-F7: reaches no provider in a private network unless the configuration says so", async () => {
    await expect(create({ allowPrivateNetwork: false }).begin(newAttempt(), REDIRECT_URI)).rejects.toMatchObject({
      code: "ERR_PROVIDER_INVALID",
    });
  });

  test("the person who says no is told the provider's words", async () => {
    const attempt = newAttempt();
    await provider.begin(attempt, REDIRECT_URI);
    const query = new URLSearchParams({
      error: "access_denied",
      error_description: "End-User aborted interaction",
      state: attempt.state,
      iss: idp.issuer,
    });
    const result = await provider.finish(attempt, new URL(`${REDIRECT_URI}?${query.toString()}`));
    expect(result).toEqual({ kind: "problem", problem: "refused-by-provider", detail: "access_denied: End-User aborted interaction" });
  });
});

describe("R-F9: claims are renewed", () => {
  test("a lost group and a rotated refresh token arrive", async () => {
    const first = await login();
    idp.people.set("ann", { ...ANN, groups: [] });
    const renewed = await provider.refresh(first.refreshToken, "ann");
    idp.people.set("ann", ANN);
    expect(renewed).toMatchObject({ kind: "claims", login: { identity: { subject: "ann", groups: [] } } });
    const rotated = renewed.kind === "claims" ? renewed.login.refreshToken : undefined;
    expect(rotated).not.toBe(first.refreshToken);
    expect(await provider.refresh(rotated, "ann")).toMatchObject({ kind: "claims", login: { identity: { groups: ["eng", "Caf\u00e9"] } } });
  });

  test("ten at once are one at the provider: rotation survives", async () => {
    const { refreshToken } = await login();
    const before = idp.requests.filter((request) => request === "POST /token").length;
    const results = await Promise.all(Array.from({ length: 10 }, () => provider.refresh(refreshToken, "ann")));
    expect(results.map(({ kind }) => kind)).toEqual(Array.from({ length: 10 }, () => "claims"));
    expect(idp.requests.filter((request) => request === "POST /token").length - before).toBe(1);
    const [result] = results;
    expect(await provider.refresh(result?.kind === "claims" ? result.login.refreshToken : undefined, "ann")).toMatchObject({
      kind: "claims",
    });
  });

  test("a person who is gone, and a token that was revoked, end the session", async () => {
    const [gone, revoked] = [await login(), await login()];
    idp.people.delete("ann");
    expect(await provider.refresh(gone.refreshToken, "ann")).toEqual({ kind: "ended" });
    idp.people.set("ann", ANN);
    await provider.revoke(revoked.refreshToken ?? "");
    expect(await provider.refresh(revoked.refreshToken, "ann")).toEqual({ kind: "ended" });
  });

  test("claims of somebody else are never taken", async () => {
    const { refreshToken } = await login();
    expect((await provider.refresh(refreshToken, "bob")).kind).not.toBe("claims");
  });

  test("a provider that cannot be reached is no end", async () => {
    const { refreshToken } = await login();
    idp.setReachable(false);
    expect(await provider.refresh(refreshToken, "ann")).toEqual({ kind: "unreachable" });
    idp.setReachable(true);
    expect(await provider.refresh(refreshToken, "ann")).toMatchObject({ kind: "claims" });
  });

  test("a login without any token to renew with says so", async () => {
    expect(await provider.refresh(undefined, "ann")).toEqual({ kind: "unsupported" });
  });
});

test("R-F10: the provider's own logout token names the session that the login had, once", async () => {
  const { providerSessionId } = await login();
  const client = await idp.provider.Client.find(CLIENT.id);
  if (client === undefined) throw new Error("no client");
  await client.backchannelLogout("ann", providerSessionId ?? "none");
  const token = await logoutTokens.next();
  const result = await provider.backChannelLogout(token);
  expect(result).toMatchObject({ subject: "ann" });
  expect(await provider.backChannelLogout(token)).toBeUndefined();
});
