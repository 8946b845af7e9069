import { REQUEST_FIELD_LIMITS } from "@sallyport/shared/http/field-limits";
import { describe, expect, test } from "vitest";
import { canonicalise } from "./canonicalise.ts";
import type { IngressRequest } from "./exchange.ts";

function request(change: Partial<IngressRequest>): IngressRequest {
  return {
    httpVersion: "2.0",
    method: "POST",
    target: "/",
    authority: "app.example.com",
    fields: [],
    scheme: "https",
    serverName: undefined,
    clientCheck: undefined,
    peer: { address: "192.0.2.1", port: 1 },
    upgrade: false,
    bodyless: true,
    ...change,
  };
}

describe("a body that is promised and cannot come", () => {
  test("is refused here, since the connector would have to end its connection over it (R-D3)", () => {
    expect(canonicalise(request({ fields: ["content-length", "5"] }), "https", REQUEST_FIELD_LIMITS)).toEqual({
      kind: "refused",
      code: "ERR_FRAMING_CONTENT_LENGTH",
    });
  });

  test.each([
    ["a length of zero", { fields: ["content-length", "0"] }],
    ["no length", {}],
    ["a body that comes", { fields: ["content-length", "5"], bodyless: false }],
  ])("is not what %s says", (_name, change) => {
    expect(canonicalise(request(change), "https", REQUEST_FIELD_LIMITS)).toMatchObject({ kind: "request" });
  });
});
