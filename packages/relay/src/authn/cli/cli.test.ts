// Sign-in of command lines over real sockets (R-E4, A16): what a browser sees, what the command gets, and every way in which
// a request, a code or a token could be used by somebody else.

import { createHash } from "node:crypto";
import { comparisonCode } from "@sallyport/shared/comparison-code";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Browser, callbackOf, locationOf, type Page, startTestRelay, TestIdp, type TestRelay } from "../../test-support.ts";

const VERIFIER = "v".repeat(43);
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const STATE = "s".repeat(22);
const REDIRECT = "http://127.0.0.1:4711/callback";
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const LET_IN = 503;

const idp = new TestIdp("corp");
let relay: TestRelay;
let browser: Browser;

beforeEach(async () => {
  relay = await startTestRelay([idp]);
  browser = new Browser();
});
afterEach(async () => await relay[Symbol.asyncDispose]());

function request(changes: Readonly<Record<string, string>> = {}): string {
  const parameters = {
    application: relay.url("notes", "/some/page"),
    redirect_uri: REDIRECT,
    state: STATE,
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
    machine: "ann@laptop",
  };
  return relay.url("auth", `/.sallyport/cli?${new URLSearchParams({ ...parameters, ...changes }).toString()}`);
}

async function signedIn(url: string, person = "ann"): Promise<Page> {
  const page = await browser.go(url);
  return await browser.go(callbackOf(locationOf(page), person));
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A program: no cookies, no browser headers. */
async function post(path: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const page = await new Browser().go(relay.url("auth", path), {
    method: "POST",
    form,
    headers: { accept: "application/json", "sec-fetch-mode": "", ...headers },
  });
  return { status: page.status, body: JSON.parse(page.body) as Record<string, unknown> };
}

async function redeem(code: string, changes: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return await post("/.sallyport/cli/token", {
    grant_type: "authorization_code",
    code,
    code_verifier: VERIFIER,
    redirect_uri: REDIRECT,
    ...changes,
  });
}

async function allowedCode(): Promise<string> {
  const done = await browser.submit(await signedIn(request()), { decision: "allow" });
  return new URL(locationOf(done) ?? "").searchParams.get("code") ?? "";
}

async function visitWith(token: string, host = "notes"): Promise<number> {
  const page = await new Browser().go(relay.url(host), { headers: { accept: "application/json", "sallyport-access-token": token } });
  return page.status;
}

describe("with a browser on the same machine (R-E4)", () => {
  it("a person signs in, sees which machine asks, allows it, and the command gets a token for that application only", async () => {
    const page = await signedIn(request());
    expect(page.status).toBe(200);
    for (const text of ["ann@laptop", "notes", "ann@example.com", comparisonCode(CHALLENGE)]) expect(page.body).toContain(text);
    const done = await browser.submit(page, { decision: "allow" });
    const location = locationOf(done) ?? "";
    expect(location.startsWith(`${REDIRECT}?`)).toBe(true);
    expect(location, "no token in a URL").not.toContain("eyJ");
    const { searchParams } = new URL(location);
    expect(searchParams.get("state")).toBe(STATE);

    const { status, body } = await redeem(searchParams.get("code") ?? "");
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: "Bearer", application: relay.url("notes"), email: "ann@example.com" });
    const token = String(body["access_token"]);
    expect(await visitWith(token)).toBe(LET_IN);
    expect(await visitWith(token, "wiki")).toBe(401);
    // Records are written in batches.
    await vi.waitFor(() => {
      const types = relay.records().map((record) => record["type"]);
      expect(types).toEqual(expect.arrayContaining(["cli.allowed", "cli.signed-in"]));
    });
  });

  it("a code works once", async () => {
    const code = await allowedCode();
    expect((await redeem(code)).status).toBe(200);
    expect(await redeem(code)).toEqual({ status: 400, body: { error: "invalid_grant" } });
  });

  it.each([
    ["another verifier", { code_verifier: "w".repeat(43) }],
    ["no verifier", { code_verifier: "" }],
    ["the challenge itself", { code_verifier: CHALLENGE }],
    ["another port", { redirect_uri: "http://127.0.0.1:4712/callback" }],
  ])("a code with %s is refused, and used up", async (_name, change) => {
    const code = await allowedCode();
    expect(await redeem(code, change)).toEqual({ status: 400, body: { error: "invalid_grant" } });
    expect((await redeem(code)).status).toBe(400);
  });

  it("denied: the command is told so, and there is no code", async () => {
    const done = await browser.submit(await signedIn(request()), { decision: "deny" });
    const { searchParams } = new URL(locationOf(done) ?? "");
    expect([searchParams.get("error"), searchParams.get("state"), searchParams.get("code")]).toEqual(["access_denied", STATE, null]);
  });

  it.each([
    "http://localhost:4711/callback",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:99999/callback",
    "http://127.0.0.1:4711/other",
    "http://127.0.0.1:4711/callback?x",
    "http://127.0.0.1:4711@evil.example/callback",
    "http://127.0.0.2:4711/callback",
    "https://127.0.0.1:4711/callback",
    "http://evil.example:4711/callback",
    "http://0x7f.1:4711/callback",
    "http://127.0.0.1.evil.example:4711/callback",
    " http://127.0.0.1:4711/callback",
    "http://[::ffff:127.0.0.1]:4711/callback",
    "//127.0.0.1:4711/callback",
  ])("the answer never goes to %s (R-E3, R-E4)", async (redirectUri) => {
    const page = await browser.go(request({ redirect_uri: redirectUri }));
    expect([page.status, locationOf(page)]).toEqual([400, undefined]);
  });

  it("the IPv6 loopback address is one, too", async () => {
    const done = await browser.submit(await signedIn(request({ redirect_uri: "http://[::1]:4711/callback" })), { decision: "allow" });
    expect(locationOf(done)).toMatch(/^http:\/\/\[::1\]:4711\/callback\?state=s+&code=[A-Za-z0-9_-]{43}$/);
  });

  it.each([
    ["application", "https://evil.example/"],
    ["application", "http://auth.relay.localhost/"],
    ["state", "short"],
    ["code_challenge", "plain"],
    ["code_challenge_method", "plain"],
    ["machine", "<b>x</b>"],
    ["machine", ""],
  ])("%s %s is refused before anybody signs in", async (name, value) => {
    const page = await browser.go(request({ [name]: value }));
    expect([page.status, locationOf(page)]).toEqual([400, undefined]);
  });

  it("a parameter that is there twice is refused", async () => {
    expect((await browser.go(`${request()}&machine=other`)).status).toBe(400);
  });

  it("nobody decides for somebody else: without form token, from another site, or twice (R-H4)", async () => {
    const page = await signedIn(request());
    expect((await browser.submit(page, { decision: "allow", token: "" })).status).toBe(403);
    expect(
      (await browser.submit(page, { decision: "allow" }, { headers: { "sec-fetch-site": "cross-site", origin: "https://evil.example" } }))
        .status,
    ).toBe(403);
    expect((await browser.submit(page, { decision: "allow" })).status).toBe(200);
    expect((await browser.submit(page, { decision: "allow" })).status).toBe(400);
  });

  it("somebody whom the application's policies do not let in cannot allow it either", async () => {
    const page = await signedIn(request({ application: relay.url("bobs") }));
    expect([page.status, page.headers["sallyport-error"]]).toEqual([403, "ERR_ACCESS_DENIED"]);
  });

  it("the token ends with the browser's sign-in", async () => {
    const { body } = await redeem(await allowedCode());
    const logout = await browser.go(relay.url("auth", "/logout"));
    await browser.submit(logout, { scope: "session" });
    expect(await visitWith(String(body["access_token"]))).toBe(401);
  });

  it("logout of the command ends its token; the browser stays signed in", async () => {
    const { body } = await redeem(await allowedCode());
    const token = String(body["access_token"]);
    expect(await post("/.sallyport/cli/logout", { application: relay.url("notes"), token })).toEqual({
      status: 200,
      body: { signed_out: true },
    });
    expect(await visitWith(token)).toBe(401);
    expect((await browser.go(relay.url("notes"))).status).toBe(LET_IN);
    expect(await post("/.sallyport/cli/logout", { application: relay.url("notes"), token })).toEqual({
      status: 200,
      body: { signed_out: false },
    });
  });
});

