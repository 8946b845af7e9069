// R-D11: the corpus against the strictest reader there is: every byte that leaves the connector is one plain request, equal to
// the one that was decided, and whatever the corpus says is refused never gets that far.

import { expect, test } from "vitest";
import { createBed, type Bed } from "./support/bed.ts";
import { HTTP_CORPUS } from "./support/corpus/http-corpus.ts";
import { laneApplications, laneServices, runLane } from "./support/differential/lane.ts";
import { strictOrigin } from "./support/differential/real-origin.ts";

test("R-D11: the corpus is large, and every request in it is another one", () => {
  expect(HTTP_CORPUS.length).toBeGreaterThanOrEqual(1_000);
  expect(HTTP_CORPUS.filter(({ http2 }) => http2 !== undefined).length).toBeGreaterThanOrEqual(400);
  expect(new Set(HTTP_CORPUS.map(({ id }) => id)).size).toBe(HTTP_CORPUS.length);
});

test("R-D11: either refused, or one plain request equal to the decided one", { timeout: 120_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await strictOrigin(stack);
  const bed: Bed = await createBed(stack, { applications: laneApplications([origin]), services: laneServices([origin]) });
  for (const protocol of ["HTTP/1.1", "HTTP/2"] as const) {
    const { wrong, sent, refused, seenAsDecided } = await runLane(bed, origin, HTTP_CORPUS, protocol);
    console.info(`${protocol}: ${sent} requests, ${refused} refused, ${seenAsDecided} seen as decided`);
    expect(wrong).toEqual([]);
    expect(origin.origin.violations).toEqual([]);
  }
});
