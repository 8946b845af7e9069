// R-C5: trailers of a response are checked as fields are and never become any; trailers of a request are dropped.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, http2Ask, only, pseudo, visit } from "./support/visit.ts";
import { RawClient } from "../harness/raw-client.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const chunked = (...trailers: string[]): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n6\r\nserved\r\n0\r\n${trailers.map((line) => `${line}\r\n`).join("")}\r\n`;
const HOSTILE = [
  "Set-Cookie: a=b",
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Host: evil",
  "Location: https://evil.example",
  "Sallyport-Error: ERR_X",
  "Authorization: x",
  "Content-Type: text/html",
  "Connection: close",
  "Content-Security-Policy: x",
];

test("R-C5: a harmless trailer arrives as a trailer, over HTTP/1.1 and HTTP/2", async () => {
  bed().open.respond = () => chunked("X-Sum: 42");
  using client = await RawClient.connect({ port: bed().port });
  client.send(write("/x", { fields: ["TE: trailers"] }));
  const raw = await client.untilClosed();
  expect(raw).toMatch(/\r\n0\r\nX-Sum: 42\r\n\r\n$/);
  expect(raw.slice(0, raw.indexOf("\r\n\r\n"))).not.toContain("X-Sum: 42");
  const answer = await http2Ask(bed(), [...pseudo("/x"), "te", "trailers"]);
  expect([answer.headers["x-sum"], answer.trailers["x-sum"]]).toEqual([undefined, "42"]);
});

test.each(HOSTILE)("R-C5: the trailer %s does not pass, and becomes no field", async (trailer) => {
  bed().open.respond = () => chunked(trailer, "X-Sum: 42");
  using client = await RawClient.connect({ port: bed().port });
  client.send(write("/x", { fields: ["TE: trailers"] }));
  const raw = await client.untilClosed();
  const [name = "", value = ""] = trailer.split(": ");
  const head = raw.slice(0, raw.indexOf("\r\n\r\n"));
  const tail = raw.slice(raw.lastIndexOf("\r\n0\r\n"));
  expect(tail.toLowerCase()).not.toContain(`${name.toLowerCase()}:`);
  if (!["Connection", "Transfer-Encoding"].includes(name)) expect(head).not.toContain(`${name}: ${value}`);
  const answer = await http2Ask(bed(), pseudo("/x"));
  expect(answer.trailers[name.toLowerCase()]).toBeUndefined();
});

test.each(["X-Late: 1", "Sallyport-Jwt-Assertion: forged", "Host: evil", "X-Forwarded-User: root", "Content-Length: 3"])(
  "R-C5: the request trailer %s reaches nobody",
  async (trailer) => {
    const body = `5\r\nhello\r\n0\r\n${trailer}\r\n\r\n`;
    const before = bed().open.requests.length;
    const response = only(
      (await visit(bed(), write("/x", { method: "POST", fields: ["Transfer-Encoding: chunked"], body }))).filter(
        ({ status }) => status >= 200,
      ),
    );
    if (response.status !== 200) {
      expect([response.status, bed().open.requests.length]).toEqual([400, before]);
      return;
    }
    const request = only(bed().open.requests.slice(before));
    expect([request.body, request.raw.includes(trailer)]).toEqual(["hello", false]);
  },
);

test("R-C5: a request with trailers does not spoil the next one on its connection", async () => {
  const first = write("/one", {
    method: "POST",
    close: false,
    fields: ["Transfer-Encoding: chunked"],
    body: "1\r\na\r\n0\r\nX-Late: 1\r\n\r\n",
  });
  const before = bed().open.requests.length;
  expect(await visit(bed(), first + write("/two"))).toHaveLength(2);
  expect(
    bed()
      .open.requests.slice(before)
      .map(({ target }) => target),
  ).toEqual(["/one", "/two"]);
  await expectForwarded(bed(), write("/three"));
});