describe("without a browser near (R-E4)", () => {
  const start = async (changes: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    await post("/.sallyport/cli/device", {
      application: relay.url("notes"),
      code_challenge: CHALLENGE,
      code_challenge_method: "S256",
      machine: "build-7",
      ...changes,
    });
  const ask = async (started: Answer, verifier = VERIFIER): Promise<Answer> =>
    await post("/.sallyport/cli/token", { grant_type: DEVICE, device_code: String(started.body["device_code"]), code_verifier: verifier });

  it("a person types the code anywhere, sees machine and address, allows it, and the command gets its token once", async () => {
    const started = await start();
    const { user_code: userCode, verification_uri: uri, interval, expires_in: expiresIn } = started.body;
    expect([started.status, interval, expiresIn, uri]).toEqual([200, 3, 600, relay.url("auth", "/.sallyport/cli/code")]);
    expect(userCode).toMatch(/^[B-Z]{4}-[B-Z]{4}$/);
    const form = await signedIn(String(uri));
    const page = await browser.submit(form, { code: String(userCode).toLowerCase().replace("-", " ") });
    for (const text of ["build-7", "127.0.0.1", String(userCode)]) expect(page.body).toContain(text);
    expect((await browser.submit(page, { decision: "allow" })).status).toBe(200);
    const { status, body } = await ask(started);
    expect(status).toBe(200);
    expect(await visitWith(String(body["access_token"]))).toBe(LET_IN);
    expect(await ask(started)).toEqual({ status: 400, body: { error: "invalid_grant" } });
  });

  it("asking: pending, then slow_down when it comes too soon (RFC 8628 section 3.5)", async () => {
    const started = await start();
    expect((await ask(started)).body).toEqual({ error: "authorization_pending" });
    expect((await ask(started)).body).toEqual({ error: "slow_down" });
  });

  it("whoever learns the device code without the verifier gets nothing, and uses it up", async () => {
    const started = await start();
    const page = await browser.submit(await signedIn(relay.url("auth", "/.sallyport/cli/code")), {
      code: String(started.body["user_code"]),
    });
    await browser.submit(page, { decision: "allow" });
    expect((await ask(started, "w".repeat(43))).body).toEqual({ error: "invalid_grant" });
    expect((await ask(started)).status).toBe(400);
  });

  it("denied is denied", async () => {
    const started = await start();
    const page = await browser.submit(await signedIn(relay.url("auth", "/.sallyport/cli/code")), {
      code: String(started.body["user_code"]),
    });
    await browser.submit(page, { decision: "deny" });
    expect((await ask(started)).body).toEqual({ error: "access_denied" });
  });

  it("codes cannot be tried for long (RFC 8628 section 5.1)", async () => {
    const form = await signedIn(relay.url("auth", "/.sallyport/cli/code"));
    for (let attempt = 0; attempt < 10; attempt++) expect((await browser.submit(form, { code: "BCDF-GHJK" })).status).toBe(403);
    expect((await browser.submit(form, { code: "BCDF-GHJK" })).status).toBe(429);
  });

  it("one address cannot fill the list of those who wait", async () => {
    for (let count = 0; count < 20; count++) expect((await start()).status).toBe(200);
    expect((await start()).status).toBe(503);
  });

  it("a page of a browser cannot ask", async () => {
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }] as const) {
      const { status, body } = await post("/.sallyport/cli/device", { application: relay.url("notes") }, headers as Record<string, string>);
      expect([status, body["error"]]).toEqual([400, "invalid_request"]);
    }
  });
});

it("an application's host says where its auth host is, and nothing more", async () => {
  const page = await new Browser().go(relay.url("notes", "/.sallyport/cli"), { headers: { accept: "application/json" } });
  expect([page.status, JSON.parse(page.body)]).toEqual([200, { auth_url: relay.url("auth").slice(0, -1) }]);
  expect((await new Browser().go(relay.url("notes", "/.sallyport/cli/token"), { method: "POST", form: {} })).status).toBe(404);
});
