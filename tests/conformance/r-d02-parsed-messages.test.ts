// R-D2: what goes down the tunnel is a parsed message; the connector writes its framing itself and checks it against
// the bytes.

import { expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { expectForwarded, fence, http2Ask, only, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test("R-D2: fields of framing are no part of the head that travels", async () => {
  await expectForwarded(bed(), write("/x", { method: "POST", fields: ["Content-Length: 5"], body: "hello" }));
  const head = bed().opened.at(-1);
  expect(head).toMatchObject({ method: "POST", path: "/x", authority: "app.example.test", contentLength: 5 });
  expect(head?.fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())).not.toEqual(
    expect.arrayContaining(["content-length"]),
  );
  expect(JSON.stringify(head)).not.toContain("HTTP/1.1");
});

test.each([
  ["a declared length", ["Content-Length: 5"], "hello", ["5"], []],
  ["chunks", ["Transfer-Encoding: chunked"], "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", [], ["chunked"]],
  ["an empty body", ["Content-Length: 0"], "", ["0"], []],
])("R-D2: %s is written anew", async (_name, fields, body, lengths, codings) => {
  const request = await expectForwarded(bed(), write("/x", { method: "POST", fields, body }));
  expect([request.values("content-length"), request.values("transfer-encoding")]).toEqual([lengths, codings]);
  expect(request.body).toBe(body === "" ? "" : "hello");
});

test("R-D2: HTTP/2 without a length becomes chunks, with one a length", async () => {
  expect((await http2Ask(bed(), pseudo("/x", "app.example.test", "POST"), "hello")).status).toBe(200);
  expect(bed().open.requests.at(-1)).toMatchObject({ body: "hello" });
  expect(bed().open.requests.at(-1)?.values("transfer-encoding")).toEqual(["chunked"]);
  expect((await http2Ask(bed(), [...pseudo("/x", "app.example.test", "POST"), "content-length", "5"], "hello")).status).toBe(200);
  expect(bed().open.requests.at(-1)?.values("content-length")).toEqual(["5"]);
});

test("R-D2: a body shorter than declared aborts the origin's connection, and that is not used again", async () => {
  const connections = bed().open.connections;
  const heads = bed().open.heads.length;
  const requests = bed().open.requests.length;
  {
    using client = await RawClient.connect({ port: bed().port });
    client.send(write("/short", { method: "POST", fields: ["Content-Length: 10"], body: "hello" }));
    await eventually(() => bed().open.heads.length > heads, { what: "the head at the origin" });
  }
  await eventually(() => [...bed().open.sockets].length === 0 || bed().open.sockets.size < bed().open.connections - connections + 1, {
    what: "the aborted connection to close",
  });
  await fence(bed());
  expect(bed().open.requests.slice(requests)).toEqual([]);
  expect(bed().open.violations).toEqual([]);
  const request = await expectForwarded(bed(), write("/next"));
  expect(request.body).toBe("");
});

test("R-D2: bytes behind the declared length are the next request, never part of this one", async () => {
  const before = bed().open.requests.length;
  using client = await RawClient.connect({ port: bed().port });
  client.send(write("/one", { method: "POST", close: false, fields: ["Content-Length: 5"], body: "hello" }) + write("/two"));
  await client.untilClosed();
  expect(
    bed()
      .open.requests.slice(before)
      .map(({ target, body }) => [target, body]),
  ).toEqual([
    ["/one", "hello"],
    ["/two", ""],
  ]);
  expect(only(bed().open.requests.slice(before, before + 1)).raw.endsWith("hello")).toBe(true);
});
