// Visitors that go away in the middle, origins that do: afterwards both programs hold no more handles and no more
// streams than before.

import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { sendBulk } from "../harness/bulk.ts";
import { openHandles } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { eventually } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

const VISITORS = 150;
/** Kept connections to the origin may outlive the test (pool idle 4 s); nothing else may. */
const SPARE_HANDLES = 12;

test("after visitors and origins that went away in the middle no handle is left", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (request, response) => {
    if (request.url === "/small") {
      response.end("ok");
    } else if (request.url === "/dies") {
      response.writeHead(200, { "content-length": 1000 }).write("a part");
      response.destroy();
    } else {
      response.writeHead(200);
      sendBulk(response, 2 ** 30).catch(() => {});
    }
  });
  const { relay, connector } = await createBed(stack, { services: { web: origin.url } });
  await visit(relay, "web", "/small");
  const programs = [relay.program, connector.program];
  const before = programs.map(({ pid }) => openHandles(pid));

  await Promise.all(
    Array.from({ length: VISITORS }, async (_, index) => {
      const request = openVisit(relay, "web", index % 3 === 0 ? "/dies" : "/endless");
      request.on("error", () => {});
      request.end();
      const response = await answer(request).catch(() => undefined);
      response?.on("error", () => {});
      request.destroy();
    }),
  );
  for (const [index, { name, pid }] of programs.entries()) {
    const bound = (before[index] ?? 0) + SPARE_HANDLES;
    await eventually(() => openHandles(pid) <= bound, { what: `the ${name} to let go (more than ${bound} handles)`, timeoutMs: 15_000 });
  }
  expect((await visit(relay, "web", "/small")).status).toBe(200);
});
