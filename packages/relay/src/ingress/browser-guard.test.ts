import { describe, expect, test } from "vitest";
import type { CorsConfig } from "../config/types.ts";
import { type GuardedRequest, isForeign, isPreflight, originOf, preflightAnswer, readableBy } from "./browser-guard.ts";

const OWN = "https://app.example.com";
const FRIEND = "https://friend.example.net";

function request(fields: readonly string[], changes: Partial<GuardedRequest> = {}): GuardedRequest {
  return { fields, method: "GET", upgrade: false, ownOrigin: OWN, allowedOrigins: [FRIEND], ...changes };
}

test("the own origin is written as browsers write it", () => {
  expect(originOf("https", "app.example.com", 443)).toBe("https://app.example.com");
  expect(originOf("https", "app.example.com", 8443)).toBe("https://app.example.com:8443");
  expect(originOf("http", "app.relay.localhost", 8080)).toBe("http://app.relay.localhost:8080");
});

describe("R-H5: a WebSocket with a cookie", () => {
  const upgrade = (fields: readonly string[]): boolean => isForeign(request(fields, { upgrade: true }));

  test.each([OWN, FRIEND])("from %s may", (origin) => {
    expect(upgrade(["Origin", origin])).toBe(false);
  });

  test.each([
    "null",
    "",
    "https://app.evil.com",
    "https://app.example.com.evil.com",
    "https://evilapp.example.com",
    "https://sibling.example.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://app.example.com/",
    "HTTPS://APP.EXAMPLE.COM",
    "https://user@app.example.com",
    "wss://app.example.com",
    "file://",
  ])("from %j may not", (origin) => {
    expect(upgrade(["Origin", origin])).toBe(true);
  });

  test("without an origin, or with two, may not", () => {
    expect(upgrade([])).toBe(true);
    expect(upgrade(["Origin", OWN, "Origin", OWN])).toBe(true);
    expect(upgrade(["Sec-Fetch-Site", "same-origin"])).toBe(true);
  });
});

describe("R-H5: other requests with a cookie", () => {
  test("of the application itself, typed by hand, or of old browsers pass", () => {
    for (const fields of [["Sec-Fetch-Site", "same-origin"], ["Sec-Fetch-Site", "none"], [], ["Accept", "text/event-stream"]])
      expect(isForeign(request(fields, { method: "POST" }))).toBe(false);
  });

  test.each(["cross-site", "same-site", "something-new"])("%s is refused, for an EventSource too", (site) => {
    for (const mode of ["cors", "no-cors", "same-origin", "websocket"]) {
      expect(isForeign(request(["Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Accept", "text/event-stream"]))).toBe(true);
      expect(isForeign(request(["Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Origin", FRIEND]))).toBe(false);
      expect(isForeign(request(["Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Origin", "https://evil.com"]))).toBe(true);
    }
  });

  test("navigations by GET and HEAD pass: deep links, the return from the provider", () => {
    for (const method of ["GET", "HEAD"])
      expect(isForeign(request(["Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"], { method }))).toBe(false);
  });

  test("forms posted from elsewhere do not, unless the origin is allowed", () => {
    const fields = ["Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"];
    expect(isForeign(request([...fields, "Origin", "https://evil.com"], { method: "POST" }))).toBe(true);
    expect(isForeign(request([...fields, "Origin", "null"], { method: "POST" }))).toBe(true);
    expect(isForeign(request(fields, { method: "POST" }))).toBe(true);
    expect(isForeign(request([...fields, "Origin", FRIEND], { method: "POST" }))).toBe(false);
  });

  test("fields that contradict themselves are refused", () => {
    expect(isForeign(request(["Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"]))).toBe(true);
    expect(isForeign(request(["Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Mode", "cors"]))).toBe(true);
  });
});

describe("R-H6: CORS", () => {
  const cors: CorsConfig = { preflight: "answer", methods: ["GET", "PUT"], headers: ["X-Test"], maxAgeMs: 90_000 };
  const asking = (origin: string): string[] => ["Origin", origin, "Access-Control-Request-Method", "PUT"];

  test("a preflight is OPTIONS with one origin and one requested method, and nothing else is", () => {
    expect(isPreflight("OPTIONS", asking(FRIEND))).toBe(true);
    expect(isPreflight("GET", asking(FRIEND))).toBe(false);
    expect(isPreflight("OPTIONS", ["Origin", FRIEND])).toBe(false);
    expect(isPreflight("OPTIONS", ["Access-Control-Request-Method", "PUT"])).toBe(false);
    expect(isPreflight("OPTIONS", [...asking(FRIEND), "Origin", OWN])).toBe(false);
  });

  test("a listed origin gets the list's own text, with credentials", () => {
    expect(preflightAnswer(asking(FRIEND), [FRIEND], cors)).toEqual([
      ...["Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"],
      ...["Access-Control-Allow-Origin", FRIEND, "Access-Control-Allow-Credentials", "true"],
      ...["Access-Control-Allow-Methods", "GET, PUT", "Access-Control-Allow-Headers", "X-Test", "Access-Control-Max-Age", "90"],
    ]);
  });

  test.each(["https://evil.com", "null", "*", `${FRIEND}.evil.com`, FRIEND.toUpperCase(), `${FRIEND}/`])(
    "%s gets nothing: no star, no reflection",
    (origin) => {
      expect(preflightAnswer(asking(origin), [FRIEND], cors).join("\n")).not.toMatch(/allow/i);
      expect(readableBy(["Origin", origin], [FRIEND])).toEqual(["Vary", "Origin"]);
    },
  );

  test("refusals are readable for listed origins only, and say nothing where no origin is listed", () => {
    expect(readableBy(["Origin", FRIEND], [FRIEND])).toContain("Access-Control-Allow-Origin");
    expect(readableBy(["Origin", FRIEND], [])).toEqual([]);
    expect(readableBy([], [FRIEND])).toEqual(["Vary", "Origin"]);
  });
});
