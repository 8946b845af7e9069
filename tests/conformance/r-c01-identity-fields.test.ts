// R-C1: no spelling of a field that says who or where somebody is reaches an origin from a visitor.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const IDENTITY = [
  "X-Forwarded-User",
  "X-Forwarded-Email",
  "X-Forwarded-Groups",
  "X-Forwarded-Preferred-Username",
  "X-Forwarded-Access-Token",
  "Remote-User",
  "Remote-Groups",
  "Remote-Name",
  "Remote-Email",
  "X-Remote-User",
  "X-Remote-Group",
  "X-WebAuth-User",
  "X-Auth-Request-User",
  "X-Auth-Request-Email",
  "Sallyport-Jwt-Assertion",
  "Sallyport-Request-Id",
  "Sallyport-Anything",
  "Cf-Access-Jwt-Assertion",
  "Cf-Access-Authenticated-User-Email",
  "X-Real-IP",
  "True-Client-IP",
  "CF-Connecting-IP",
  "Forwarded",
];

/** A client's spellings that an origin may read as the name. */
function spellings(name: string): string[] {
  const under = name.replaceAll("-", "_");
  return [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    under,
    under.toLowerCase(),
    under.toUpperCase(),
    name.replace("-", "_"),
    name.replaceAll("-", "."),
  ];
}

test.each(IDENTITY)(
  "R-C1: %s of a visitor reaches no origin, in any spelling, whether or not the application keeps unusual names",
  async (name) => {
    const fields = spellings(name).map((spelling) => `${spelling}: forged`);
    for (const host of ["app.example.test", "underscore.example.test"]) {
      expect((await expectForwarded(bed(), write("/x", { host, fields }))).raw).not.toContain("forged");
    }
    expect((await expectForwarded(bed(), write("/admin", { fields: [...fields, ...bed().token.fields] }), bed().admin)).raw).not.toContain(
      "forged",
    );
  },
);

test.each(IDENTITY)("R-C1: %s over HTTP/2 neither", async (name) => {
  const fields = [...new Set(spellings(name).map((spelling) => spelling.toLowerCase()))].flatMap((spelling) => [spelling, "forged"]);
  expect((await http2Ask(bed(), [...pseudo("/x", "underscore.example.test"), ...fields])).status).toBe(200);
  expect(bed().open.requests.at(-1)?.raw).not.toContain("forged");
});

test("R-C1: names that only look similar pass", async () => {
  const fields = ["X-Forward: a", "Remote: b", "User: c", "X-User: d", "Sallyportish: e"];
  const request = await expectForwarded(bed(), write("/x", { fields }));
  expect(fields.filter((field) => !request.raw.includes(`${field}\r\n`))).toEqual([]);
});
