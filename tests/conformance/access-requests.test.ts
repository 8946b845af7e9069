// Requests of people who are signed in, and of those who are not: what the origin gets, and what browsers, programs and
// pages of other sites are told (R-C7, R-G3, R-H1, R-H3, R-H5 to R-H7).

import { afterAll, describe, expect, test } from "vitest";
import { useBed, AUTH_URL } from "./support/bed.ts";
import { COOKIE, FRIEND, People, peopleOptions } from "./support/people.ts";
import { ask, expectDenied, expectForwarded, expectRefusal, expectSilence, mark } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const people = new People();
const bed = useBed(peopleOptions(people, ["ann", "bob"], stack));
const WIKI = "wiki.example.test";
const NAVIGATION = ["Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Key: ${KEY}`, "Sec-WebSocket-Version: 13"];

const annCookie = (host = WIKI): string => people.get("ann").cookie(host);

describe("R-H1: a person who is signed in", () => {
  test("is let in by the cookie; the origin gets the assertion and no cookie of ours", async () => {
    const request = await expectForwarded(bed(), write("/page?q=1", { host: WIKI, fields: [annCookie(), "Cookie: theme=dark"] }));
    expect(request.values("cookie")).toEqual(["theme=dark"]);
    expect(request.values("sallyport-jwt-assertion")).toHaveLength(1);
    expect(bed().verdicts.at(-1)).toBe("allowed forward=true");
    expect(request.raw).not.toContain(people.get("ann").token(WIKI));
  });

  test.each([
    ["Sallyport-Access-Token", (token: string) => `Sallyport-Access-Token: ${token}`],
    ["Authorization: Bearer", (token: string) => `Authorization: Bearer ${token}`],
  ])("is let in by %s, which the origin does not get", async (_, line) => {
    const token = people.get("ann").token(WIKI);
    const request = await expectForwarded(bed(), write("/", { host: WIKI, fields: [line(token)] }));
    expect(request.raw).not.toContain(token);
    expect(request.values("authorization")).toEqual([]);
  });

  test("is nobody at another application with the same cookie, and refused with the same header", async () => {
    const token = people.get("ann").token("grafana.example.test");
    await expectDenied(bed(), write("/", { host: WIKI, fields: [`Cookie: ${COOKIE}=${token}`] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
    await expectDenied(bed(), write("/", { host: WIKI, fields: [`Sallyport-Access-Token: ${token}`] }), {
      status: 401,
      code: "ERR_CREDENTIAL_INVALID",
    });
  });

  test("two people in one request are a conflict", async () => {
    const fields = [annCookie(), `Sallyport-Access-Token: ${people.get("bob").token(WIKI)}`];
    await expectDenied(bed(), write("/", { host: WIKI, fields }), { status: 400, code: "ERR_CREDENTIAL_CONFLICT" });
    await expectDenied(bed(), write("/", { host: WIKI, fields: [annCookie(), ...bed().token.fields] }), {
      status: 400,
      code: "ERR_CREDENTIAL_CONFLICT",
    });
  });
});

describe("R-G3: every credential at the place of another is refused", () => {
  const assertion = async (): Promise<string> => {
    const request = await expectForwarded(bed(), write("/", { host: WIKI, fields: [annCookie()] }));
    return request.values("sallyport-jwt-assertion")[0] as string;
  };
  const credentials: readonly (readonly [string, () => string | Promise<string>])[] = [
    ["an assertion", assertion],
    ["a session secret", () => people.get("ann").secret],
    ["a session id", () => people.get("ann").session.id],
    ["a service token's secret", () => bed().token.secret],
    ["a service token's id", () => bed().token.clientId],
  ];

  test.each(credentials)("%s as application token: header and cookie", async (_, make) => {
    const value = await make();
    await expectDenied(bed(), write("/", { host: WIKI, fields: [`Sallyport-Access-Token: ${value}`] }), {
      status: 401,
      code: "ERR_CREDENTIAL_INVALID",
    });
    const cookie = await expectDenied(bed(), write("/", { host: WIKI, fields: [`Cookie: ${COOKIE}=${value}`] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
    expect(cookie.values("set-cookie")).toEqual([`${COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax`]);
    await expectDenied(bed(), write("/", { host: WIKI, fields: [`Authorization: Bearer ${value}`] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
  });

  test("an application token as service token, and as session of the auth host", async () => {
    const token = people.get("ann").token(WIKI);
    await expectDenied(
      bed(),
      write("/admin", { fields: [`Sallyport-Client-Id: ${bed().token.clientId}`, `Sallyport-Client-Secret: ${token}`] }),
      { status: 401, code: "ERR_CREDENTIAL_INVALID" },
    );
    const home = await ask(bed(), "/", { host: "auth.example.test", fields: [`Cookie: __Host-Sallyport_Session=${token}`, ...NAVIGATION] });
    expect(home.body).not.toContain("ann@example.com");
  });
});

describe("R-H3: cookies that are no good make nobody, are cleared, and never 500", () => {
  test.each([
    ["two with the name", () => `${annCookie()}; ${COOKIE}=tossed`],
    ["oversize", () => `Cookie: ${COOKIE}=${"A".repeat(12_000)}`],
    ["bad base64", () => `Cookie: ${COOKIE}=%%%.%%%.%%%`],
    ["a wrong signature", () => `${annCookie().slice(0, -20)}${"A".repeat(20)}`],
    ["empty", () => `Cookie: ${COOKIE}=`],
  ])("%s", async (_, line) => {
    const response = await expectDenied(bed(), write("/", { host: WIKI, fields: [line()] }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
    expect(response.values("set-cookie")).toEqual([expect.stringContaining("Max-Age=0")]);
  });
});

describe("R-H7: who is not signed in", () => {
  test.each([
    ["curl", []],
    ["fetch of a page", ["Accept: */*", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin"]],
    ["fetch that would take HTML", ["Accept: text/html", "Sec-Fetch-Mode: cors"]],
    ["a WebSocket", [...UPGRADE, "Accept: text/html", `Origin: https://${WIKI}`]],
  ])("%s gets 401 as JSON with a place to sign in, and no redirect", async (_, fields) => {
    const response = await expectDenied(bed(), write("/deep?x=1", { host: WIKI, fields }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
    expect(response.value("location")).toBeUndefined();
    expect(response.value("www-authenticate")).toMatch(/^Bearer /);
    const body = JSON.parse(response.body) as { error: string; login_url: string };
    expect(body.error).toBe("ERR_LOGIN_REQUIRED");
    expect(body.login_url).toMatch(/^https:\/\/auth\.example\.test\/login/);
  });

  test.each([
    ["GET", 302],
    ["HEAD", 302],
    ["POST", 303],
  ] as const)("a navigation by %s is sent to the auth host with %i; the body goes nowhere", async (method, status) => {
    const before = mark(bed());
    const fields = [...NAVIGATION, ...(method === "POST" ? ["Content-Length: 3"] : [])];
    const response = await ask(bed(), "/deep?x=1", { host: WIKI, method, fields, body: method === "POST" ? "a=1" : "" });
    expect(response.status).toBe(status);
    expect(response.value("location")).toMatch(new RegExp(`^${AUTH_URL}/login\\?`));
    expect(response.value("cache-control")).toBe("no-store");
    await expectSilence(bed(), before);
  });
});

describe("A14, R-H6: pages of other origins", () => {
  test("of an allowed one can read the 401 and the 403; others cannot", async () => {
    const friend = await ask(bed(), "/", { host: WIKI, fields: [`Origin: ${FRIEND}`, "Sec-Fetch-Mode: cors"] });
    expect(friend).toMatchObject({ status: 401 });
    expect([friend.value("access-control-allow-origin"), friend.value("access-control-allow-credentials")]).toEqual([FRIEND, "true"]);
    for (const origin of ["https://evil.com", "null", `${FRIEND}.evil.com`]) {
      const response = await ask(bed(), "/", { host: WIKI, fields: [`Origin: ${origin}`, "Sec-Fetch-Mode: cors"] });
      expect(response.value("access-control-allow-origin")).toBeUndefined();
    }
  });

  test("have preflights answered by the relay from its list, before any connector hears of it", async () => {
    const before = mark(bed());
    const preflight = ["Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type"];
    const friend = await ask(bed(), "/x", { host: WIKI, method: "OPTIONS", fields: [`Origin: ${FRIEND}`, ...preflight] });
    expect(friend.status).toBe(204);
    expect([friend.value("access-control-allow-origin"), friend.value("access-control-allow-methods")]).toEqual([FRIEND, "GET, PUT"]);
    const evil = await ask(bed(), "/x", { host: WIKI, method: "OPTIONS", fields: ["Origin: https://evil.com", ...preflight] });
    expect(evil.fields.filter(([name]) => /^access-control-allow/i.test(name))).toEqual([]);
    await expectSilence(bed(), before);
  });

  test("have them forwarded without identity where so configured, credentials or not", async () => {
    const host = "forwarding.example.test";
    const fields = [`Origin: ${FRIEND}`, "Access-Control-Request-Method: PUT", annCookie(host)];
    const request = await expectForwarded(bed(), write("/x", { host, method: "OPTIONS", fields }));
    expect(request.values("sallyport-jwt-assertion")).toEqual([]);
    expect(request.values("cookie")).toEqual([]);
  });

  test("a forwarded preflight is one: a field that makes another method of it is refused (R-A12)", async () => {
    const fields = [`Origin: ${FRIEND}`, "Access-Control-Request-Method: PUT", "X-HTTP-Method-Override: DELETE"];
    const refused = write("/x", { host: "forwarding.example.test", method: "OPTIONS", fields });
    await expectDenied(bed(), refused, { status: 403, code: "ERR_ACCESS_DENIED" });
  });

  test("OPTIONS that is no preflight needs a login like any request", async () => {
    await expectDenied(bed(), write("/x", { host: WIKI, method: "OPTIONS", fields: [`Origin: ${FRIEND}`] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
    await expectDenied(
      bed(),
      write("/x", { host: "grafana.example.test", method: "OPTIONS", fields: [`Origin: ${FRIEND}`, "Access-Control-Request-Method: PUT"] }),
      {
        status: 401,
        code: "ERR_LOGIN_REQUIRED",
      },
    );
  });
});

describe("R-H5: another site uses a visitor's cookie", () => {
  test.each(["null", "https://app.evil.com", `https://${WIKI}:8443`, `http://${WIKI}`, "https://grafana.example.test"])(
    "a WebSocket from %s: 403, and no connector hears of it",
    async (origin) => {
      await expectDenied(
        bed(),
        write("/ws", { host: WIKI, close: false, fields: [...UPGRADE, annCookie(), `Origin: ${origin}`, "Connection: close"] }),
        {
          status: 403,
          code: "ERR_ORIGIN_NOT_ALLOWED",
        },
      );
    },
  );

  test("a WebSocket without Origin: 403; with its token in a header it needs none", async () => {
    await expectDenied(bed(), write("/ws", { host: WIKI, fields: [...UPGRADE, annCookie()] }), {
      status: 403,
      code: "ERR_ORIGIN_NOT_ALLOWED",
    });
    // The origin does not switch, so it is an ordinary answer; what counts is that it was asked.
    const before = mark(bed());
    await ask(bed(), "/ws", { host: WIKI, fields: [...UPGRADE, `Sallyport-Access-Token: ${people.get("ann").token(WIKI)}`] });
    expect(bed().opened.length - before.opened).toBe(1);
  });

  test.each(["cross-site", "same-site"])("a fetch or form that the browser calls %s: 403", async (site) => {
    for (const mode of ["cors", "no-cors"]) {
      await expectDenied(
        bed(),
        write("/api", { host: WIKI, fields: [annCookie(), `Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`] }),
        { status: 403, code: "ERR_ORIGIN_NOT_ALLOWED" },
      );
    }
    const form = ["Sec-Fetch-Mode: navigate", `Sec-Fetch-Site: ${site}`, "Origin: https://evil.com", "Content-Length: 0"];
    await expectDenied(
      bed(),
      write("/api", { host: WIKI, method: "POST", fields: [annCookie(), ...form] }),
      { status: 403, code: "ERR_ORIGIN_NOT_ALLOWED" },
      ["POST"],
    );
  });

  test("its own requests, deep links and allowed origins pass", async () => {
    for (const fields of [
      ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Accept: text/event-stream"],
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Accept: text/html"],
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", `Origin: ${FRIEND}`],
    ]) {
      await expectForwarded(bed(), write("/api", { host: WIKI, fields: [annCookie(), ...fields] }));
    }
  });
});

test("A31: an application for embedding has its policy on every answer of the origin", async () => {
  const response = await ask(bed(), "/", { host: "embedded.example.test", fields: [annCookie("embedded.example.test")] });
  expect(response.value("content-security-policy")).toBe(`frame-ancestors 'self' ${FRIEND}`);
  expectRefusal(await ask(bed(), "/", { host: "embedded.example.test" }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
});
