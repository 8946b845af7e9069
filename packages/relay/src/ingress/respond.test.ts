import { describe, expect, it } from "vitest";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { firstValue, type Fields } from "@sallyport/shared/http/fields";
import type { IngressExchange, IngressRequest } from "./exchange.ts";
import {
  isNavigation,
  rawRefusal,
  REFUSALS,
  refusalOfReset,
  respondRedirect,
  respondWith,
  type Refusal,
  type RefusalCode,
} from "./respond.ts";

const CODES = Object.keys(REFUSALS) as RefusalCode[];
const NAVIGATION = ["Sec-Fetch-Mode", "navigate", "Accept", "text/html,*/*;q=0.8"];
const AT = Date.UTC(2026, 0, 2, 3, 4, 5);

class Sink {
  status = 0;
  fields: Fields = [];
  body = "";
  ended = false;
  closes = false;
  readonly exchange: IngressExchange;

  constructor(request: Partial<IngressRequest> = {}) {
    const whole: IngressRequest = {
      httpVersion: "1.1",
      method: "GET",
      target: "/",
      authority: undefined,
      fields: [],
      scheme: "https",
      serverName: undefined,
      clientCheck: undefined,
      peer: { address: "::1", port: 1 },
      upgrade: false,
      bodyless: true,
      ...request,
    };
    const nothing = (): void => {};
    this.exchange = {
      request: whole,
      abortReason: undefined,
      setHandler: nothing,
      resume: nothing,
      pause: nothing,
      sendContinue: nothing,
      sendInformational: nothing,
      switchProtocols: nothing,
      abort: nothing,
      sendHead: (status, fields, end) => {
        this.status = status;
        this.fields = fields;
        this.ended = end;
      },
      write: (chunk) => {
        this.body += Buffer.from(chunk).toString("utf8");
        return true;
      },
      end: () => void (this.ended = true),
      closeConnectionAfter: () => void (this.closes = true),
    };
  }

  value(name: string): string | undefined {
    return firstValue(this.fields, name);
  }
}

function refuse(code: RefusalCode, fields: Fields = [], context: object = {}, request: Partial<IngressRequest> = {}): Sink {
  const sink = new Sink({ fields, ...request });
  respondWith(sink.exchange, code, { requestId: "r-1", atMs: AT, ...context });
  return sink;
}

