import type { JWTPayload } from "jose";
import { beforeEach, describe, expect, it, test } from "vitest";
import type { OidcProvider } from "./provider.ts";
import { readHandle, writeHandle } from "./renewal-handle.ts";
import { ATTEMPT, callbackUrl, FakeProvider, signingKey } from "./test-support.ts";

const ANN = { sub: "248289761001", name: "Ann", email: "ann@example.com", email_verified: true, groups: ["eng"] };
const NONE = undefined as unknown as string;
const USERINFO = "https://idp.example.com/me";
let fake: FakeProvider;
let provider: OidcProvider;

beforeEach(() => {
  fake = new FakeProvider();
  fake.discovery["userinfo_endpoint"] = USERINFO;
  fake.setUserinfo(ANN);
  provider = fake.provider();
});

async function handleOf(): Promise<string | undefined> {
  const result = await provider.finish(ATTEMPT, callbackUrl());
  if (result.kind !== "login") throw new Error(fake.problems.join("\n"));
  return result.login.refreshToken;
}

describe("R-F9: without a refresh token", () => {
  it("userinfo renews claims while the access token lives, and then nothing does", async () => {
    const handle = await handleOf();
    fake.setUserinfo({ ...ANN, groups: [] });
    expect(await provider.refresh(handle, ANN.sub)).toMatchObject({
      kind: "claims",
      login: { identity: { groups: [] }, refreshToken: handle },
    });
    fake.clock.advance(3_600_000);
    expect(await provider.refresh(handle, ANN.sub)).toEqual({ kind: "unsupported" });
  });

  it("an access token that is refused before its time was taken back", async () => {
    const handle = await handleOf();
    fake.answers.set(USERINFO, () => new Response(null, { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } }));
    expect(await provider.refresh(handle, ANN.sub)).toEqual({ kind: "ended" });
  });

  it("userinfo about somebody else is not taken", async () => {
    const handle = await handleOf();
    fake.setUserinfo({ ...ANN, sub: "other" });
    expect((await provider.refresh(handle, ANN.sub)).kind).not.toBe("claims");
  });

  it("userinfo that says less than the login did is no renewal: nobody loses groups by it", async () => {
    fake.idToken = { ...fake.idToken, ...ANN };
    fake.setUserinfo({ sub: ANN.sub });
    expect(await handleOf()).toBeUndefined();
  });
});

