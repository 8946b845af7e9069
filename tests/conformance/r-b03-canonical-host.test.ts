// R-B3: one canonical form, then an exact look-up: no suffix, no prefix, no pattern, however many hosts there are.

import { expect, test } from "vitest";
import { createBed, useBed } from "./support/bed.ts";
import { ask, expectDenied, expectForwarded, expectRejected, expectRefusal, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["APP.example.TEST", "app.example.test.", "app.example.test:443", "App.Example.Test.:443"])(
  "R-B3: %s is app.example.test, with the same policies",
  async (host) => {
    const request = await expectForwarded(bed(), write("/x", { host }));
    expect([request.values("host"), request.values("x-forwarded-host")]).toEqual([["app.example.test"], ["app.example.test"]]);
    await expectDenied(bed(), write("/admin", { host }), { status: 401 });
    expect((await http2Ask(bed(), pseudo("/x", host))).status).toBe(200);
  },
);

const STRANGERS = [
  "app.example.test.evil.com",
  "evilapp.example.test",
  "xapp.example.test",
  "app.example.tes",
  "pp.example.test",
  "example.test",
  "test",
  "a.app.example.test",
  "wild.example.test",
  "a.b.wild.example.test",
  "evil-wild.example.test",
  "a.wild.example.test.evil.com",
  "xn--pp-qia.example.test",
];

test.each(STRANGERS)("R-B3: %s is nothing published here", async (host) => {
  await expectRejected(bed(), write("/x", { host, close: false }), { status: 421, code: "ERR_HOST_UNKNOWN" });
  expect((await http2Ask(bed(), pseudo("/x", host))).status).toBe(421);
});

test.each([1, 99, 101, 10_000])("R-B3: the look-up among %i hosts is as exact", async (count) => {
  await using stack = new AsyncDisposableStack();
  const many = Array.from({ length: count }, (_, i) => ({
    name: `n${i}`,
    hostname: `n${i}.many.test`,
    tunnel: "office",
    service: "open",
    policies: ["public"],
  }));
  const crowded = await createBed(stack, { applications: many });
  for (const i of [0, count >> 1, count - 1]) {
    expect((await expectForwarded(crowded, write("/x", { host: `N${i}.many.test.:443` }))).values("host")).toEqual([`n${i}.many.test`]);
    for (const host of [`n${i}.many.test.evil.com`, `xn${i}.many.test`, `n${i}.many.tes`, `n${count + i}.many.test`, "many.test"]) {
      expectRefusal(await ask(crowded, "/x", { host }), { status: 421, code: "ERR_HOST_UNKNOWN" });
    }
  }
  await expectDenied(crowded, write("/admin"), { status: 401 });
});
