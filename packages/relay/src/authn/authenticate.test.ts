import { ManualClock } from "@sallyport/shared/clock";
import { beforeEach, describe, expect, test } from "vitest";
import { ApplicationTokens } from "./application-token.ts";
import { type Authentication, Authenticator, type CredentialOptions } from "./authenticate.ts";
import { createServiceTokenVerifier, type StoredServiceToken } from "./service-token.ts";
import { digestSecret, generateServiceToken } from "./service-token-format.ts";
import { DAY_MS, person, TestKeys, TestSessions } from "./test-support.ts";

const COOKIE = "__Host-Sallyport_Authorization";
const WIKI = { aud: "https://wiki.example.com" };
const OPTIONS: CredentialOptions = { basic: false, jsonHeader: undefined, audience: WIKI.aud, cloudflareAccess: false, cookieName: COOKIE };
let clock: ManualClock;
let sessions: TestSessions;
let tokens: ApplicationTokens;
let authenticator: Authenticator;
let token: string;
const bot = generateServiceToken();
const botFields = ["Sallyport-Client-Id", bot.clientId, "Sallyport-Client-Secret", bot.secret];

beforeEach(async () => {
  clock = new ManualClock();
  sessions = new TestSessions(clock);
  tokens = new ApplicationTokens({ issuer: "https://auth.example.com", keys: new TestKeys(), sessions, clock });
  const stored: StoredServiceToken = {
    clientId: bot.clientId,
    name: "bot",
    secretHash: digestSecret(bot.secret),
    previousHash: undefined,
    previousExpiresAt: undefined,
    expiresAt: clock.now() + DAY_MS,
    disabledAt: undefined,
    revokedAt: undefined,
  };
  const serviceTokens = createServiceTokenVerifier({ get: (id) => (id === bot.clientId ? stored : undefined), used: () => {} }, clock);
  authenticator = new Authenticator({ serviceTokens, tokens, sessions });
  token = await tokens.issue(sessions.add(), WIKI);
});

const ask = (fields: readonly string[], options: Partial<CredentialOptions> = {}): Authentication =>
  authenticator.authenticate(fields, { ...OPTIONS, ...options });
const cookie = (value: string): string[] => ["Cookie", `theme=dark; ${COOKIE}=${value}; lang=de`];

describe("a person", () => {
  test("is known by the cookie, by the header of ours and by a bearer token of ours", () => {
    const identity = { subject: "u1", sessionId: "session-of-u1" };
    expect(ask(cookie(token))).toMatchObject({ kind: "identified", source: "cookie", identity, consumedAuthorization: false });
    expect(ask(["Sallyport-Access-Token", token])).toMatchObject({
      kind: "identified",
      source: "header",
      identity,
      consumedAuthorization: false,
    });
    expect(ask(["Authorization", `Bearer ${token}`])).toMatchObject({
      kind: "identified",
      source: "header",
      identity,
      consumedAuthorization: true,
    });
    expect(ask(["authorization", `bearer  ${token} `])).toMatchObject({ kind: "identified", source: "header" });
  });

  test("has the identity object of the session, so that decisions are remembered by it", () => {
    const known = ask(cookie(token));
    expect(known.kind === "identified" && known.identity).toBe(sessions.get("session-of-u1")?.identity);
  });

  test("comes with header and cookie at once: the header counts", async () => {
    expect(ask(["Sallyport-Access-Token", token, ...cookie(token)])).toMatchObject({ kind: "identified", source: "header" });
    expect(ask(["Sallyport-Access-Token", token, "Authorization", `Bearer ${token}`])).toMatchObject({
      source: "header",
      consumedAuthorization: true,
    });
  });

  test("is as the session says now, and no longer anybody when it ended (R-I2)", () => {
    const known = ask(cookie(token));
    if (known.kind !== "identified") throw new Error("not identified");
    sessions.updateClaims("session-of-u1", person("u1", { groups: [] }), undefined);
    expect(authenticator.current(known.identity)?.identity).toMatchObject({ groups: [] });
    sessions.end("session-of-u1", "revoked");
    expect(authenticator.current(known.identity)).toBeUndefined();
  });
});

