// R-C7: credentials of ours are consumed, everything else passes byte-exact, and an invalid one is never skipped.

import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const ours = [
  "__Host-Sallyport_Authorization",
  "__Host-Sallyport_Session",
  "__Host-Sallyport_Login",
  "Sallyport_Authorization",
  "__Secure-Sallyport_X",
  "CF_Authorization",
  "__host-sallyport_authorization",
];

describe("R-C7: cookies", () => {
  test.each(ours)("%s is taken out, the others stay byte for byte", async (name) => {
    const around = [`a=1; ${name}=x; b="q; z"; c= d ;e`, 'a=1; b="q; z"; c= d ;e'] as const;
    expect((await expectForwarded(bed(), write("/x", { fields: [`Cookie: ${around[0]}`] }))).values("cookie")).toEqual([around[1]]);
    expect((await expectForwarded(bed(), write("/x", { fields: [`Cookie: ${name}=x`] }))).values("cookie")).toEqual([]);
  });

  test("all of several are taken out, also where they hide", async () => {
    const cookie = ours.map((name) => `${name}=1`).join("; ");
    for (const line of [
      cookie,
      `${cookie};a=1`,
      `a=1;${cookie}`,
      ` ; ;${cookie};;a=1`,
      `=${ours[0]}=x; a=1`,
      `${ours[0]} = x;a=1`,
      `\t${ours[0]}=x;a=1`,
    ]) {
      const request = await expectForwarded(bed(), write("/x", { fields: [`Cookie: ${line}`] }));
      expect(request.raw).not.toMatch(/sallyport_|cf_authorization/i);
    }
  });

  test.each([
    "a=__Host-Sallyport_Authorization",
    "x__Host-Sallyport_Authorization=1",
    "session=abc; theme=dark",
    "a=b=c; empty=",
    "__Host-Other=1",
  ])("%s is not ours and stays", async (cookie) => {
    expect((await expectForwarded(bed(), write("/x", { fields: [`Cookie: ${cookie}`] }))).values("cookie")).toEqual([cookie]);
  });
});

test("R-C7: a service token is consumed where it is needed and where it is not", async () => {
  for (const [path, origin] of [
    ["/admin", bed().admin],
    ["/x", bed().open],
  ] as const) {
    const request = await expectForwarded(bed(), write(path, { fields: bed().token.fields }), origin);
    expect(request.raw).not.toContain(bed().token.secret);
    expect(request.raw.toLowerCase()).not.toContain("sallyport-client");
  }
});

describe("R-C7: Authorization", () => {
  test.each(["Bearer abc", "Basic dXNlcjpwYXNz", "Digest username=x", "Negotiate abc"])(
    "%s that is not ours passes untouched",
    async (value) => {
      expect((await expectForwarded(bed(), write("/x", { fields: [`Authorization: ${value}`] }))).values("authorization")).toEqual([value]);
      const fields = [`Authorization: ${value}`, ...bed().token.fields];
      expect((await expectForwarded(bed(), write("/admin", { fields }), bed().admin)).values("authorization")).toEqual([value]);
    },
  );

  test("Basic that the relay consumed does not pass", async () => {
    const { clientId, secret } = bed().token;
    const basic = Buffer.from(`${clientId}:${secret}`).toString("base64");
    const request = await expectForwarded(bed(), write("/x", { host: "basic.example.test", fields: [`Authorization: Basic ${basic}`] }));
    expect(request.values("authorization")).toEqual([]);
    expect(request.raw).not.toContain(basic);
  });

  test("a header with the token as JSON does not pass either", async () => {
    const { clientId, secret } = bed().token;
    const fields = [`X-Token: ${JSON.stringify({ "Sallyport-Client-Id": clientId, "Sallyport-Client-Secret": secret })}`];
    const request = await expectForwarded(bed(), write("/x", { host: "json.example.test", fields }));
    expect(request.raw).not.toContain(secret);
  });
});

describe("R-C7: an invalid credential of ours is 401, on public applications too, and never skipped for a good one", () => {
  const invalid = (): readonly (readonly [string, readonly string[]])[] => {
    const { clientId, secret } = bed().token;
    return [
      ["another secret", [`Sallyport-Client-Id: ${clientId}`, `Sallyport-Client-Secret: ${bed().otherToken.secret}`]],
      ["an unknown id", [`Sallyport-Client-Id: st_${"A".repeat(22)}`, `Sallyport-Client-Secret: ${secret}`]],
      ["an id alone", [`Sallyport-Client-Id: ${clientId}`]],
      ["a secret alone", [`Sallyport-Client-Secret: ${secret}`]],
      ["an id twice", [...bed().token.fields, `Sallyport-Client-Id: ${clientId}`]],
      ["nonsense", ["Sallyport-Client-Id: __proto__", "Sallyport-Client-Secret: constructor"]],
      ["empty values", ["Sallyport-Client-Id:", "Sallyport-Client-Secret:"]],
      ["an access token that nobody issued", ["Sallyport-Access-Token: a.b.c"]],
      ["a good token with a bad access token", [...bed().token.fields, "Sallyport-Access-Token: a.b.c"]],
    ];
  };

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])("case %i", async (index) => {
    const [name, fields] = invalid()[index] as readonly [string, readonly string[]];
    for (const path of ["/x", "/admin"]) {
      const response = await expectDenied(bed(), write(path, { fields }), { status: 401, code: "ERR_CREDENTIAL_INVALID" });
      expect([name, response.value("www-authenticate")]).toEqual([name, expect.any(String)]);
    }
    const answer = await http2Ask(bed(), [
      ...pseudo("/admin"),
      ...fields.flatMap((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]),
    ]);
    expect([answer.status, answer.headers["sallyport-error"]]).toEqual([401, "ERR_CREDENTIAL_INVALID"]);
  });

  test("two good tokens of different programs are 400", async () => {
    const other = Buffer.from(`${bed().otherToken.clientId}:${bed().otherToken.secret}`).toString("base64");
    const fields = [...bed().token.fields, `Authorization: Basic ${other}`];
    await expectDenied(bed(), write("/x", { host: "basic.example.test", fields }), { status: 400, code: "ERR_CREDENTIAL_CONFLICT" });
  });

  test("Basic of somebody else where Basic is ours is 401", async () => {
    await expectDenied(bed(), write("/x", { host: "basic.example.test", fields: ["Authorization: Basic dXNlcjpwYXNz"] }), {
      status: 401,
      code: "ERR_CREDENTIAL_INVALID",
    });
  });
});
