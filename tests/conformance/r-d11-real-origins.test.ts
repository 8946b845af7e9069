// R-D11: the corpus before eleven real origins, five of them web servers in front of another: for every request and origin
// either Sallyport refused it, or the origin saw exactly one request, equal to the one that was decided.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBed, type Bed } from "./support/bed.ts";
import type { CorpusRequest } from "./support/corpus/corpus-request.ts";
import { HTTP_CORPUS } from "./support/corpus/http-corpus.ts";
import { APPLICATIONS, type StartOrigin } from "./support/differential/applications.ts";
import { laneApplications, laneServices, runLane } from "./support/differential/lane.ts";
import { PROXIES } from "./support/differential/proxies.ts";
import type { RealOrigin } from "./support/differential/real-origin.ts";

const STARTS: Readonly<Record<string, StartOrigin>> = { ...PROXIES, ...APPLICATIONS };
/** A test that is broken would forward too little; most origins see far more. */
const LEAST_SEEN = { "HTTP/1.1": 300, "HTTP/2": 150 } as const;

/**
 * What is refused never gets as far as the connector, whoever stands behind it; the strict origin has all of it. So each origin
 * gets its share, and all of them together get every request. All at every origin: R_D11=all.
 */
function corpusFor(name: string): readonly CorpusRequest[] {
  if (process.env["R_D11"] === "all") return HTTP_CORPUS;
  const names = Object.keys(STARTS);
  return HTTP_CORPUS.filter(({ fate }, at) => fate.kind !== "refused" || at % names.length === names.indexOf(name));
}

const stack = new AsyncDisposableStack();
const running = new Map<string, RealOrigin>();
/** What the machine lacks, by origin. */
const missing = new Map<string, string>();
let bed: Bed;

async function startOne(name: string, start: StartOrigin): Promise<void> {
  const notes: string[] = [];
  // Thrown, since there is no test yet that could be skipped.
  const skip = (_: boolean, note = ""): void => {
    notes.push(note);
    throw new Error(note);
  };
  try {
    running.set(name, await start(stack, { skip }));
  } catch (error) {
    // On a machine of CI a missing program is an error, and so is one that does not start.
    if (notes.length === 0) throw error;
    missing.set(name, notes.join());
  }
}

beforeAll(async () => {
  await Promise.all(Object.entries(STARTS).map(([name, start]) => startOne(name, start)));
  const origins = [...running.values()];
  bed = await createBed(stack, { applications: laneApplications(origins), services: laneServices(origins) });
});

afterAll(() => stack.disposeAsync());

describe.concurrent("R-D11: either refused, or one request equal to the decided one", { timeout: 180_000 }, () => {
  test.for(Object.keys(STARTS))("at %s", async (name, context) => {
    const origin = running.get(name);
    if (origin === undefined) return context.skip(true, missing.get(name));
    for (const protocol of ["HTTP/1.1", "HTTP/2"] as const) {
      const report = await runLane(bed, origin, corpusFor(name), protocol);
      const { sent, refused, seenAsDecided, unseen, wrong } = report;
      console.info(
        `${name}, ${protocol}: ${sent} sent, ${refused} refused, ${seenAsDecided} seen as decided, ${unseen} broken off or refused by the origin`,
      );
      expect(wrong).toEqual([]);
      expect(seenAsDecided).toBeGreaterThanOrEqual(LEAST_SEEN[protocol]);
    }
  });
});