describe("R-F9: with a refresh token", () => {
  beforeEach(() => {
    fake.idToken = { ...fake.idToken, ...ANN };
    fake.tokens = { ...fake.tokens, refresh_token: "refresh-1" };
  });
  const answerRefresh = (idToken: JWTPayload | undefined, more: Readonly<Record<string, unknown>> = {}): void => {
    fake.answers.set("https://idp.example.com/token", async () =>
      Response.json({
        access_token: "a2",
        token_type: "bearer",
        ...more,
        ...(idToken === undefined ? {} : { id_token: await fake.sign(idToken) }),
      }),
    );
  };

  it("a new ID token need not repeat the nonce, and has to be about the same person", async () => {
    const handle = await handleOf();
    const { nonce: _nonce, ...claims } = fake.idToken;
    answerRefresh({ ...claims, groups: ["ops"] });
    expect(await provider.refresh(handle, ANN.sub)).toMatchObject({
      kind: "claims",
      login: { identity: { groups: ["ops"] }, refreshToken: "rt.refresh-1" },
    });
    answerRefresh({ ...claims, sub: "other" });
    expect((await provider.refresh(handle, ANN.sub)).kind).toBe("unreachable");
  });

  it("an ID token of a foreign key is not taken", async () => {
    const handle = await handleOf();
    const foreign = await signingKey("ES256", fake.key.kid);
    fake.answers.set("https://idp.example.com/token", async () =>
      Response.json({ access_token: "a2", token_type: "bearer", id_token: await fake.sign(fake.idToken, {}, foreign) }),
    );
    expect((await provider.refresh(handle, ANN.sub)).kind).toBe("unreachable");
  });

  it("without a new ID token userinfo says who it is; without either nothing is believed", async () => {
    const handle = await handleOf();
    answerRefresh(undefined, { refresh_token: "refresh-2" });
    fake.setUserinfo({ ...ANN, groups: ["ops"] });
    expect(await provider.refresh(handle, ANN.sub)).toMatchObject({
      kind: "claims",
      login: { identity: { groups: ["ops"] }, refreshToken: "rt.refresh-2" },
    });
    const silent = new FakeProvider();
    silent.answers.set("https://idp.example.com/token", () => Response.json({ access_token: "a2", token_type: "bearer" }));
    expect(await silent.provider().refresh(handle, ANN.sub)).toEqual({ kind: "unreachable" });
  });

  it.each([
    ["invalid_grant", 400, "ended"],
    ["invalid_client", 401, "unreachable"],
    ["temporarily_unavailable", 400, "unreachable"],
  ])("%s: %s", async (error, status, kind) => {
    const handle = await handleOf();
    fake.answers.set("https://idp.example.com/token", () => Response.json({ error }, { status }));
    expect(await provider.refresh(handle, ANN.sub)).toEqual({ kind });
  });

  it("a group that the renewal does not name is unknown (R-F8)", async () => {
    const handle = await handleOf();
    const { groups: _groups, ...claims } = fake.idToken;
    answerRefresh(claims);
    fake.setUserinfo({ sub: ANN.sub });
    expect(await provider.refresh(handle, ANN.sub)).toMatchObject({ kind: "claims", login: { identity: { groups: undefined } } });
  });
});

describe("R-F9: a rotated refresh token is never lost", () => {
  const used: (string | null)[] = [];
  let userinfo: () => Promise<Response> | Response;
  beforeEach(() => {
    used.length = 0;
    let count = 1;
    fake.answers.set("https://idp.example.com/token", ({ body }) => {
      const old = (body as URLSearchParams).get("refresh_token");
      used.push(old);
      if (old !== `refresh-${count}`) return Response.json({ error: "invalid_grant" }, { status: 400 });
      return Response.json({ access_token: "a", token_type: "bearer", refresh_token: `refresh-${++count}` });
    });
    userinfo = () => Response.json(ANN);
    fake.answers.set(USERINFO, () => userinfo());
  });

  it("when userinfo fails after the rotation: the next try uses the successor", async () => {
    userinfo = () => new Response(null, { status: 404 });
    expect(await provider.refresh("rt.refresh-1", ANN.sub)).toEqual({ kind: "unreachable" });
    expect(await provider.refresh("rt.refresh-1", ANN.sub)).toEqual({ kind: "unreachable" });
    userinfo = () => Response.json(ANN);
    expect(await provider.refresh("rt.refresh-1", ANN.sub)).toMatchObject({ kind: "claims", login: { refreshToken: "rt.refresh-4" } });
    expect(await provider.refresh("rt.refresh-4", ANN.sub)).toMatchObject({ kind: "claims", login: { refreshToken: "rt.refresh-5" } });
    expect(used).toEqual(["refresh-1", "refresh-2", "refresh-3", "refresh-4"]);
  });

  it("when nobody waits any longer: whoever comes next joins it, or finds the successor", async () => {
    const late = Promise.withResolvers<Response>();
    userinfo = () => late.promise;
    const controller = new AbortController();
    const first = provider.refresh("rt.refresh-1", ANN.sub, controller.signal);
    controller.abort();
    expect(await first).toEqual({ kind: "unreachable" });
    const second = provider.refresh("rt.refresh-1", ANN.sub);
    late.resolve(Response.json(ANN));
    expect(await second).toMatchObject({ kind: "claims", login: { refreshToken: "rt.refresh-2" } });
    userinfo = () => Response.json(ANN);
    expect(await provider.refresh("rt.refresh-1", ANN.sub)).toMatchObject({ kind: "claims", login: { refreshToken: "rt.refresh-3" } });
    expect(used).toEqual(["refresh-1", "refresh-2"]);
  });

  it("an aborted question is not asked", async () => {
    expect(await provider.refresh("rt.refresh-1", ANN.sub, AbortSignal.abort())).toEqual({ kind: "unreachable" });
    expect(used).toEqual([]);
  });
});

