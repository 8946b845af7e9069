// R-A8: the query never takes part in routing, and matching takes time in proportion to the path's length.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["/admin?x=/public", "/admin?/../", "/admin/?", "/admin/x?y=/..;/public"])(
  "R-A8: %s is /admin whatever the query says",
  async (path) => {
    await expectDenied(bed(), write(path), { status: 401, code: "ERR_CREDENTIAL_REQUIRED" });
  },
);

test.each(["/secret?x=/public", "/?/admin", "/x?/../admin", "/x?path=//admin;y", "/x?a=%2F..%2Fadmin"])(
  "R-A8: %s does not lead to /admin",
  async (path) => {
    expect((await expectForwarded(bed(), write(path))).target).toBe(path);
  },
);

const LENGTH = 8_000;
test.each([
  ["slashes", "/".repeat(LENGTH)],
  ["segments", "/a".repeat(LENGTH / 2)],
  ["dot segments", "/a/..".repeat(LENGTH / 5)],
  ["escapes", `/${"%2F".repeat(LENGTH / 3)}`],
  ["double escapes", `/${"%252F".repeat(LENGTH / 5)}`],
  ["parameters", "/;a".repeat(LENGTH / 3)],
  ["backslashes", `/${"\\".repeat(LENGTH)}`],
  ["everything", `/${"%252e%2f;\\//".repeat(LENGTH / 12)}`],
])("R-A8: 20 paths of 8,000 bytes of %s cost less than 2 s", async (_name, path) => {
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) expect([200, 403]).toContain((await ask(bed(), path)).status);
  expect(performance.now() - startMs).toBeLessThan(2_000);
});
