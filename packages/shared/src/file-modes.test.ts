import { describe, expect, test } from "vitest";
import { exposureOf, octalMode, repairOf, shellQuoted } from "./file-modes.ts";

describe("R-J4: what a mode lets others do with a secret", () => {
  test.each([0o600, 0o400, 0o700, 0o100600])("%o is private", (mode) => {
    expect([exposureOf(mode, "owner"), exposureOf(mode, "group")]).toEqual([undefined, undefined]);
  });

  test.each([0o640, 0o440])("%o is for a group, where that is meant", (mode) => {
    expect([exposureOf(mode, "owner"), exposureOf(mode, "group")]).toEqual(["read or changed by other users", undefined]);
  });

  test.each([0o604, 0o644, 0o666, 0o444])("%o is for everybody", (mode) => {
    expect([exposureOf(mode, "owner"), exposureOf(mode, "group")]).toEqual([
      "read or changed by other users",
      "read or changed by other users",
    ]);
  });

  test.each([0o620, 0o602, 0o622])("%o can be changed, although not read", (mode) => {
    expect([exposureOf(mode, "owner"), exposureOf(mode, "group")]).toEqual(["changed by other users", "changed by other users"]);
  });

  test("what a group may change is refused, whoever may read it", () => {
    expect(exposureOf(0o660, "group")).toBe("changed by other users");
  });
});

test("the repair can be copied into a shell, whatever the path (R-K10)", () => {
  expect(repairOf("/etc/sallyport/tls.key", "group")).toBe("chmod g-w,o= /etc/sallyport/tls.key");
  expect(repairOf("it's here; rm -rf", "owner")).toBe(`chmod 600 'it'\\''s here; rm -rf'`);
  expect(shellQuoted("$(x)")).toBe("'$(x)'");
  expect([octalMode(0o100640), octalMode(0o7)]).toEqual(["0640", "0007"]);
});
