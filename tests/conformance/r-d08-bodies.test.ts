// R-D8: a body is a body whatever the method, and one that does not come has an end.

import { expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { createBed, useBed } from "./support/bed.ts";
import { expectForwarded, expectSilence, mark, only, visit } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const bed = useBed();

test.each(["GET", "DELETE", "OPTIONS", "POST", "PUT", "PATCH", "PROPFIND"])(
  "R-D8: %s with a body is forwarded with explicit framing",
  async (method) => {
    const declared = await expectForwarded(bed(), write("/x", { method, fields: ["Content-Length: 5"], body: "hello" }));
    expect([declared.method, declared.body, declared.values("content-length")]).toEqual([method, "hello", ["5"]]);
    const chunked = await expectForwarded(
      bed(),
      write("/x", { method, fields: ["Transfer-Encoding: chunked"], body: "5\r\nhello\r\n0\r\n\r\n" }),
    );
    expect([chunked.body, chunked.values("transfer-encoding")]).toEqual(["hello", ["chunked"]]);
  },
);

test("R-D8: HEAD with a body is forwarded, and its answer has none", async () => {
  const before = bed().open.requests.length;
  const response = only(await visit(bed(), write("/x", { method: "HEAD", fields: ["Content-Length: 5"], body: "hello" }), ["HEAD"]));
  expect([
    response.status,
    response.body,
    bed()
      .open.requests.slice(before)
      .map(({ body }) => body),
  ]).toEqual([200, "", ["hello"]]);
});

test.each(["GET", "HEAD", "DELETE"])("R-D8: %s without a body gets none invented", async (method) => {
  const before = bed().open.requests.length;
  await visit(bed(), write("/x", { method }), [method]);
  const request = only(bed().open.requests.slice(before));
  expect([request.values("content-length"), request.values("transfer-encoding")]).toEqual([[], []]);
});

test("R-D8: a promised body that does not come is ended by the idle limit, and the origin never sees a whole request", async () => {
  await using stack = new AsyncDisposableStack();
  const impatient = await createBed(stack, { relay: { limits: { requestBodyIdle: "1s" } } });
  const before = impatient.open.requests.length;
  using client = await RawClient.connect({ port: impatient.port });
  client.send(write("/x", { method: "POST", close: false, fields: ["Content-Length: 10"], body: "hello" }));
  const response = only(readResponses(await client.untilClosed()));
  expect([response.status, response.value("sallyport-error")]).toEqual([408, "ERR_BODY_TIMEOUT"]);
  expect(impatient.open.requests.slice(before)).toEqual([]);
});

test("R-D8: a limit on bodies holds for declared and for counted ones", async () => {
  const before = mark(bed());
  const host = "small.example.test";
  expect(
    (await expectForwarded(bed(), write("/x", { host, method: "POST", fields: ["Content-Length: 10"], body: "0123456789" }))).body,
  ).toHaveLength(10);
  const silent = mark(bed());
  expect(only(await visit(bed(), write("/x", { host, method: "POST", fields: ["Content-Length: 11"], body: "0123456789a" }))).status).toBe(
    413,
  );
  await expectSilence(bed(), silent);
  const response = await visit(
    bed(),
    write("/x", { host, method: "POST", fields: ["Transfer-Encoding: chunked"], body: "b\r\n0123456789a\r\n0\r\n\r\n" }),
  );
  expect(response.at(-1)?.status).toBe(413);
  expect(bed().open.requests.slice(before.open)).toHaveLength(1);
});
