// R-D3: the connector believes no field that the relay sends: a relay in wrong hands cannot make it write anything but one
// well-formed request.

import { CloseCode, GoawayReason } from "@sallyport/shared/protocol/codes";
import { StreamKind } from "@sallyport/shared/protocol/head";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { RecordingOrigin } from "./support/origin.ts";
import { startRogueRelay, type RogueRelay } from "./support/rogue-relay.ts";

const stack = new AsyncDisposableStack();
const origin = new RecordingOrigin();
let rogue: RogueRelay;
beforeAll(async () => {
  await origin.listen();
  rogue = await startRogueRelay(stack, { open: origin.url, stripped: { url: origin.url, stripPrefix: "/files" } });
});
afterAll(async () => {
  await stack.disposeAsync();
  await origin.close();
});

/** Still of use for honest streams, and nothing of what came before was written. */
async function expectHonest(before: number): Promise<void> {
  expect(await rogue.open({ path: "/honest" })).toMatchObject({ status: 200, body: "served" });
  expect(origin.requests.slice(before).map(({ target }) => target)).toEqual(["/honest"]);
  expect(origin.violations).toEqual([]);
}

/** A request that this service cannot take: no fault of the protocol. */
async function expectRefused(change: Parameters<RogueRelay["open"]>[0], body?: string): Promise<void> {
  const before = origin.requests.length;
  const { mux } = rogue;
  const service = change?.service ?? "open";
  const outcome = await rogue.open(change, { token: rogue.token(rogue.claims({ service })), ...(body === undefined ? {} : { body }) });
  expect(outcome).toMatchObject({ reset: "REQUEST_INVALID" });
  await expectHonest(before);
  expect(rogue.mux).toBe(mux);
}

/** A head that no relay in good health sends: the connection ends, and the connector comes back over another one. */
async function expectHungUp(change: Parameters<RogueRelay["open"]>[0]): Promise<void> {
  const before = origin.requests.length;
  const { mux } = rogue;
  const connections = rogue.connections.length;
  // With an assertion in perfect order: it is the head alone that is judged here.
  expect(await rogue.open(change)).toMatchObject({ reset: "CONNECTION_LOST" });
  expect(mux.closed).toBe(true);
  expect(rogue.goaways.at(-1)).toMatchObject({
    reason: GoawayReason.PROTOCOL_ERROR,
    text: expect.stringMatching(/^ERR_PROTOCOL_HEAD_MALFORMED: [a-zA-Z0-9 ']+$/),
  });
  expect(rogue.causes.at(-1)).toMatchObject({ kind: "lost", code: CloseCode.PROTOCOL_ERROR });
  await eventually(() => rogue.connections.length > connections, { what: "the connector to come back" });
  await expectHonest(before);
}

describe("R-D3: the connector hangs up before a byte is written", () => {
  test.each(["GE T", "GET /admin HTTP/1.1\r\nX:", "G\r\nET", "", "CONNECT", "GÉT", "G(T"])("method %j", async (method) => {
    await expectHungUp({ method });
  });

  test.each([
    "x",
    "",
    "*",
    "http://evil.example/",
    "/a b",
    "/a\r\nX: y",
    "/a\n",
    "/a\0b",
    "/a\tb",
    "/x HTTP/1.1\r\nHost: evil\r\n\r\nGET /y",
  ])("path %j", async (path) => {
    await expectHungUp({ path });
  });

  test.each(["", "a b", "evil\r\nX: y", "user@evil", "a/b", "evil\0", "a\\b"])("authority %j", async (authority) => {
    await expectHungUp({ authority });
  });

  test.each([
    ["X Y", "a"],
    ["X\r\nY", "a"],
    ["", "a"],
    ["X:", "a"],
    ["X-A", "a\r\nY: b"],
    ["X-A", "a\nb"],
    ["X-A", "a\rb"],
    ["X-A", "a\0b"],
    ["X-A", "a\x01b"],
    ["X-A", "\x7f"],
  ])("field %j: %j", async (name, value) => {
    await expectHungUp({ fields: ["Accept", "*/*", name, value] });
  });

  test("a declared body that is not there", async () => {
    await expectHungUp({ method: "POST", contentLength: 5 });
  });

  test.each<[string, Parameters<RogueRelay["open"]>[0]]>([
    ["an upgrade with another method", { kind: StreamKind.UPGRADE, method: "POST" }],
    ["a request in a TCP stream", { kind: StreamKind.TCP }],
  ])("%s", async (_name, change) => {
    await expectHungUp(change);
  });
});

describe("R-D3: refused for its stream alone, since it is this service that cannot take it", () => {
  test.each(["/files//x", "/filesx", "/other", "/files/../x", "/files/%2e%2e/x"])(
    "the path %s does not fit the prefix that is cut off",
    async (path) => {
      await expectRefused({ service: "stripped", path });
    },
  );

  test("a body longer or shorter than its length", async () => {
    await expectRefused({ method: "POST", contentLength: 3 }, "hello");
    await expectRefused({ method: "POST", contentLength: 9 }, "hello");
  });
});

test("R-D3: fields of framing and of the connection are the connector's own, whatever the relay sends", async () => {
  const fields = [
    "Content-Length",
    "99",
    "Transfer-Encoding",
    "chunked",
    "Host",
    "evil.example",
    "Connection",
    "Cookie",
    "Upgrade",
    "h2c",
    "Keep-Alive",
    "x",
    "TE",
    "gzip",
    "Expect",
    "100-continue",
    "Proxy-Authorization",
    "x",
    "Cookie",
    "a=1",
  ];
  expect(await rogue.open({ fields })).toMatchObject({ status: 200 });
  const request = origin.requests.at(-1);
  expect(request?.values("host")).toEqual(["app.example.test"]);
  expect(request?.values("cookie")).toEqual(["a=1"]);
  for (const name of ["content-length", "transfer-encoding", "upgrade", "keep-alive", "te", "expect", "proxy-authorization"])
    expect([name, request?.values(name)]).toEqual([name, []]);
  expect(origin.violations).toEqual([]);
});
