import { expect, it } from "vitest";
import { sourceOf } from "./source.ts";

it("a source is an IPv4 address or an IPv6 /64", () => {
  expect(sourceOf("192.0.2.1")).toBe("192.0.2.1");
  expect(sourceOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(sourceOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
  expect(sourceOf("::1")).toBe("0:0:0:0::/64");
});
