// R-A10: paths are case-sensitive; another spelling of the same character is the same path.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["/Admin", "/ADMIN/x", "/%41dmin"])("R-A10: %s is not /admin", async (path) => {
  expect((await expectForwarded(bed(), write(path))).target).toBe(path);
});

test.each(["/%61dmin", "/%61%64%6d%69%6E", "/%61%64%6D%69%6e/x", "/adm%69n"])(
  "R-A10: %s is /admin, and keeps its spelling towards the origin",
  async (path) => {
    await expectDenied(bed(), write(path), { status: 401, code: "ERR_CREDENTIAL_REQUIRED" });
    expect((await expectForwarded(bed(), write(path, { fields: bed().token.fields }), bed().admin)).target).toBe(path);
  },
);
