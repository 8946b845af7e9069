// R-B8: where a visitor comes from is what the socket says, or what a listed proxy says; never what the visitor says.

import { describe, expect, test } from "vitest";
import { useBed, createBed, type Bed } from "./support/bed.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const CLAIMS = [
  "X-Forwarded-For: 1.2.3.4",
  "X-Forwarded-For: 5.6.7.8",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Host: evil.example",
  "X-Forwarded-Port: 1",
  "X-Forwarded-Server: evil.example",
  "X-Forwarded-Prefix: /evil",
  "Forwarded: for=1.2.3.4;host=evil.example;proto=http",
  "X-Real-IP: 1.2.3.4",
  "CF-Connecting-IP: 1.2.3.4",
  "True-Client-IP: 1.2.3.4",
  "Client-IP: 1.2.3.4",
  "X-Client-IP: 1.2.3.4",
  "X-Cluster-Client-IP: 1.2.3.4",
  "Fastly-Client-IP: 1.2.3.4",
];

/** Everything an origin might read as the visitor's address. */
function addressFields(raw: string): string {
  return raw
    .split("\r\n")
    .filter((line) => /forwarded|real-ip|client-ip|connecting/i.test(line))
    .join("\n");
}

const BUILT = (address: string, chain: string = address): string =>
  [
    `X-Forwarded-For: ${chain}`,
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: app.example.test",
    "X-Forwarded-Port: 443",
    `X-Real-IP: ${address}`,
    `Forwarded: ${chain
      .split(", ")
      .map((hop, i) => `for=${hop}${i === 0 ? ";host=app.example.test;proto=https" : ""}`)
      .join(", ")}`,
  ].join("\n");

test("R-B8: without trusted proxies every claim is dropped, and the fields are built from the socket", async () => {
  const request = await expectForwarded(bed(), write("/x", { fields: CLAIMS }));
  expect(addressFields(request.raw)).toBe(BUILT("127.0.0.1"));
});

test.each(CLAIMS)("R-B8: %s alone changes nothing, in any spelling", async (claim) => {
  for (const spelling of [claim, claim.toUpperCase(), claim.replaceAll("-", "_")]) {
    expect(addressFields((await expectForwarded(bed(), write("/x", { fields: [spelling] }))).raw)).toBe(BUILT("127.0.0.1"));
  }
});

describe("R-B8: a policy by address is not fooled", () => {
  const policies = [{ name: "inside", action: "bypass", include: [{ everyone: true }], require: [{ ip: ["10.1.0.0/16"] }] }];
  const applications = [{ name: "inside", hostname: "inside.example.test", tunnel: "office", service: "open", policies: ["inside"] }];

  async function status(trusted: Bed, forwardedFor: readonly string[]): Promise<number> {
    return (await ask(trusted, "/x", { host: "inside.example.test", fields: forwardedFor.map((value) => `X-Forwarded-For: ${value}`) }))
      .status;
  }

  test("by X-Forwarded-For of an untrusted peer, private as its own address may be", async () => {
    await using stack = new AsyncDisposableStack();
    const strict = await createBed(stack, { policies, applications });
    expect(await status(strict, ["10.1.2.3"])).toBe(403);
  });

  test("by entries left of the first untrusted hop, or by malformed ones", async () => {
    await using stack = new AsyncDisposableStack();
    const trusting = await createBed(stack, { policies, applications, relay: { trustedProxies: ["127.0.0.1", "192.0.2.0/24"] } });
    expect(await status(trusting, ["10.1.2.3"])).toBe(200);
    expect(await status(trusting, ["10.1.2.3, 192.0.2.7"])).toBe(200);
    expect(await status(trusting, ["10.1.2.3", "192.0.2.7"])).toBe(200);
    expect(await status(trusting, ["::ffff:10.1.2.3"])).toBe(200);
    for (const claim of [
      "10.1.2.3, 8.8.8.8",
      "10.1.2.3, 8.8.8.8, 192.0.2.7",
      "10.1.2.3, unknown",
      "10.1.2.3:80",
      "010.1.2.3",
      "10.1.2",
      "10.1.2.3, ",
      ", 10.1.2.3x",
      "fe80::1%eth0",
      '"10.1.2.3"',
      "_hidden",
    ])
      expect([claim, await status(trusting, [claim])]).toEqual([claim, 403]);
    expect(await status(trusting, ["10.1.2.3", "8.8.8.8"])).toBe(403);
    const request = await expectForwarded(
      trusting,
      write("/x", { fields: ["X-Forwarded-For: 6.6.6.6, 8.8.8.8, 192.0.2.7", "X-Real-IP: 6.6.6.6", "X-Forwarded-Host: evil.example"] }),
    );
    expect(addressFields(request.raw)).toBe(BUILT("8.8.8.8", "8.8.8.8, 192.0.2.7, 127.0.0.1"));
  });
});
