// R-A12: only the request line says which path is asked for, and nothing a visitor claims makes a path public.

import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const CLAIMS = [
  "X-Forwarded-Uri",
  "X-Original-URL",
  "X-Original-Uri",
  "X-Rewrite-URL",
  "X-Override-URL",
  "X-Original-Path",
  "x_original_url",
  "X.Rewrite.Url",
];

test.each(CLAIMS)("R-A12: %s: /pub does not open /admin", async (name) => {
  await expectDenied(bed(), write("/admin", { fields: [`${name}: /pub`, "User-Agent: kube-probe/1.0"] }), { status: 401 });
});

test.each(CLAIMS)("R-A12: %s never reaches an origin, which might believe it", async (name) => {
  const request = await expectForwarded(bed(), write("/pub", { fields: [`${name}: /admin`], host: "underscore.example.test" }));
  expect(request.raw).not.toContain("/admin");
});

test.each(["kube-probe/1.0", "ELB-HealthChecker/2.0", "GoogleHC/1.0"])("R-A12: the user agent %s decides nothing", async (agent) => {
  await expectDenied(bed(), write("/admin", { fields: [`User-Agent: ${agent}`] }), { status: 401 });
});

describe("R-A12: overriding the method", () => {
  const OVERRIDES = [
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "x-http-method-override",
    "X_HTTP_METHOD_OVERRIDE",
    "X.Http.Method",
  ];

  test.each(OVERRIDES)("%s is refused where a rule looks at methods", async (name) => {
    const response = await expectDenied(bed(), write("/x", { host: "readonly.example.test", fields: [`${name}: DELETE`] }), {
      status: 403,
      code: "ERR_ACCESS_DENIED",
    });
    expect(response.body).toBeTruthy();
  });

  test.each(["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])("%s is forwarded elsewhere", async (name) => {
    const request = await expectForwarded(bed(), write("/x", { method: "POST", fields: [`${name}: DELETE`, "Content-Length: 0"] }));
    expect(request.values(name.toLowerCase())).toEqual(["DELETE"]);
  });
});