describe("R-H3: a cookie that is no good is as none", () => {
  test.each<[string, (valid: string) => readonly string[]]>([
    ["several with the name", (valid) => ["Cookie", `${COOKIE}=${valid}; ${COOKIE}=${valid}x`]],
    ["several with the name, in two fields", (valid) => ["Cookie", `${COOKIE}=x`, "Cookie", `${COOKIE}=${valid}`]],
    ["empty", () => cookie("")],
    ["not a token", () => cookie("hello")],
    ["bad base64", (valid) => cookie(valid.replace(".", ".%"))],
    ["one character changed", (valid) => cookie(`${valid.slice(0, -2)}${valid.at(-2) === "A" ? "B" : "A"}${valid.at(-1)}`)],
    ["oversize", () => cookie("A".repeat(12_000))],
    ["an attempt at the prototype", () => cookie("__proto__")],
  ])("%s: nobody, and to be cleared", (_, fields) => {
    expect(ask(fields(token))).toEqual({ kind: "anonymous", cookie: "broken" });
  });

  test("of another application: nobody (R-H1)", async () => {
    const other = await tokens.issue(sessions.add(), { aud: "https://grafana.example.com" });
    expect(ask(cookie(other))).toEqual({ kind: "anonymous", cookie: "broken" });
  });

  test("whose session ended, or that expired: nobody, and left alone, since a tab beside may be renewing it", () => {
    sessions.end("session-of-u1", "logout");
    expect(ask(cookie(token))).toEqual({ kind: "anonymous", cookie: "over" });
    sessions.add();
    clock.jump(8 * DAY_MS);
    expect(ask(cookie(token))).toEqual({ kind: "anonymous", cookie: "over" });
  });

  test("beside a good service token: the program counts", () => {
    expect(ask([...botFields, ...cookie("hello")])).toMatchObject({ kind: "identified", source: "service-token" });
  });

  test("under another name is not looked at", () => {
    expect(ask(["Cookie", `Sallyport_Authorization=${token}; x${COOKIE}=${token}; ${COOKIE}_1a2b3c4d=${token}`])).toEqual({
      kind: "anonymous",
      cookie: "none",
    });
  });
});

describe("R-C7: a credential of ours in a header is never skipped", () => {
  test.each<[string, (valid: string) => readonly string[], string]>([
    ["an access token that is none", () => ["Sallyport-Access-Token", "hello"], "access-token-malformed"],
    ["an empty one", () => ["Sallyport-Access-Token", ""], "access-token-malformed"],
    [
      "two of them, although alike",
      (valid) => ["Sallyport-Access-Token", valid, "sallyport-access-token", valid],
      "access-token-duplicate",
    ],
    ["a bad one beside a good cookie", (valid) => ["Sallyport-Access-Token", "hello", ...cookie(valid)], "access-token-malformed"],
    ["a bad one beside a good service token", () => ["Sallyport-Access-Token", "hello", ...botFields], "access-token-malformed"],
    ["an altered bearer token of ours", (valid) => ["Authorization", `Bearer ${valid.slice(0, -5)}AAAAA`], "access-token-malformed"],
    ["a bad service token beside a good cookie", (valid) => [...botFields.slice(0, 3), "sps_x", ...cookie(valid)], "malformed"],
  ])("%s: invalid", (_, fields, reason) => {
    expect(ask(fields(token))).toEqual({ kind: "invalid", reason });
  });

  test("an access token of another application: invalid", async () => {
    const other = await tokens.issue(sessions.add(), { aud: "https://grafana.example.com" });
    expect(ask(["Sallyport-Access-Token", other])).toEqual({ kind: "invalid", reason: "access-token-audience" });
    expect(ask(["Authorization", `Bearer ${other}`])).toEqual({ kind: "invalid", reason: "access-token-audience" });
  });

  test("an access token whose session ended: invalid", () => {
    sessions.end("session-of-u1", "revoked");
    expect(ask(["Sallyport-Access-Token", token])).toEqual({ kind: "invalid", reason: "access-token-session-ended" });
  });

  test.each(["Bearer opaque", "Bearer a.b.c", "Basic dXNlcjpwYXNz", "Bearer", "Digest x"])(
    "%s is not ours: nobody, and it passes",
    (value) => {
      expect(ask(["Authorization", value])).toEqual({ kind: "anonymous", cookie: "none" });
      expect(ask(["Authorization", value, ...cookie(token)])).toMatchObject({
        kind: "identified",
        source: "cookie",
        consumedAuthorization: false,
      });
    },
  );
});

describe("R-C7: two different identities at once", () => {
  test("are a conflict: person and program, one person and another", async () => {
    const other = await tokens.issue(sessions.add(person("u2")), WIKI);
    expect(ask([...botFields, ...cookie(token)])).toEqual({ kind: "conflict" });
    expect(ask(["Sallyport-Access-Token", token, ...botFields])).toEqual({ kind: "conflict" });
    expect(ask(["Sallyport-Access-Token", other, ...cookie(token)])).toEqual({ kind: "conflict" });
    expect(ask(["Sallyport-Access-Token", other, "Authorization", `Bearer ${token}`])).toEqual({ kind: "conflict" });
  });

  test("two sessions of one person are no conflict", async () => {
    const second = await tokens.issue(sessions.add(person("u1", { sessionId: "second" })), WIKI);
    expect(ask(["Sallyport-Access-Token", second, ...cookie(token)])).toMatchObject({
      kind: "identified",
      identity: { sessionId: "second" },
    });
  });

  test("a program's token twice, in headers and as Basic, is one identity", () => {
    const basic = Buffer.from(`${bot.clientId}:${bot.secret}`).toString("base64");
    expect(ask([...botFields, "Authorization", `Basic ${basic}`], { basic: true })).toMatchObject({
      source: "service-token",
      consumedAuthorization: true,
    });
  });
});
