// 200 streams at once, one visitor of which stops reading: the others are served at full speed, and the stalled one
// costs its window, not its download.

import { once } from "node:events";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { receiveBulk, sendBulk } from "../harness/bulk.ts";
import { mebibytes, MemorySampler } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { within } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

const STREAMS = 200;
const SMALL_BYTES = 2 * 2 ** 20;
const STALLED_BYTES = 2 ** 30;
const MAX_GROWTH_BYTES = 150 * 2 ** 20;

test("199 of 200 streams are served while one visitor does not read, in bounded memory", async () => {
  await using stack = new AsyncDisposableStack();
  let stalledBytes = 0;
  const origin = await startOrigin(stack, (request, response) => {
    const length = request.url === "/stalled" ? STALLED_BYTES : SMALL_BYTES;
    response.writeHead(200, { "content-length": length });
    if (request.url === "/stalled") response.on("drain", () => (stalledBytes = response.socket?.bytesWritten ?? stalledBytes));
    // The stalled one is cut when the test ends; nobody waits for it.
    sendBulk(response, length).catch(() => {});
  });
  const { relay, connector } = await createBed(stack, { services: { bulk: origin.url } });
  await visit(relay, "bulk", "/warm");
  const samplers = [relay, connector].map(({ program }) => ({ name: program.name, sampler: new MemorySampler(program.pid) }));

  const stalled = openVisit(relay, "bulk", "/stalled");
  stalled.end();
  const stalledResponse = await answer(stalled);
  stalledResponse.pause();
  stack.defer(() => void stalled.destroy());
  stalledResponse.on("error", () => {});

  const startedAtMs = performance.now();
  const others = Array.from({ length: STREAMS - 1 }, async () => {
    const request = openVisit(relay, "bulk", "/small");
    request.end();
    return await receiveBulk(await answer(request));
  });
  const received = await within(60_000, "the other 199 downloads", Promise.all(others));
  const seconds = (performance.now() - startedAtMs) / 1000;
  expect(received.every(({ bytes }) => bytes === SMALL_BYTES)).toBe(true);
  expect(new Set(received.map(({ sha256 }) => sha256)).size).toBe(1);
  console.log(`${STREAMS - 1} downloads of ${mebibytes(SMALL_BYTES)} in ${seconds.toFixed(1)} s beside a stalled one`);

  // The origin was held back too: the whole way buffers little of the gibibyte.
  console.log(`the stalled visitor's origin got rid of ${mebibytes(stalledBytes)} of ${mebibytes(STALLED_BYTES)}`);
  expect(stalledBytes).toBeLessThan(64 * 2 ** 20);
  for (const { name, sampler } of samplers) {
    const { beforeBytes, peakBytes, afterBytes } = sampler.stop();
    console.log(`${name} resident ${mebibytes(beforeBytes)} before, ${mebibytes(peakBytes)} at most, ${mebibytes(afterBytes)} after`);
    expect(peakBytes - beforeBytes, `growth of the ${name}`).toBeLessThan(MAX_GROWTH_BYTES);
  }

  // Reading again goes on where it stopped.
  const more = once(stalledResponse, "data");
  stalledResponse.resume();
  await within(10_000, "the stalled download to go on", more);
});
