import { expect, test } from "vitest";
import { firstValue } from "./fields.ts";
import { forwardingFields, type ForwardingContext } from "./forwarding-fields.ts";
import { isFieldValue } from "./grammar.ts";

const CONTEXT: ForwardingContext = { chain: ["203.0.113.7"], scheme: "https", hostname: "a.example.com", port: 443, requestId: "r1" };

test("I4: each field says what the relay knows, once", () => {
  const expected = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "a.example.com",
    "X-Forwarded-Port": "443",
    "X-Real-IP": "203.0.113.7",
    Forwarded: "for=203.0.113.7;host=a.example.com;proto=https",
    "Sallyport-Request-Id": "r1",
  };
  expect(forwardingFields(CONTEXT)).toEqual(Object.entries(expected).flat());
});

test("I4: behind trusted proxies the visitor comes first, then each proxy; IPv6 and ports are quoted as RFC 7239 says", () => {
  const fields = forwardingFields({ ...CONTEXT, chain: ["2001:db8::1", "10.0.0.1", "::1"], port: 8443 });
  expect(firstValue(fields, "x-forwarded-for")).toBe("2001:db8::1, 10.0.0.1, ::1");
  expect(firstValue(fields, "x-real-ip")).toBe("2001:db8::1");
  expect(firstValue(fields, "x-forwarded-host")).toBe("a.example.com:8443");
  expect(firstValue(fields, "forwarded")).toBe('for="[2001:db8::1]";host="a.example.com:8443";proto=https, for=10.0.0.1, for="[::1]"');
  expect(fields.every(isFieldValue)).toBe(true);
});
