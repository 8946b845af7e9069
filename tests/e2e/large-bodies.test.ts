// 2 GB up and 2 GB down through relay and connector: checksums equal, memory constant.
// SALLYPORT_TEST_BODY_BYTES changes the size, for a quick run while something is being changed.

import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import type { Bed } from "../harness/bed.ts";
import { receiveBulk, sendBulk } from "../harness/bulk.ts";
import { mebibytes, MemorySampler } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

const BODY_BYTES = Number(process.env["SALLYPORT_TEST_BODY_BYTES"] ?? 2 * 2 ** 30);
/** Windows, socket buffers and a young heap that grows once; a body that is kept anywhere would be far beyond. */
const MAX_GROWTH_BYTES = 160 * 2 ** 20;

interface Sampled {
  stop(what: string): void;
}

function sampleBoth({ relay, connector }: Bed): Sampled {
  const samplers = { relay: new MemorySampler(relay.program.pid), connector: new MemorySampler(connector.program.pid) };
  return {
    stop: (what) => {
      for (const [name, sampler] of Object.entries(samplers)) {
        const { beforeBytes, peakBytes, afterBytes } = sampler.stop();
        console.log(
          `${what}: ${name} resident ${mebibytes(beforeBytes)} before, ${mebibytes(peakBytes)} at most, ${mebibytes(afterBytes)} after`,
        );
        expect(peakBytes - beforeBytes, `growth of the ${name}`).toBeLessThan(MAX_GROWTH_BYTES);
      }
    },
  };
}

function report(what: string, startedAtMs: number): void {
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.log(`${what}: ${mebibytes(BODY_BYTES)} in ${seconds.toFixed(1)} s, ${(BODY_BYTES / 2 ** 20 / seconds).toFixed(0)} MiB/s`);
}

test("a body of 2 GB goes up and another one comes down with equal checksums at constant memory", async () => {
  await using stack = new AsyncDisposableStack();
  let sentDown = Promise.resolve("");
  const origin = await startOrigin(stack, (request, response) => {
    if (request.method === "PUT") {
      void receiveBulk(request).then((received) => response.end(JSON.stringify(received)));
      return;
    }
    const length = request.url === "/warm" ? 1000 : BODY_BYTES;
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": length });
    sentDown = sendBulk(response, length);
  });
  const bed = await createBed(stack, { services: { bulk: origin.url } });
  // One small exchange first: what a process allocates once is not growth.
  await visit(bed.relay, "bulk", "/warm");

  let startedAtMs = performance.now();
  const up = sampleBoth(bed);
  const request = openVisit(bed.relay, "bulk", "/up", { method: "PUT", headers: { "content-length": BODY_BYTES } });
  const [sent, received] = await Promise.all([sendBulk(request, BODY_BYTES), answer(request).then(readJson)]);
  report("up", startedAtMs);
  expect(received).toEqual({ bytes: BODY_BYTES, sha256: sent });
  up.stop("up");

  startedAtMs = performance.now();
  const down = sampleBoth(bed);
  const download = openVisit(bed.relay, "bulk", "/down");
  download.end();
  const arrived = await receiveBulk(await answer(download));
  report("down", startedAtMs);
  expect(arrived).toEqual({ bytes: BODY_BYTES, sha256: await sentDown });
  down.stop("down");
});

async function readJson(response: AsyncIterable<unknown>): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}
