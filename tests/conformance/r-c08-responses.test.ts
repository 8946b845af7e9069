// R-C8: an origin can neither speak for the relay nor set cookies that are the relay's or reach other applications.

import { expect, test } from "vitest";
import { ok } from "./support/origin.ts";
import { useBed } from "./support/bed.ts";
import { ask, http2Ask, pseudo } from "./support/visit.ts";

const bed = useBed();

const RESERVED = [
  "__Host-Sallyport_Authorization=forged; Path=/; Secure; HttpOnly",
  "__Host-Sallyport_Session=forged",
  "__Secure-Sallyport_X=forged",
  "Sallyport_Authorization=forged",
  "__host-sallyport_authorization=forged",
  "CF_Authorization=forged",
  " __Host-Sallyport_Authorization=forged",
  "=__Host-Sallyport_Authorization=forged",
  "__Host-Sallyport_Authorization =forged",
];

test.each(RESERVED)("R-C8: Set-Cookie: %s is dropped, others of the same answer stay", async (cookie) => {
  bed().open.respond = () => ok("served", `Set-Cookie: ${cookie}`, "Set-Cookie: good=1; Path=/", `set-cookie: ${cookie}`);
  expect((await ask(bed(), "/x")).values("set-cookie")).toEqual(["good=1; Path=/"]);
  expect((await http2Ask(bed(), pseudo("/x"))).headers["set-cookie"]).toEqual(["good=1; Path=/"]);
});

test.each([
  ["a=1; Domain=example.test; Path=/", "a=1; Path=/"],
  ["a=1; Path=/; domain=.example.test", "a=1; Path=/"],
  ["a=1;DOMAIN = example.test", "a=1"],
  ["a=1; Domain", "a=1"],
  ["a=domain=x; Path=/", "a=domain=x; Path=/"],
])("R-C8: Set-Cookie: %s reaches this host only: %s", async (sent, received) => {
  bed().open.respond = () => ok("served", `Set-Cookie: ${sent}`);
  expect((await ask(bed(), "/x")).values("set-cookie")).toEqual([received]);
});

test.each([
  "Sallyport-Error: ERR_ACCESS_DENIED",
  "Sallyport-Answered-By: relay",
  "Sallyport-Request-Id: forged",
  "sallyport_error: x",
  "Sallyport.Error: x",
])("R-C8: the origin's %s does not pass", async (field) => {
  bed().open.respond = () => ok("served", field);
  const response = await ask(bed(), "/x");
  expect(response.status).toBe(200);
  expect(JSON.stringify(response.fields)).not.toMatch(/forged|ERR_ACCESS_DENIED|"x"/);
  expect(response.values("sallyport-request-id")).toHaveLength(1);
});

test("R-C8: Strict-Transport-Security and the rest of the origin's fields are untouched", async () => {
  const fields = [
    "Strict-Transport-Security: max-age=1",
    "X-Frame-Options: DENY",
    "Content-Security-Policy: default-src 'none'",
    "WWW-Authenticate: Basic realm=x",
    "Access-Control-Allow-Origin: *",
    "Link: </a>; rel=x",
  ];
  bed().open.respond = () => ok("served", ...fields);
  const response = await ask(bed(), "/x");
  expect(response.fields.map(([name, value]) => `${name}: ${value}`)).toEqual(expect.arrayContaining(fields));
});
