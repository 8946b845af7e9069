// Server-sent events reach the visitor one by one: each is on the visitor's side before the origin sends the next.

import { EventEmitter, once } from "node:events";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { startOrigin } from "../harness/origin.ts";
import { within } from "../harness/scratch.ts";
import { answer, openVisit } from "../harness/visitor.ts";

const EVENTS = 20;
/** Sending to arrival on one machine, both hops in between; a buffer that waits to be filled would never pass it. */
const MAX_DELAY_MS = 250;

test("events arrive one by one, each before the next one is sent", async () => {
  await using stack = new AsyncDisposableStack();
  // The origin sends only when told to: nothing that waits for a following event could ever deliver one.
  const trigger = new EventEmitter();
  const origin = await startOrigin(stack, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.flushHeaders();
    trigger.on("send", (id: number) => response.write(`id: ${id}\ndata: ${performance.now()}\n\n`));
    trigger.once("finish", () => response.end());
  });
  const { relay } = await createBed(stack, { services: { events: origin.url } });

  const request = openVisit(relay, "events", "/stream", { headers: { accept: "text/event-stream" } });
  request.end();
  const response = await within(5_000, "the head, before any event", answer(request));
  expect(response.headers["content-type"]).toBe("text/event-stream");

  const delaysMs: number[] = [];
  for (let id = 0; id < EVENTS; id += 1) {
    const arrival = once(response, "data");
    trigger.emit("send", id);
    const [chunk] = (await within(5_000, `event ${id}`, arrival)) as [Buffer];
    const event = /^id: (\d+)\ndata: ([\d.]+)\n\n$/.exec(chunk.toString());
    expect(event?.[1]).toBe(String(id));
    delaysMs.push(performance.now() - Number(event?.[2]));
  }
  trigger.emit("finish");
  await within(5_000, "the end of the stream", once(response, "end"));

  const worstMs = Math.max(...delaysMs);
  console.log(`${EVENTS} events, slowest ${worstMs.toFixed(1)} ms from sending to arrival`);
  expect(worstMs).toBeLessThan(MAX_DELAY_MS);
});
