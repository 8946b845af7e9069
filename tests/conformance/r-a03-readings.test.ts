// R-A3: what real applications use passes byte-exact; a path whose readings end in different places is refused.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const LEGITIMATE = [
  "/@scope%2Fname",
  "/api/v4/projects/group%2Fproject/repository/files/a%2Eb",
  "/api/queues/%2F/name",
  "/a;v=1;w=2/b",
  "/proxy/https://other.example/x",
  "/a//b///c",
  "/back\\slash",
  "/a%5Cb",
  "/bucket/key%252Fwith%2525",
  "/x%3Fy%23z?q=%20&r=a+b&s=%2F..%2F",
  "/100%25",
  "/%7Euser/~user/%41",
  // Every reading is the root.
  "/admin%2F..",
];

test.each(LEGITIMATE)("R-A3: %s goes to the origin byte for byte", async (path) => {
  expect((await expectForwarded(bed(), write(path))).target).toBe(path);
  const { status } = await http2Ask(bed(), pseudo(path));
  expect([status, bed().open.requests.at(-1)?.target]).toEqual([200, path]);
});

const AMBIGUOUS = [
  "/x%2F..%2Fadmin",
  "/x%2F%2E%2E%2Fadmin",
  "/%2Fadmin",
  "/%2fadmin",
  "/.%2Fadmin",
  "/x\\..\\admin",
  "/x%5C..%5Cadmin",
  "/\\admin",
  "/admin%2Fx",
  "/admin\\x",
  "/admin%5Cx",
  "/x%252F..%252Fadmin",
  "/admin/..%2Fx",
  "/a/%2e%2e%2f%2e%2e/x",
  "/..%2Fx",
  "/a;/../..;/x",
  "/.sallyport%2Flogout",
  "/%2F.sallyport/logout",
  "/x%2F..%2F.sallyport/logout",
  "/%252Esallyport/logout",
];

test.each(AMBIGUOUS)("R-A3: %s means different things to different servers and is refused", async (path) => {
  await expectDenied(bed(), write(path), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
  await expectDenied(bed(), write(path, { fields: bed().token.fields }), { status: 403, code: "ERR_PATH_AMBIGUOUS" });
  const answer = await http2Ask(bed(), pseudo(path));
  expect([answer.status, answer.headers["sallyport-error"]]).toEqual([403, "ERR_PATH_AMBIGUOUS"]);
});

test.each(["/admin/a%2Fb", "/admin/a\\b", "/admin/x;y"])("R-A3: %s: readings within one application are no ambiguity", async (path) => {
  await expectDenied(bed(), write(path), { status: 401, code: "ERR_CREDENTIAL_REQUIRED" });
  expect((await expectForwarded(bed(), write(path, { fields: bed().token.fields }), bed().admin)).target).toBe(path);
});

test("R-A3: where the whole host is one application, there is nothing to confuse", async () => {
  const path = "/x%2F..%2Fadmin";
  expect((await expectForwarded(bed(), write(path, { host: "a.wild.example.test" }))).target).toBe(path);
});
