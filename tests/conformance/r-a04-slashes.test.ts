// R-A4: several slashes are never a way around an application.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["//admin", "///admin", "/.//admin", "/x/..//admin", "//admin/x", "//.//admin", "/%2e//admin"])(
  "R-A4: %s is refused: merged it is /admin",
  async (path) => {
    await expectDenied(bed(), write(path), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
  },
);

test.each(["/admin//", "/admin//x", "/admin///../admin/x"])("R-A4: %s is /admin in every reading, and wants the token", async (path) => {
  await expectDenied(bed(), write(path), { status: 401, code: "ERR_CREDENTIAL_REQUIRED" });
});

test.each(["/a///b", "//", "//a", "/x//admin", "/a//../b"])(
  "R-A4: %s is no way to /admin, and is forwarded as it is but for dot segments",
  async (path) => {
    expect((await expectForwarded(bed(), write(path))).target).toBe(path.replace("//../", "/"));
  },
);
