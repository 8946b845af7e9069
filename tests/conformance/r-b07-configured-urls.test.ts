// R-B7: absolute URLs that the relay writes come from its configuration, whatever the request says of hosts.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, http2Ask, pseudo } from "./support/visit.ts";

const bed = useBed();
const CLAIMS = [
  "X-Forwarded-Host: evil.example",
  "X-Forwarded-Proto: http",
  "Forwarded: host=evil.example;proto=http",
  "X-Host: evil.example",
  "X-Original-Host: evil.example",
];

test("R-B7: discovery names the configured origin", async () => {
  const response = await ask(bed(), "/.well-known/sallyport", { host: "AUTH.example.test.:443", fields: CLAIMS });
  expect(response.status).toBe(200);
  expect(JSON.parse(response.body)).toEqual({
    issuer: "https://auth.example.test",
    jwks_uri: "https://auth.example.test/.well-known/jwks.json",
    tunnel_endpoint: "wss://auth.example.test/.sallyport/tunnel",
  });
});

test.each(["/admin", "/staff", "/staff/x"])("R-B7: the refusal of %s repeats no claimed host", async (path) => {
  for (const accept of ["text/html", "application/json"]) {
    const response = await ask(bed(), path, { fields: [...CLAIMS, `Accept: ${accept}`] });
    // Who can sign in is led to the configured auth host.
    expect([401, 302]).toContain(response.status);
    expect(response.value("location") ?? "https://auth.example.test/").toMatch(/^https:\/\/auth\.example\.test\//);
    expect(JSON.stringify(response.fields) + response.body).not.toContain("evil.example");
  }
});

test("R-B7: an assertion's issuer and audience do not follow the request", async () => {
  const headers = [
    ...pseudo("/admin"),
    "x-forwarded-host",
    "evil.example",
    "sallyport-client-id",
    bed().token.clientId,
    "sallyport-client-secret",
    bed().token.secret,
  ];
  expect((await http2Ask(bed(), headers)).status).toBe(200);
  const [token = ""] = bed().admin.requests.at(-1)?.values("sallyport-jwt-assertion") ?? [];
  expect(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()).not.toContain("evil.example");
});
