// R-C9: what names a program holds cannot break out of the assertion. Claims of people in fields are in r-c01-real-origins.

import { createPublicKey, verify } from "node:crypto";
import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

type PublicJwk = Readonly<Record<string, string>>;

test("R-C9: the identity an origin gets is one base64url token without any other character, and verifies by the public keys", async () => {
  const request = await expectForwarded(bed(), write("/admin", { fields: bed().token.fields }), bed().admin);
  const [token = ""] = request.values("sallyport-jwt-assertion");
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  const { keys } = JSON.parse((await ask(bed(), "/.well-known/jwks.json", { host: "auth.example.test" })).body) as {
    keys: readonly PublicJwk[];
  };
  const [header = "", payload = "", signature = ""] = token.split(".");
  const { kid, alg } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string; alg: string };
  const jwk = keys.find((key) => key["kid"] === kid);
  expect([alg, jwk?.["d"]]).toEqual(["ES256", undefined]);
  const key = createPublicKey({ key: jwk ?? {}, format: "jwk" });
  expect(
    verify("SHA256", Buffer.from(`${header}.${payload}`), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url")),
  ).toBe(true);
});

test("R-C9: no field carries an identity in the clear where the application does not ask for it", async () => {
  const request = await expectForwarded(bed(), write("/admin", { fields: bed().token.fields }), bed().admin);
  expect(request.raw).not.toContain("robot");
  expect(request.fields.filter(([name]) => /user|email|group/i.test(name))).toEqual([]);
});
