// R-C6: what cannot be looked up counts as nobody: a protected application never hears of a request without an
// identity. (Sessions of people come with sign-in; malformed cookies of ours are nobody today already.)

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const COOKIES = [
  "",
  "x",
  "=",
  "a.b.c",
  "%00",
  "\xff\xfe",
  "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
  "a".repeat(8_000),
  "{}",
  "undefined",
  "null",
  "true",
];

test.each(COOKIES)("R-C6: the application cookie %j is nobody", async (value) => {
  for (const name of ["__Host-Sallyport_Authorization", "__Host-Sallyport_Session", "Sallyport_Authorization", "CF_Authorization"]) {
    await expectDenied(bed(), write("/admin", { fields: [`Cookie: ${name}=${value}`] }), { status: 401 });
    await expectDenied(bed(), write("/staff", { fields: [`Cookie: ${name}=${value}`] }), { status: 401 });
  }
});

test("R-C6: a request of a known program always carries its assertion", async () => {
  const request = await expectForwarded(bed(), write("/admin", { fields: bed().token.fields }), bed().admin);
  const [token = ""] = request.values("sallyport-jwt-assertion");
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  expect(claims).toMatchObject({ kind: "service", sub: bed().token.clientId, name: "robot", tunnel: "office", service: "admin" });
  expect(bed().verdicts.at(-1)).toBe("allowed forward=true");
});

test("R-C6: a program that no policy lets in is denied, not made anonymous", async () => {
  await expectDenied(bed(), write("/admin", { fields: bed().otherToken.fields }), { status: 403, code: "ERR_ACCESS_DENIED" });
});
