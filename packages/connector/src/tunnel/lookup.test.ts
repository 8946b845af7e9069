import type { LookupAddress, LookupOptions } from "node:dns";
import { expect, test } from "vitest";
import { isLoopbackHost, lookup } from "./lookup.ts";

function resolve(hostname: string, options: LookupOptions): Promise<string | LookupAddress[]> {
  return new Promise((settle, reject) => lookup(hostname, options, (error, address) => (error === null ? settle(address) : reject(error))));
}

test.each(["localhost", "auth.relay.localhost", "AUTH.LOCALHOST."])("%s is loopback without asking anybody", async (name) => {
  expect(await resolve(name, {})).toBe("127.0.0.1");
  expect(await resolve(name, { all: true })).toEqual([
    { address: "127.0.0.1", family: 4 },
    { address: "::1", family: 6 },
  ]);
  expect(await resolve(name, { family: 6 })).toBe("::1");
  expect(await resolve(name, { family: "IPv4", all: true })).toEqual([{ address: "127.0.0.1", family: 4 }]);
});

test.each<[string, boolean]>([
  ["localhost", true],
  ["a.localhost", true],
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["[::1]", true],
  ["::1", true],
  ["notlocalhost", false],
  ["localhost.example.com", false],
  ["128.0.0.1", false],
  ["0.0.0.0", false],
  ["[::]", false],
])("%s is loopback: %s", (host, loopback) => {
  expect(isLoopbackHost(host)).toBe(loopback);
});
