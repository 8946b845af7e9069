import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { ManualClock } from "@sallyport/shared/clock";
import { beforeEach, describe, expect, test } from "vitest";
import { APPLICATION_TOKEN_LIFETIME_MS, APPLICATION_TOKEN_TYPE, ApplicationTokens } from "./application-token.ts";
import { DAY_MS, HOUR_MS, person, TestKeys, TestSessions } from "./test-support.ts";

const ISSUER = "https://auth.example.com";
const WIKI = { aud: "https://wiki.example.com" };
let clock: ManualClock;
let keys: TestKeys;
let sessions: TestSessions;
let tokens: ApplicationTokens;

beforeEach(() => {
  clock = new ManualClock();
  keys = new TestKeys();
  sessions = new TestSessions(clock);
  tokens = new ApplicationTokens({ issuer: ISSUER, keys, sessions, clock });
});

const reason = (token: string, audience: string = WIKI.aud): string => {
  const result = tokens.verify(token, audience);
  return result.kind === "valid" ? "valid" : result.reason;
};

describe("an application token", () => {
  test("R-H1: has seven claims and nothing else, well under 1 kB whatever groups a person has", async () => {
    const groups = Array.from({ length: 200 }, (_, n) => `group-${n}-of-a-large-organisation`);
    const token = await tokens.issue(sessions.add(person("u1", { groups })), WIKI);
    const now = clock.now() / 1000;
    expect(decodeProtectedHeader(token)).toEqual({ alg: "ES256", typ: APPLICATION_TOKEN_TYPE, kid: "k1" });
    expect(decodeJwt(token)).toEqual({
      iss: ISSUER,
      aud: WIKI.aud,
      sub: "corp|u1",
      sid: "session-of-u1",
      iat: now,
      nbf: now,
      exp: now + DAY_MS / 1000,
    });
    expect(token.length).toBeLessThan(600);
  });

  test("is valid for its session, again and again", async () => {
    const session = sessions.add();
    const token = await tokens.issue(session, WIKI);
    for (let n = 0; n < 3; n++)
      expect(tokens.verify(token, WIKI.aud)).toEqual({ kind: "valid", session, issuedAt: clock.now(), expiresAt: session.expiresAt });
  });

  test("lives 7 days at most, however long the session", async () => {
    const token = await tokens.issue(sessions.add(person(), 30 * DAY_MS), WIKI);
    clock.jump(APPLICATION_TOKEN_LIFETIME_MS - 1_000);
    expect(reason(token)).toBe("valid");
    clock.jump(1_000);
    expect(reason(token)).toBe("expired");
  });

  test("of another application is refused, cached or not (R-H1)", async () => {
    const token = await tokens.issue(sessions.add(), WIKI);
    for (const audience of ["https://grafana.example.com", `${WIKI.aud}/`, `${WIKI.aud}/admin`, ""])
      expect(reason(token, audience)).toBe("audience");
    expect(reason(token)).toBe("valid");
    expect(reason(token, "https://grafana.example.com")).toBe("audience");
  });

  test("R-I1: is worth nothing once its session ended, at the next use, although it was verified before", async () => {
    const session = sessions.add();
    const token = await tokens.issue(session, WIKI);
    expect(reason(token)).toBe("valid");
    sessions.end(session.id, "logout");
    expect(reason(token)).toBe("session-ended");
  });

  test("R-I4: expiry is looked at on each use", async () => {
    const token = await tokens.issue(sessions.add(person(), HOUR_MS), WIKI);
    expect(reason(token)).toBe("valid");
    clock.jump(HOUR_MS);
    expect(reason(token)).toBe("expired");
  });

  test("of another person's session of the same id is refused", async () => {
    const token = await tokens.issue(sessions.add(person("u1", { sessionId: "s" })), WIKI);
    sessions.add(person("u2", { sessionId: "s" }));
    expect(reason(token)).toBe("session-ended");
  });

  test("from a relay whose clock is ahead is let pass by 30 s, no more (R-G5)", async () => {
    const session = sessions.add(person(), 2 * DAY_MS);
    clock.jump(30_000);
    const token = await tokens.issue(session, WIKI);
    clock.jump(-30_000);
    expect(reason(token)).toBe("valid");
    clock.jump(-1);
    expect(reason(token)).toBe("not-yet-valid");
  });

  test("survives the rotation of its key, not its revocation, although it was verified before (R-G6)", async () => {
    const token = await tokens.issue(sessions.add(), WIKI);
    expect(reason(token)).toBe("valid");
    keys.rotate();
    expect(reason(token)).toBe("valid");
    keys.revoke("k1");
    expect(reason(token)).toBe("malformed");
  });

  test("is renewed as the same token for a while, then as a new one", async () => {
    const session = sessions.add();
    const first = await tokens.renew(session, WIKI);
    clock.jump(60_000);
    expect(await tokens.renew(session, WIKI)).toBe(first);
    expect(await tokens.renew(session, { aud: "https://grafana.example.com" })).not.toBe(first);
    clock.jump(300_000);
    const second = await tokens.renew(session, WIKI);
    expect(decodeJwt(second).iat).toBe(clock.now() / 1000);
  });
});

