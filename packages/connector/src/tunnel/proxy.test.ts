import { describe, expect, test } from "vitest";
import { chooseProxy, displayProxy, matchingNoProxyEntry, parseProxyUrl } from "./proxy.ts";

const relay = new URL("https://auth.example.com");
const fromEnvironment = { kind: "environment" } as const;

describe("chooseProxy", () => {
  test("goes straight out when nothing is set", () => {
    expect(chooseProxy(relay, fromEnvironment, {}).kind).toBe("direct");
    expect(chooseProxy(relay, fromEnvironment, { HTTPS_PROXY: " " }).kind).toBe("direct");
  });

  test("takes HTTPS_PROXY, and https_proxy before it", () => {
    expect(chooseProxy(relay, fromEnvironment, { HTTPS_PROXY: "http://a:1" })).toMatchObject({ kind: "proxy", url: new URL("http://a:1") });
    expect(chooseProxy(relay, fromEnvironment, { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:2" })).toMatchObject({
      url: new URL("http://b:2"),
    });
  });

  test("never sends loopback through a proxy", () => {
    for (const local of ["http://127.0.0.1:8080", "https://auth.relay.localhost:8443", "http://[::1]:80"]) {
      expect(chooseProxy(new URL(local), fromEnvironment, { HTTPS_PROXY: "http://a:1" }).kind).toBe("direct");
    }
  });

  test("the configuration overrules the environment", () => {
    expect(chooseProxy(relay, { kind: "none" }, { HTTPS_PROXY: "http://a:1" }).kind).toBe("direct");
    const own = new URL("http://own:3128");
    expect(chooseProxy(relay, { kind: "url", url: own }, { NO_PROXY: "*" })).toMatchObject({ kind: "proxy", url: own });
  });

  test("says which entry of NO_PROXY made it go direct", () => {
    const choice = chooseProxy(relay, fromEnvironment, { HTTPS_PROXY: "http://a:1", NO_PROXY: "internal,example.com" });
    expect(choice).toEqual({ kind: "direct", why: "NO_PROXY names example.com" });
  });

  test("an unusable value is an error that names the variable and never shows the value", () => {
    const choice = chooseProxy(relay, fromEnvironment, { HTTPS_PROXY: "socks5://user:hunter2@a:1" });
    expect(choice.kind).toBe("invalid");
    expect(choice.why).toContain("HTTPS_PROXY");
    expect(choice.why).not.toContain("hunter2");
  });
});

test.each([
  ["auth.example.com", true],
  ["example.com", true],
  [".example.com", true],
  ["*.example.com", true],
  ["EXAMPLE.com", true],
  ["ample.com", false],
  [".auth.example.com", false],
  ["auth.example.com:443", true],
  ["auth.example.com:8443", false],
  ["other, *", true],
  ["", false],
])("NO_PROXY=%s covers auth.example.com: %s", (list, covered) => {
  expect(matchingNoProxyEntry(relay, list) !== undefined).toBe(covered);
});

test.each([
  ["192.0.2.7", true],
  ["192.0.2.0/24", true],
  ["192.0.3.0/24", false],
  ["192.0.2.7:443", true],
  ["192.0.2.7:80", false],
  ["192.0.2.0/33", false],
  ["192.0.2", false],
])("NO_PROXY=%s covers the address 192.0.2.7: %s", (list, covered) => {
  expect(matchingNoProxyEntry(new URL("https://192.0.2.7"), list) !== undefined).toBe(covered);
});

test("IPv6 entries match with and without brackets, blocks too", () => {
  const address = new URL("https://[2001:db8::7]:8443");
  for (const list of ["2001:db8::7", "[2001:db8::7]:8443", "2001:db8::/32"]) expect(matchingNoProxyEntry(address, list)).toBe(list);
  expect(matchingNoProxyEntry(address, "[2001:db8::7]:443")).toBeUndefined();
});

test("proxy URLs: scheme optional, no SOCKS, no path; credentials are never shown", () => {
  expect(parseProxyUrl("proxy.corp:3128")?.port).toBe("3128");
  expect(parseProxyUrl("socks5://a:1")).toBeUndefined();
  expect(parseProxyUrl("http://a:1/path")).toBeUndefined();
  expect(displayProxy(new URL("http://user:secret@a:3128"))).toBe("http://a:3128");
});
