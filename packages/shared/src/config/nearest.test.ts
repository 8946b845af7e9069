import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

const KEYS = ["hostname", "path", "policies", "tunnel", "service", "authUrl", "trustedProxies"];

test.each([
  ["hostnam", "hostname"],
  ["hots_name", "hostname"],
  ["auth-url", "authUrl"],
  ["AUTHURL", "authUrl"],
  ["polices", "policies"],
  ["tunnle", "tunnel"],
  ["trustedProxy", "trustedProxies"],
])("%s is meant as %s", (word, meant) => {
  expect(nearest(word, KEYS)).toBe(meant);
});

test.each(["colour", "x", "", "a".repeat(5000), "hostnamehostname"])("%s is near to nothing", (word) => {
  expect(nearest(word, KEYS)).toBeUndefined();
});
