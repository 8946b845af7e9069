// R-A9: application paths match on segment borders; a prefix is cut off in the connector, after the decision.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, mark, visit, expectRefusal, only } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["/adminx", "/admin.", "/admin../admin", "/admin-x/y", "/administrator", "/admi", "/filesx", "/files../files"])(
  "R-A9: %s does not belong to /admin or /files",
  async (path) => {
    expect((await expectForwarded(bed(), write(path))).target).toBe(path);
    expect(bed().opened.at(-1)?.service).toBe("open");
  },
);

test.each(["/admin", "/admin/", "/admin/x", "/admin?x"])("R-A9: %s belongs to /admin", async (path) => {
  await expectDenied(bed(), write(path), { status: 401 });
});

test.each([
  ["/files", "/"],
  ["/files/", "/"],
  ["/files/x/y", "/x/y"],
  ["/files?q=/files", "/?q=/files"],
  ["/%66iles/x", "/x"],
  ["/files/a%2Fb", "/a%2Fb"],
])("R-A9: %s is decided as /files, and the origin gets %s", async (path, stripped) => {
  expect((await expectForwarded(bed(), write(path))).target).toBe(stripped);
  expect(bed().opened.at(-1)).toMatchObject({ service: "stripped", path });
});

test.each(["/files//x", "/files//", "/files///evil.example/x"])(
  "R-A9: without its prefix %s would name another place: 400 by the connector, the origin hears nothing",
  async (path) => {
    const before = mark(bed());
    expectRefusal(only(await visit(bed(), write(path))), { status: 400, code: "ERR_REQUEST_NOT_FORWARDABLE" });
    expect(mark(bed())).toEqual({ ...before, opened: before.opened + 1 });
  },
);

test.each(["/files/..;/x", "/files%2Fx", "/files/%2e%2e%2fadmin", "/files;x/y"])(
  "R-A9: %s is refused before the connector",
  async (path) => {
    await expectDenied(bed(), write(path), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
  },
);
