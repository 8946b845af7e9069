// R-K8: only the relay opens streams; an id never comes twice on a connection; exhaustion means a new connection.

import { FrameType, MAX_STREAM_ID } from "@sallyport/shared/protocol/frame";
import { prepareOpen, StreamKind, writeOpen, type OpenHead } from "@sallyport/shared/protocol/head";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { RecordingOrigin } from "./support/origin.ts";
import { RogueConnector } from "./support/rogue-connector.ts";
import { startRogueRelay } from "./support/rogue-relay.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each([1, 2, 1_000])("R-K8: OPEN of stream %i by a connector ends its connection", async (stream) => {
  await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
  const head: OpenHead = {
    kind: StreamKind.HTTP,
    service: "open",
    assertion: 0,
    method: "GET",
    path: "/x",
    authority: "app.example.test",
    fields: [],
    contentLength: undefined,
  };
  const { text, payloadBytes } = prepareOpen(head);
  const payload = Buffer.alloc(payloadBytes);
  writeOpen(head, text, payload, 0);
  const opened = bed().opened.length;
  connector.send(FrameType.OPEN, stream, payload, true);
  expect((await connector.ended()).code).toBe(4000);
  expect(connector.goaway?.reason).toBe(GoawayReason.PROTOCOL_ERROR);
  expect(bed().opened).toHaveLength(opened);
  await expectForwarded(bed(), write("/alive"));
});

test("R-K8: the relay's ids rise and never come again, whatever became of their streams", async () => {
  await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
  const ids: number[] = [];
  connector.onOpen = (stream) => {
    ids.push(stream);
    if (ids.length % 3 === 0) connector.send(FrameType.RESET, stream, Buffer.alloc(6));
    else connector.answer(stream, { status: 200, fields: [] }, "x");
  };
  for (let i = 0; i < 5; i++)
    await Promise.all(Array.from({ length: 6 }, () => ask(bed(), "/x", { host: "lab.example.test" }).catch(() => undefined)));
  expect(ids.length).toBeGreaterThanOrEqual(30);
  expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
});

test("R-K8: near the last id the connection is drained and a new one serves on", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = new RecordingOrigin();
  await origin.listen();
  stack.defer(() => origin.close());
  const rogue = await startRogueRelay(stack, { open: origin.url }, { firstStreamId: MAX_STREAM_ID - 1_005 });
  const first = rogue.mux;
  let served = 0;
  while (first.accepting && served < 2_000) {
    expect(await rogue.open({ path: `/${served}` })).toMatchObject({ status: 200 });
    served++;
  }
  expect([first.accepting, served > 0]).toEqual([false, true]);
  await eventually(() => rogue.connections.length > 1, { what: "a new connection" });
  expect(await rogue.open({ path: "/after" })).toMatchObject({ status: 200 });
  expect(origin.requests.at(-1)?.target).toBe("/after");
});
