// R-B4: an application's public origin has the scheme and port of authUrl; it is what origins and tokens are told.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, expectRejected, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["app.example.test:444", "app.example.test:80", "app.example.test:8443", "auth.example.test:444", "a.wild.example.test:1"])(
  "R-B4: %s names another port: 421",
  async (host) => {
    await expectRejected(bed(), write("/x", { host, close: false }), { status: 421, code: "ERR_HOST_UNKNOWN" });
    expect((await http2Ask(bed(), pseudo("/x", host))).status).toBe(421);
  },
);

test("R-B4: the port of the listener behind the port forwarding is no public port", async () => {
  await expectRejected(bed(), write("/x", { host: `app.example.test:${bed().port}`, close: false }), { status: 421 });
});

test("R-B4: forwarding fields and the audience of the assertion name the public origin and path", async () => {
  const request = await expectForwarded(
    bed(),
    write("/admin/x", { host: "APP.example.test:443", fields: bed().token.fields }),
    bed().admin,
  );
  expect(request.values("x-forwarded-proto")).toEqual(["https"]);
  expect(request.values("x-forwarded-host")).toEqual(["app.example.test"]);
  expect(request.values("x-forwarded-port")).toEqual(["443"]);
  const [assertion = ""] = request.values("sallyport-jwt-assertion");
  expect(claimsOf(assertion)).toMatchObject({ iss: "https://auth.example.test", aud: "https://app.example.test/admin" });
});

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}
