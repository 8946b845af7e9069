// Sealed values (R-F1): only what was sealed opens, for its purpose, until it expires.

import { ManualClock } from "@sallyport/shared/clock";
import fc from "fast-check";
import { expect, it } from "vitest";
import { MAX_SEALED_CONTENT_BYTES, Sealer } from "./sealed.ts";

const KEY = new Uint8Array(32).fill(7);
const content = { path: "/a?b=c", n: 1 };

it("what was sealed opens, with an id of its own", () => {
  const sealer = new Sealer(KEY, new ManualClock());
  const [first, second] = [sealer.seal("login-request", content, 1_000), sealer.seal("login-request", content, 1_000)];
  const opened = sealer.open("login-request", first);
  expect(opened).toMatchObject({ kind: "open", content });
  expect(first).not.toContain("/a");
  expect(opened.kind === "open" && opened.id).not.toBe(sealer.open("login-request", second).kind);
  expect(first).not.toBe(second);
});

it("each purpose opens its own only (R-G3)", () => {
  const sealer = new Sealer(KEY, new ManualClock());
  const text = sealer.seal("provider-state", content, 1_000);
  expect(sealer.open("login-request", text).kind).toBe("invalid");
  expect(sealer.open("pin-challenge", text).kind).toBe("invalid");
});

it("expires at its time, also after the clock was set back", () => {
  const clock = new ManualClock();
  const sealer = new Sealer(KEY, clock);
  const text = sealer.seal("login-request", content, 1_000);
  clock.advance(999);
  expect(sealer.open("login-request", text).kind).toBe("open");
  clock.advance(1);
  expect(sealer.open("login-request", text)).toEqual({ kind: "expired", content });
});

it("not one bit can be changed, and no other key opens it (R-E1, R-F1)", () => {
  const sealer = new Sealer(KEY, new ManualClock());
  const text = sealer.seal("login-request", content, 1_000);
  const bytes = Buffer.from(text, "base64url");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = Buffer.from(bytes);
    altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(sealer.open("login-request", altered.toString("base64url")).kind).toBe("invalid");
  }
  expect(new Sealer(new Uint8Array(32).fill(8), new ManualClock()).open("login-request", text).kind).toBe("invalid");
});

it("anything else is invalid, whatever it is", () => {
  const sealer = new Sealer(KEY, new ManualClock());
  expect(sealer.open("login-request", undefined).kind).toBe("invalid");
  expect(sealer.open("login-request", "A".repeat(1_000_000)).kind).toBe("invalid");
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => sealer.open("login-request", text).kind === "invalid"));
});

it("has room for the largest content and no more", () => {
  const sealer = new Sealer(KEY, new ManualClock());
  const path = "a".repeat(MAX_SEALED_CONTENT_BYTES - '{"p":""}'.length);
  expect(sealer.open("login-request", sealer.seal("login-request", { p: path }, 1_000))).toMatchObject({
    kind: "open",
    content: { p: path },
  });
  expect(() => sealer.seal("login-request", { p: `${path}a` }, 1_000)).toThrow(/too large/);
});
