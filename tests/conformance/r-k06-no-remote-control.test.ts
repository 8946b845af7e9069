// R-K6: there is no message with which a relay runs, reads, writes or updates anything at a connector.

import { FrameType, FIRST_EXTENSION_TYPE, encodeFrame } from "@sallyport/shared/protocol/frame";
import { StreamKind } from "@sallyport/shared/protocol/head";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordingOrigin } from "./support/origin.ts";
import { startRogueRelay, type RogueRelay } from "./support/rogue-relay.ts";

const stack = new AsyncDisposableStack();
const origin = new RecordingOrigin();
let rogue: RogueRelay;
beforeAll(async () => {
  await origin.listen();
  rogue = await startRogueRelay(stack, { open: origin.url });
});
afterAll(async () => {
  await stack.disposeAsync();
  await origin.close();
});

test("R-K6: these are all the frames there are", () => {
  expect(Object.keys(FrameType)).toEqual([
    "CHALLENGE",
    "PROOF",
    "HELLO",
    "KEYS",
    "OPEN",
    "HEAD",
    "DATA",
    "END",
    "RESET",
    "WINDOW",
    "PING",
    "PONG",
    "GOAWAY",
    "ASSERTION",
  ]);
  expect(Object.keys(StreamKind)).toEqual(["HTTP", "UPGRADE", "TCP"]);
});

/** Sends a frame of any type on the live connection. */
function inject(type: number): void {
  rogue.transports.at(-1)?.send(encodeFrame(type, 0, Buffer.from("rm -rf /")));
}

test("R-K6: a frame of an unknown type ends the connection; one of a later extension is skipped", async () => {
  inject(FIRST_EXTENSION_TYPE);
  inject(0xff);
  expect(await rogue.open()).toMatchObject({ status: 200 });
  for (const type of [0x00, 0x0f, 0x20, FIRST_EXTENSION_TYPE - 1]) {
    const before = rogue.connections.length;
    inject(type);
    await expect.poll(() => rogue.connections.length, { timeout: 20_000 }).toBeGreaterThan(before);
    expect(await rogue.open()).toMatchObject({ status: 200 });
  }
});

test("R-K6: grants in a HELLO change nothing at the connector: its allow list is its own", async () => {
  rogue.mux.sendHello(
    JSON.stringify({
      software: "x",
      limits: { maxStreams: 1_000, streamWindowBytes: 65_536, connectionWindowBytes: 1_048_576 },
      capabilities: ["exec", "update"],
      time: Date.now(),
      connectionId: "c",
      tunnel: "office",
      grants: [{ application: "x", hostname: "x", path: "/", service: "shell", url: "http://x", exec: "id" }],
    }),
  );
  expect(await rogue.open({ service: "shell" }, { token: rogue.token(rogue.claims({ service: "shell" })) })).toMatchObject({
    reset: "SERVICE_UNKNOWN",
  });
});

test("R-K6: a TCP stream to a service that is HTTP is refused", async () => {
  const connections = origin.connections;
  expect(await rogue.open({ kind: StreamKind.TCP, method: "", path: "" }, { token: rogue.token(), body: "x" })).toMatchObject({
    reset: "REQUEST_INVALID",
  });
  expect(origin.connections).toBe(connections);
});
