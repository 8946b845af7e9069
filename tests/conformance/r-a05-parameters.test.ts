// R-A5: path parameters are never a way around an application.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each([
  "/public/..;x/admin",
  "/public/..%3bx/admin",
  "/public/..%3Bx/admin",
  "/public/..%253bx/admin",
  "/admin;x",
  "/admin;x/y",
  "/admin%3bx",
  "/;x/admin",
  "/..;/admin",
  "/a/.;/..;/admin",
])("R-A5: %s is refused: without parameters it is /admin", async (path) => {
  await expectDenied(bed(), write(path), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
});

test.each(["/admin/;x", "/admin/x;y=/../z"])("R-A5: %s stays in /admin, and wants the token", async (path) => {
  await expectDenied(bed(), write(path), { status: 401, code: "ERR_CREDENTIAL_REQUIRED" });
});

test.each(["/a;b=c/d;e", "/x;jsessionid=1", "/a%3Bb"])("R-A5: %s is forwarded byte for byte", async (path) => {
  expect((await expectForwarded(bed(), write(path))).target).toBe(path);
});
