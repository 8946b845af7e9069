// R-D10: the relay's own redirects and fields hold nothing that could end a line or a parameter.

import { respondRedirect } from "@sallyport/relay/ingress/respond";
import type { IngressExchange } from "@sallyport/relay/ingress/exchange";
import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, http2Ask, pseudo } from "./support/visit.ts";
import { RawClient } from "../harness/raw-client.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

/** An exchange that must stay untouched. */
function untouched(): { readonly exchange: IngressExchange; readonly calls: string[] } {
  const calls: string[] = [];
  const request = { method: "GET", fields: [] };
  const exchange = new Proxy({ request } as unknown as IngressExchange, {
    get: (target, name) =>
      name === "request" ? target.request : (...args: unknown[]) => void calls.push(`${String(name)} ${JSON.stringify(args)}`),
  });
  return { exchange, calls };
}

describe("R-D10: a Location that could split the head throws before anything is written", () => {
  test.each([
    "https://a.test/\r\nSet-Cookie: x=1",
    "https://a.test/\nX: y",
    "https://a.test/\r",
    "/a\0b",
    "/a b",
    "/a\tb",
    "/\x7f",
    "/caf\xe9",
    "/\u2028",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "",
    "evil",
  ])("%j", (location) => {
    const { exchange, calls } = untouched();
    expect(() => respondRedirect(exchange, location, { requestId: "r" })).toThrow(
      expect.objectContaining({ code: "ERR_INGRESS_LOCATION_INVALID" }),
    );
    expect(calls).toEqual([]);
  });

  test("a plain one is written", () => {
    const { exchange, calls } = untouched();
    respondRedirect(exchange, "https://app.example.test/x?y=1", { requestId: "r" });
    expect(calls[0]).toContain("https://app.example.test/x?y=1");
  });
});

test.each(["/admin?%0d%0aSet-Cookie:x=1", "/admin/%22%3E%3Cscript%3E", "/staff/'\"<>;,=", "/admin/;,=?;,="])(
  "R-D10: the refusal of %s writes nothing of it into its fields",
  async (target) => {
    using client = await RawClient.connect({ port: bed().port });
    client.send(write(target, { fields: ["Accept: text/html", "User-Agent: <script>\xff", "X-Request-Id: forged\tid"] }));
    const raw = await client.untilClosed();
    const head = raw.slice(0, raw.indexOf("\r\n\r\n"));
    expect(head).not.toMatch(/<script|x=1|forged|%0d/i);
    for (const line of head.split("\r\n").slice(1)) expect(line).toMatch(/^[A-Za-z-]+: [\x20-\x7e]*$/);
    expect(raw).not.toContain("<script>");
  },
);

test("R-D10: every own field of refusals over both protocols is printable ASCII", async () => {
  for (const target of ["/admin", "/staff", "/x%2F..%2Fadmin", "/.sallyport/nothing", "/a%zz"]) {
    for (const [, value] of (await ask(bed(), target)).fields) expect(value).toMatch(/^[\x20-\x7e]*$/);
    for (const value of Object.values((await http2Ask(bed(), pseudo(target))).headers)) expect(String(value)).toMatch(/^[\x20-\x7e]*$/);
  }
});
