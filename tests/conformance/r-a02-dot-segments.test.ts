// R-A2: dot segments, however they are spelt, are resolved before the decision.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const TO_ADMIN = [
  ["/pub/../admin", "/admin"],
  ["/pub/%2e%2e/admin", "/admin"],
  ["/pub/%2E%2E/admin/x", "/admin/x"],
  ["/pub/.%2e/admin", "/admin"],
  ["/pub/%2E./admin/", "/admin/"],
  ["/./admin", "/admin"],
  ["/%2e/admin", "/admin"],
  ["/admin/./x", "/admin/x"],
  ["/pub/a/../../admin?x=/../pub", "/admin?x=/../pub"],
] as const;

test.each(TO_ADMIN)("R-A2: %s is decided as %s: nobody gets there without the token", async (path) => {
  await expectDenied(bed(), write(path), { status: 401, code: "ERR_CREDENTIAL_REQUIRED" });
});

test.each(TO_ADMIN)("R-A2: %s reaches the origin as %s with the token", async (path, resolved) => {
  const request = await expectForwarded(bed(), write(path, { fields: bed().token.fields }), bed().admin);
  expect(request.target).toBe(resolved);
});

test.each([
  ["/pub/./x", "/pub/x"],
  ["/admin/../x", "/x"],
  ["/a/b/..", "/a/"],
  ["/a/.", "/a/"],
  ["/...", "/..."],
  ["/.hidden/..x", "/.hidden/..x"],
])("R-A2: %s is forwarded as %s", async (path, resolved) => {
  expect((await expectForwarded(bed(), write(path))).target).toBe(resolved);
});

test.each(["/..", "/../etc/passwd", "/%2e%2e/x", "/.%2E/x", "/a/../../x", "/./../x", "/admin/../../x"])(
  "R-A2: %s climbs above the root and is refused",
  async (path) => {
    await expectDenied(bed(), write(path), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
  },
);

test.each(["/pub/../admin", "/pub/%2e%2e/admin"])("R-A2: %s is decided as /admin over HTTP/2 too", async (path) => {
  const opened = bed().opened.length;
  const answer = await http2Ask(bed(), pseudo(path));
  expect([answer.status, answer.headers["sallyport-error"]]).toEqual([401, "ERR_CREDENTIAL_REQUIRED"]);
  expect(bed().opened).toHaveLength(opened);
});
