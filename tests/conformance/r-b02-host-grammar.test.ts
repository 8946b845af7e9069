// R-B2: a host is letters, digits, hyphens and dots, with an optional port; everything else is rejected.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, expectRejected, expectSilence, http2Ask, mark, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const LABEL = "a".repeat(63);

const MALFORMED = [
  "user@app.example.test",
  "app.example.test@evil.example",
  "app.example.test/x",
  "app.example.test, evil.example",
  "app.example.test,",
  "app.example.test#x",
  "app.example.test?x",
  "app.example.test\\x",
  "app.example.test evil.example",
  "app%2eexample.test",
  "%61pp.example.test",
  "app_.example.test",
  "-app.example.test",
  "app-.example.test",
  ".app.example.test",
  "app..example.test",
  "app.example.test..",
  "*.example.test",
  "app.example.test;x",
  'app.example.test"',
  "<script>.example.test",
  "127.0.0.1",
  "127.1",
  "2130706433",
  "0x7f.1",
  "0x7f000001",
  "[::1]",
  "[::1]:443",
  "[app.example.test]",
  "::1",
  "app.example.test:99999",
  "app.example.test:0",
  "app.example.test:",
  "app.example.test:+443",
  "app.example.test:443:443",
  "app.example.test:0443",
  "app.example.test:443x",
  ":443",
  ".",
  `${`${LABEL}.`.repeat(4)}test`,
  `${LABEL}a.example.test`,
  "\xe4pp.example.test",
  "app.example.test\xa0",
];

test.each(MALFORMED)("R-B2: Host %j is rejected", async (host) => {
  await expectRejected(bed(), write("/x", { host, close: false }), { status: 400 });
});

test.each(MALFORMED.filter((host) => !/[^\x21-\x7e]/.test(host)))("R-B2: :authority %j goes nowhere", async (authority) => {
  const before = mark(bed());
  const answer = await http2Ask(bed(), pseudo("/x", authority));
  expect(answer.status === 400 || (answer.status === undefined && answer.reset !== 0)).toBe(true);
  await expectSilence(bed(), before);
});

test.each(["app.example.test", "x-1.wild.example.test", `${LABEL}.wild.example.test`, "xn--bcher-kva.wild.example.test"])(
  "R-B2: Host %s passes",
  async (host) => {
    expect((await expectForwarded(bed(), write("/x", { host }))).values("host")).toEqual([host]);
  },
);
