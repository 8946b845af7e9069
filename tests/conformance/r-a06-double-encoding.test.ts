// R-A6: the second decoding counts, and escapes never hide control characters.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, expectRejected, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each([
  "/x/%252e%252e/admin",
  "/x/%25%32%65%25%32%65/admin",
  "/%2561dmin",
  "/%25%36%31dmin",
  "/x%252f..%252fadmin",
  "/%252e%252e/x",
  "/%252fadmin",
])("R-A6: %s is refused: decoded twice it is elsewhere", async (path) => {
  await expectDenied(bed(), write(path), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
});

test.each(
  ["/a%00b", "/a%0d%0aX: y", "/a%0A", "/a%1f", "/a%7F", "/a%2500", "/a%250d%250a", "/a%25%30%30", "/admin%00"].map((path) =>
    path.replace(" ", "%20"),
  ),
)("R-A6: %s hides a control character and is rejected", async (path) => {
  await expectRejected(bed(), write(path, { close: false }), { status: 400, code: "ERR_REQUEST_TARGET_ESCAPE" });
  const answer = await http2Ask(bed(), pseudo(path));
  expect([answer.status, answer.headers["sallyport-error"]]).toEqual([400, "ERR_REQUEST_TARGET_ESCAPE"]);
});

test.each(["/100%2525", "/x%252Fy", "/%25", "/a%2520b"])("R-A6: %s leads nowhere else and is forwarded byte for byte", async (path) => {
  expect((await expectForwarded(bed(), write(path))).target).toBe(path);
});