describe("revocation", () => {
  it("names the token and its kind", async () => {
    fake.answers.set("https://idp.example.com/revoke", () => new Response(null));
    await provider.revoke("rt.refresh-1");
    const body = fake.requests.at(-1)?.request.body as URLSearchParams;
    expect([body.get("token"), body.get("token_type_hint")]).toEqual(["refresh-1", "refresh_token"]);
  });

  it("never fails, and says nothing of the token", async () => {
    await provider.revoke("rt.canary");
    expect(fake.problems).toHaveLength(1);
    expect(fake.problems.join()).not.toContain("canary");
  });
});

describe("R-F10: a logout token", () => {
  const EVENTS = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const accepted = async (change: JWTPayload = {}, header = {}): Promise<unknown> => {
    const payload = { iss: fake.issuer, aud: "client", sub: "ann", sid: "s1", jti: "j1", events: EVENTS, ...fake.times(), ...change };
    return await provider.backChannelLogout(await fake.sign(payload, { typ: "logout+jwt", ...header }));
  };

  it("names whose sessions end, once", async () => {
    expect(await accepted()).toEqual({ subject: "ann", providerSessionId: "s1" });
    expect(await accepted()).toBeUndefined();
    expect(await accepted({ jti: "j2", sub: NONE })).toEqual({ subject: undefined, providerSessionId: "s1" });
  });

  it.each<[string, JWTPayload]>([
    ["a nonce, as an ID token has", { nonce: "n" }],
    ["no event", { events: {} }],
    ["another event", { events: { "http://schemas.openid.net/event/other": {} } }],
    ["an event that is no object", { events: { "http://schemas.openid.net/event/backchannel-logout": true } }],
    ["no events", { events: undefined }],
    ["no id", { jti: undefined as unknown as string }],
    ["neither subject nor session", { sub: NONE, sid: undefined }],
    ["a session that is a list", { sid: ["s1"] }],
    ["another audience", { aud: "other" }],
    ["another issuer", { iss: "https://evil.example.com" }],
    ["no time of issue", { iat: undefined as unknown as number }],
    ["a time of issue 5 min ago", { iat: Math.floor(Date.now() / 1_000) - 300 }],
    ["a time of issue in 5 min", { iat: Math.floor(Date.now() / 1_000) + 300, exp: Math.floor(Date.now() / 1_000) + 900 }],
    ["an expiry in the past", { exp: Math.floor(Date.now() / 1_000) - 120 }],
  ])("with %s ends nothing", async (_title, change) => {
    expect(await accepted(change)).toBeUndefined();
  });

  it("that is no token at all ends nothing", async () => {
    for (const text of ["", "a.b.c", "x".repeat(100_000)]) expect(await provider.backChannelLogout(text)).toBeUndefined();
  });
});

test("what is kept of a login reads back, and nothing else does", () => {
  expect(readHandle(writeHandle({ kind: "refresh-token", token: "a.b" }) ?? "")).toEqual({ kind: "refresh-token", token: "a.b" });
  expect(readHandle(writeHandle({ kind: "access-token", token: "a.b", expiresAtMs: 5 }) ?? "")).toEqual({
    kind: "access-token",
    token: "a.b",
    expiresAtMs: 5,
  });
  expect(writeHandle({ kind: "refresh-token", token: "x".repeat(20_000) })).toBeUndefined();
  for (const text of ["", "token", "at.x.y", "at.1"]) expect(readHandle(text)).toBeUndefined();
});
