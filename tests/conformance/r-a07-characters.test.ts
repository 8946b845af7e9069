// R-A7: characters that do not belong into a path are refused; the query is nobody's business but for controls.

import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, expectRejected, http2Ask, mark, expectSilence, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

describe("R-A7: refused in the path", () => {
  test.each([
    ["a raw #", "/a#/b"],
    ["a raw NUL", "/a\0b"],
    ["a raw control", "/a\x01b"],
    ["a raw DEL", "/a\x7fb"],
    ["a tab", "/a\tb"],
    ["raw non-ASCII", "/a\xe9b"],
    ["raw UTF-8", "/\xc3\xa9"],
    ["%zz", "/a%zz"],
    ["%u002e", "/%u002e%u002e/admin"],
    ["a lone %", "/a%"],
    ["half an escape", "/a%4"],
    ["a fullwidth escape", "/%\xef\xbc\x92e"],
    ["a bad escape behind a good one", "/%61%"],
  ])("%s", async (_name, path) => {
    await expectRejected(bed(), write(path, { close: false }), { status: 400 });
  });

  test.each(["/a#/b", "/a%zz", "/%u002e", "/a\xe9b"])("%s over HTTP/2", async (path) => {
    const before = mark(bed());
    const answer = await http2Ask(bed(), pseudo(path));
    expect(answer.status === 400 || (answer.status === undefined && answer.reset !== 0)).toBe(true);
    await expectSilence(bed(), before);
  });
});

test.each(["/%c0%ae%c0%ae/admin", "/%c0%afadmin", "/%e0%80%af..%e0%80%afadmin", "/%c1%a1dmin", "/x/%c0%2e%c0%2e/admin"])(
  "R-A7: the overlong UTF-8 of %s never matches an application's path",
  async (path) => {
    expect((await expectForwarded(bed(), write(path))).target).toBe(path);
  },
);

test.each(["/q?a=%zz&b=%", "/q?x=/../admin&y=//;z", "/q??&&==", "/q?%00", "/q?", "/q?a=#b"])(
  "R-A7: %s: the query is forwarded byte for byte",
  async (path) => {
    expect((await expectForwarded(bed(), write(path))).target).toBe(path);
  },
);

test.each(["/q?a=\0", "/q?a=\x01", "/q?a=\x7f", "/q?a=\tb"])("R-A7: %j: a raw control in the query is rejected", async (path) => {
  await expectRejected(bed(), write(path, { close: false }), { status: 400 });
});