describe("the table of refusals", () => {
  it.each(CODES)("%s has a status that fits its level, and whole sentences", (code) => {
    const refusal: Refusal = REFUSALS[code];
    expect(refusal.status).toBeGreaterThanOrEqual(400);
    if (refusal.status < 500 && refusal.hop === "relay") expect(refusal.logLevel).not.toBe("error");
    for (const text of [refusal.meaning, refusal.visitorRemedy, refusal.operatorRemedy]) expect(text).toMatch(/^[A-Z`].*[.]$/);
    expect(refusal.title.split(" ").length).toBeLessThanOrEqual(6);
    if (refusal.status === 503) expect(refusal.retryAfterS).toBeGreaterThan(0);
    if (refusal.title === "Request not understood" || [414, 417, 421, 431, 501].includes(refusal.status)) expect(refusal.closes).toBe(true);
  });

  it("maps every reset code, and none to a refusal that blames the visitor wrongly", () => {
    for (const code of Object.values(ResetCode)) expect(REFUSALS[refusalOfReset(code)]).toBeDefined();
    expect(refusalOfReset(ResetCode.ASSERTION_REFUSED)).toBe("ERR_ASSERTION_REFUSED");
    expect(refusalOfReset(ResetCode.CONNECTION_LOST)).toBe("ERR_TUNNEL_LOST");
    expect(refusalOfReset(0x7777 as ResetCode)).toBe("ERR_RELAY_INTERNAL");
  });
});

describe("an answer of the relay", () => {
  it.each(CODES)("%s names request id, code and hop, and is neither stored, framed nor sniffed", (code) => {
    for (const fields of [[], NAVIGATION]) {
      const sink = refuse(code, fields);
      expect(sink.status).toBe(REFUSALS[code].status);
      expect(sink.value("sallyport-request-id")).toBe("r-1");
      expect(sink.value("sallyport-error")).toBe(code);
      expect(sink.value("sallyport-answered-by")).toMatch(/^(?:relay|connector)$/);
      expect(sink.value("cache-control")).toBe("no-store");
      expect(sink.value("x-content-type-options")).toBe("nosniff");
      expect(sink.value("referrer-policy")).toBe("no-referrer");
      expect(sink.value("content-security-policy")).toMatch(
        /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
      );
      expect(sink.value("content-length")).toBe(String(Buffer.byteLength(sink.body)));
      expect(sink.ended).toBe(true);
    }
  });

  it("is JSON for programs, with the sign-in where there is one", () => {
    const sink = refuse("ERR_LOGIN_REQUIRED", ["Accept", "*/*"], {
      applicationName: 'gra"fana',
      loginUrl: "https://auth.example.com/login",
    });
    expect(sink.value("content-type")).toBe("application/json; charset=utf-8");
    expect(JSON.parse(sink.body)).toEqual({
      error: "ERR_LOGIN_REQUIRED",
      message: REFUSALS.ERR_LOGIN_REQUIRED.meaning,
      hop: "relay",
      request_id: "r-1",
      remedy: REFUSALS.ERR_LOGIN_REQUIRED.visitorRemedy,
      login_url: "https://auth.example.com/login",
    });
    expect(sink.value("www-authenticate")).toBe('Bearer realm="gra?fana"');
    expect(refuse("ERR_CREDENTIAL_INVALID").value("www-authenticate")).toContain('error="invalid_token"');
    expect(refuse("ERR_LOGIN_REQUIRED", [], { challenge: 'Basic realm="x"' }).value("www-authenticate")).toBe('Basic realm="x"');
  });

  it("is a page for people, and everything that came from elsewhere is escaped in it", () => {
    const evil = `<script>"'&\u202e`;
    const sink = refuse("ERR_ACCESS_DENIED", NAVIGATION, {
      requestId: "r-1",
      applicationName: evil,
      detail: evil,
      signedInAs: evil,
      loginUrl: "javascript:alert(1)",
      contact: 'mailto:a@example.com"onclick=x',
    });
    expect(sink.value("content-type")).toBe("text/html; charset=utf-8");
    expect(sink.body).not.toMatch(/<script|javascript:|"onclick|\u202e/);
    expect(sink.body.match(/&lt;script&gt;&quot;&#39;&amp;\ufffd/g)?.length).toBe(3);
    expect(sink.body).toContain("r-1");
  });

  it("to a host that is not ours is the same bytes whoever asks (R-B6)", () => {
    for (const fields of [[], NAVIGATION]) {
      const bodies = ["r-1", "r-2"].map((requestId) => refuse("ERR_HOST_UNKNOWN", [...fields, "Host", requestId], { requestId }).body);
      expect(bodies[0]).toBe(bodies[1]);
      expect(bodies[0]).not.toContain("r-1");
    }
  });

  it("carries Retry-After, Allow and the protocol to upgrade to where the status asks for them", () => {
    expect(refuse("ERR_TUNNEL_NOT_CONNECTED").value("retry-after")).toBe("10");
    expect(refuse("ERR_OVERLOADED", [], { retryAfterS: 0.2 }).value("retry-after")).toBe("1");
    expect(refuse("ERR_METHOD_NOT_ALLOWED").value("allow")).toContain("GET");
    expect(refuse("ERR_UPGRADE_VERSION").value("sec-websocket-version")).toBe("13");
    expect(refuse("ERR_ACCESS_DENIED").value("retry-after")).toBeUndefined();
  });

  it("closes the connection where the input was not understood, and only there", () => {
    expect(refuse("ERR_AUTHORITY_SEVERAL").closes).toBe(true);
    expect(refuse("ERR_ACCESS_DENIED").closes).toBe(false);
    expect(refuse("ERR_TUNNEL_NOT_CONNECTED").closes).toBe(false);
  });

  it("to HEAD has the fields of GET and no body", () => {
    const sink = refuse("ERR_ACCESS_DENIED", [], {}, { method: "HEAD" });
    expect(sink.body).toBe("");
    expect(Number(sink.value("content-length"))).toBeGreaterThan(100);
  });

  it.each([
    ["ERR_LOGIN_REQUIRED", "16"],
    ["ERR_ACCESS_DENIED", "7"],
    ["ERR_TUNNEL_NOT_CONNECTED", "14"],
    ["ERR_ORIGIN_HEADER_TIMEOUT", "14"],
    ["ERR_HOST_UNKNOWN", "2"],
  ] as const)("%s reaches a gRPC caller as grpc-status %s in a trailers-only answer", (code, status) => {
    const sink = refuse(code, ["content-type", "application/grpc+proto"], {}, { method: "POST", httpVersion: "2.0" });
    expect([sink.status, sink.value("grpc-status"), sink.value("content-type"), sink.ended, sink.body]).toEqual([
      200,
      status,
      "application/grpc",
      true,
      "",
    ]);
    expect(sink.value("grpc-message")).toMatch(new RegExp(`^${code}: [\\x20-\\x24\\x26-\\x7e]+$`));
    expect(sink.value("sallyport-error")).toBe(code);
  });

  it("for a connection that cannot be parsed is one whole response", () => {
    const text = rawRefusal("ERR_REQUEST_TIMEOUT", "r-9", AT).toString("utf8");
    const [head = "", body = ""] = text.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 408 Request took too long\r\n[^]*Date: Fri, 02 Jan 2026 03:04:05 GMT\r\nConnection: close$/);
    expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
    expect(JSON.parse(body)).toMatchObject({ error: "ERR_REQUEST_TIMEOUT", request_id: "r-9" });
  });
});

describe("who is asking (R-H7)", () => {
  it.each([
    [NAVIGATION, false, true],
    [["accept", "text/html"], false, true],
    [["Sec-Fetch-Mode", "cors", "Accept", "text/html"], false, false],
    [["Accept", "application/json"], false, false],
    [[], false, false],
    [NAVIGATION, true, false],
  ] as const)("%j (upgrade: %s) is a navigation: %s", (fields, upgrade, expected) => {
    expect(isNavigation({ ...new Sink().exchange.request, fields, upgrade })).toBe(expected);
  });
});

describe("a redirect of the relay", () => {
  it.each([
    ["GET", undefined, 302],
    ["HEAD", undefined, 302],
    ["POST", undefined, 303],
    ["POST", 308, 308],
  ] as const)("answers %s (asked for %s) with %i", (method, status, expected) => {
    const sink = new Sink({ method });
    respondRedirect(sink.exchange, "https://auth.example.com/login?a=b%20c", {
      requestId: "r-1",
      ...(status === undefined ? {} : { status }),
    });
    expect([sink.status, sink.value("location"), sink.value("content-length"), sink.value("cache-control")]).toEqual([
      expected,
      "https://auth.example.com/login?a=b%20c",
      "0",
      "no-store",
    ]);
  });

  it.each([
    "//evil",
    "/\\evil",
    "javascript:x",
    "https://",
    "https:///x",
    "login",
    "",
    "/a\r\nSet-Cookie: x",
    "/a b",
    "/\t/evil",
    "/\u00e9",
    "https://good\n",
  ])("to %j throws before anything is sent (R-D10)", (location) => {
    const sink = new Sink();
    expect(() => respondRedirect(sink.exchange, location, { requestId: "r-1" })).toThrow(/absolute URL or path/);
    expect(sink.status).toBe(0);
  });
});
