// R-C3: however often a visitor repeats an identity field, the origin gets none of the copies and exactly one of ours.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const NAMES = [
  "Sallyport-Jwt-Assertion",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Real-IP",
  "Forwarded",
  "Sallyport-Request-Id",
];

test.each(NAMES)("R-C3: %s, repeated in any mix of cases, arrives exactly once and is the relay's", async (name) => {
  const copies = [name, name.toLowerCase(), name.toUpperCase(), name, name.replaceAll("-", "_")].map((spelling) => `${spelling}: forged`);
  const request = await expectForwarded(bed(), write("/admin/x", { fields: [...copies, ...bed().token.fields, ...copies] }), bed().admin);
  expect(request.values(name.toLowerCase())).toHaveLength(1);
  expect(request.raw).not.toContain("forged");
});

test("R-C3: on a bypass there is no assertion at all, whatever the visitor sends", async () => {
  const request = await expectForwarded(
    bed(),
    write("/x", { fields: ["Sallyport-Jwt-Assertion: a", "sallyport-jwt-assertion: b", ...bed().token.fields] }),
  );
  expect(request.values("sallyport-jwt-assertion")).toEqual([]);
});
