// What HTTP promises besides bodies survives both hops: field order and duplicates, trailers, interim responses,
// 100-continue, HEAD, empty answers, an origin that fails, and who says so.

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { startOrigin } from "../harness/origin.ts";
import { RawClient } from "../harness/raw-client.ts";
import { freePort, within } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

/** An origin that sends exactly these bytes to whoever connects and has finished a head. */
async function startRawOrigin(stack: AsyncDisposableStack, response: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(response, "latin1"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function fieldLines(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
}

test("request and response fields keep order, case and duplicates", async () => {
  await using stack = new AsyncDisposableStack();
  let seen: readonly string[] = [];
  const origin = await startOrigin(stack, (request, response) => {
    seen = fieldLines(request.rawHeaders);
    const fields = ["X-B", "1", "x-a", "2", "Set-Cookie", "a=1", "X-B", "3", "Set-Cookie", "b=2; Path=/", "Content-Length", "0"];
    response.writeHead(200, fields).end();
  });
  const { relay } = await createBed(stack, { services: { web: origin.url } });
  using client = await RawClient.connect({ port: relay.port });
  client.send(
    `GET /?a=%2f&b= HTTP/1.1\r\nHost: ${relay.host("web")}\r\nX-Z: 1\r\nx-y: 2\r\nX-Z: 3\r\nCookie: a=1; b="2"\r\nConnection: close\r\n\r\n`,
  );
  const received = await client.untilClosed();
  const own = (lines: readonly string[]) => lines.filter((line) => /^(?:x-[abyz]|cookie|set-cookie):/i.test(line));
  expect(own(seen)).toEqual(["X-Z: 1", "x-y: 2", "X-Z: 3", 'Cookie: a=1; b="2"']);
  expect(own(received.split("\r\n"))).toEqual(["X-B: 1", "x-a: 2", "Set-Cookie: a=1", "X-B: 3", "Set-Cookie: b=2; Path=/"]);
});

test("response trailers arrive as trailers", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => {
    response.writeHead(200, { trailer: "X-Checksum" });
    response.write("body");
    response.addTrailers({ "X-Checksum": "abc" });
    response.end();
  });
  const { relay } = await createBed(stack, { services: { web: origin.url } });
  const got = await visit(relay, "web", "/", { headers: { te: "trailers" } });
  expect(got.text()).toBe("body");
  expect(got.trailers).toEqual({ "x-checksum": "abc" });
  expect(got.headers["x-checksum"]).toBeUndefined();
});

test("103 Early Hints arrive before the answer", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" }, () => response.end("late"));
  });
  const { relay } = await createBed(stack, { services: { web: origin.url } });
  const request = openVisit(relay, "web", "/");
  const hints: unknown[] = [];
  request.on("information", (information) => hints.push([information.statusCode, information.headers["link"]]));
  request.end();
  const response = await within(5_000, "the answer", answer(request));
  expect(hints).toEqual([[103, "</style.css>; rel=preload; as=style"]]);
  expect(response.statusCode).toBe(200);
  response.resume();
});

test("a visitor that waits for 100 Continue gets it, and the body arrives", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (request, response) => void request.pipe(response));
  const { relay } = await createBed(stack, { services: { web: origin.url } });
  using client = await RawClient.connect({ port: relay.port });
  client.send(`POST / HTTP/1.1\r\nHost: ${relay.host("web")}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`);
  await client.until(/^HTTP\/1\.1 100 /);
  client.send("hello");
  const received = await client.untilClosed();
  expect(received).toMatch(/\r\n\r\nHTTP\/1\.1 200 /);
  expect(received).toContain("hello");
});

test.each([204, 304])("a %s has no body and no invented framing", async (status) => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => response.writeHead(status, { etag: '"v1"' }).end());
  const { relay } = await createBed(stack, { services: { web: origin.url } });
  const got = await visit(relay, "web", "/");
  expect([got.status, got.headers.etag, got.body.length]).toEqual([status, '"v1"', 0]);
  expect(got.headers["transfer-encoding"]).toBeUndefined();
});

test("an origin that is not there is a 502 that names the connector's side, in the form that the caller reads", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay } = await createBed(stack, { services: { web: `http://127.0.0.1:${await freePort()}` } });
  const program = await visit(relay, "web", "/", { headers: { accept: "application/json" } });
  expect(program.status).toBe(502);
  expect(program.headers["content-type"]).toMatch(/json/);
  expect(program.headers["sallyport-error"]).toMatch(/^ERR_ORIGIN_/);
  expect(program.headers["sallyport-answered-by"]).toBe("connector");
  expect(program.headers["sallyport-request-id"]).toMatch(/\S+/);
  expect(program.text()).toContain(String(program.headers["sallyport-request-id"]));
  const headers = { accept: "text/html,*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const person = await visit(relay, "web", "/", { headers });
  expect(person.status).toBe(502);
  expect(person.headers["content-type"]).toMatch(/html/);
  expect(person.text()).toContain(String(person.headers["sallyport-request-id"]));
});

test.each([
  ["an answer cut short", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"],
  ["a chunked answer without its end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
])("%s never looks whole to the visitor", async (_what, response) => {
  await using stack = new AsyncDisposableStack();
  const { relay } = await createBed(stack, { services: { web: await startRawOrigin(stack, response) } });
  await expect(visit(relay, "web", "/")).rejects.toThrow();
});

test.each([
  ["conflicting framing", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"],
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n"],
])("an origin's answer with %s is a 502, and its connection is not used again", async (_what, response) => {
  await using stack = new AsyncDisposableStack();
  const { relay } = await createBed(stack, { services: { web: await startRawOrigin(stack, response) } });
  const got = await visit(relay, "web", "/");
  expect(got.status).toBe(502);
  expect(got.headers["sallyport-error"]).toMatch(/^ERR_ORIGIN_/);
});