describe("R-G5: claims", () => {
  const now = (): number => clock.now() / 1000;
  const good = (): Record<string, unknown> => ({
    iss: ISSUER,
    aud: WIKI.aud,
    sub: "corp|u1",
    sid: "session-of-u1",
    iat: now(),
    nbf: now(),
    exp: now() + 3600,
  });

  async function signed(claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> {
    const { kid, privateKey } = keys.signingKey();
    return await new SignJWT(claims).setProtectedHeader({ alg: "ES256", typ: APPLICATION_TOKEN_TYPE, kid, ...header }).sign(privateKey);
  }

  beforeEach(() => void sessions.add());

  test("as issued are valid", async () => {
    expect(reason(await signed(good()))).toBe("valid");
  });

  test.each<[string, Record<string, unknown>]>([
    ["exp missing", { exp: undefined }],
    ["exp as text", { exp: "4102444800" }],
    ["exp beyond 7 days", { exp: 4_102_444_800 }],
    ["exp negative", { exp: -1 }],
    ["exp broken", { exp: 1.5 }],
    ["exp before iat", { exp: 1 }],
    ["iat missing", { iat: undefined }],
    ["nbf missing", { nbf: undefined }],
    ["another issuer", { iss: "https://evil.example.com" }],
    ["the issuer with a trailing slash", { iss: `${ISSUER}/` }],
    ["an audience list", { aud: [WIKI.aud] }],
    ["an audience list with another one", { aud: [WIKI.aud, "https://x.example.com"] }],
    ["no session", { sid: undefined }],
    ["a session that is no text", { sid: { id: "session-of-u1" } }],
    ["one claim more", { groups: ["admin"] }],
  ])("%s: refused", async (_, change) => {
    expect(reason(await signed({ ...good(), ...change }))).toBe("malformed");
  });

  test("iat in the future: refused", async () => {
    expect(reason(await signed({ ...good(), iat: now() + 31, nbf: now() }))).toBe("not-yet-valid");
    expect(reason(await signed({ ...good(), nbf: now() + 31 }))).toBe("not-yet-valid");
  });

  test("R-G3: a token of another type by the same key: refused, and not claimed as ours", async () => {
    const token = await signed(good(), { typ: "sallyport-assertion+jwt" });
    expect(reason(token)).toBe("malformed");
    expect(tokens.claims(token)).toBe(false);
    expect(tokens.claims(await signed({ anything: 1 }))).toBe(true);
  });
});

test("a thousand tokens with unknown keys leave the cache of verified ones as it was", async () => {
  const token = await tokens.issue(sessions.add(), WIKI);
  expect(reason(token)).toBe("valid");
  const { privateKey } = new TestKeys().signingKey();
  for (let n = 0; n < 1_000; n++) {
    const forged = await new SignJWT({ n })
      .setProtectedHeader({ alg: "ES256", typ: APPLICATION_TOKEN_TYPE, kid: `x${n}` })
      .sign(privateKey);
    expect(reason(forged)).toBe("malformed");
  }
  // Verified once and remembered: without any key it is still known.
  const before = keys.verificationKeys;
  keys.verificationKeys = () => new Map();
  expect(reason(token)).toBe("valid");
  keys.verificationKeys = before;
});
