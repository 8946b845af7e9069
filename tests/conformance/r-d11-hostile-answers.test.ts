// R-D11, R-D9: every answer of the corpus of a hostile origin, through connector and relay: the visitor gets 502, an answer that is
// visibly cut, or the one that llhttp reads in the same bytes; and the next request on the same connection gets its own answer.

import { CORPUS } from "@sallyport/connector/origin/testing/response-corpus";
import { nodeReading } from "@sallyport/connector/origin/testing/response-readings";
import { expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { ok } from "./support/origin.ts";
import { useBed } from "./support/bed.ts";
import { ask } from "./support/visit.ts";
import { readResponses, write, type WireResponse } from "./support/wire.ts";

const bed = useBed();
/** Some stand in the corpus twice. */
const ANSWERS: readonly string[] = [...new Set(CORPUS)];
const POISON = ok("poison");

interface Answer {
  readonly kind: "refused" | "cut" | "whole";
  readonly status: number;
  readonly body: string;
}

/** What one visitor got for the hostile answer; its connection is used once more where it is kept. */
async function visitHostile(method: string, at: string): Promise<Answer> {
  using client = await RawClient.connect({ port: bed().port });
  client.send(write("/hostile", { method, close: false }) + write(`/after-${at}`));
  const raw = await client.untilClosed();
  const responses = readResponses(raw, [method]).filter(({ status }) => status >= 200);
  const [first, second] = responses;
  if (first === undefined) return { kind: "cut", status: 0, body: "" };
  expect(responses.length, `answers to ${at}`).toBeLessThanOrEqual(2);
  if (second !== undefined) expect([second.status, second.body]).toEqual([200, `/after-${at}`]);
  const bare = method === "HEAD" || first.status === 204 || first.status === 304;
  if (first.status === 502 && first.value("sallyport-error") !== undefined) return { kind: "refused", status: 502, body: "" };
  return { kind: bare || endedWell(first, second) ? "whole" : "cut", status: first.status, body: first.body };
}

/** A body without framing can only be told from a cut one by what follows it on the connection. */
function endedWell(first: WireResponse, second: WireResponse | undefined): boolean {
  return first.complete || second !== undefined;
}

/** The origin writes `answer` to one request and ends the connection, to all others it answers with their path. */
function answerOnce(answer: string): void {
  bed().open.respond = (request, socket) => {
    if (request.target !== "/hostile") return ok(request.target);
    socket.end(answer, "latin1");
    return undefined;
  };
}

async function expectNotShifted(at: string): Promise<void> {
  for (const target of [`/later-${at}`, `/latest-${at}`]) expect((await ask(bed(), target)).body).toBe(target);
}

test("R-D11: the corpus of answers is large", () => {
  expect(ANSWERS.length).toBeGreaterThanOrEqual(100);
});

test.each(["GET", "HEAD", "POST"])(
  "R-D11: to %s, the visitor gets 502, a cut answer, or the one there is",
  { timeout: 120_000 },
  async (method) => {
    const tally = { refused: 0, cut: 0, whole: 0 };
    for (const [at, text] of ANSWERS.entries()) {
      answerOnce(text);
      const answer = await visitHostile(method, String(at));
      tally[answer.kind]++;
      const oracle = await nodeReading(Buffer.from(text, "latin1"), method);
      if (answer.kind === "whole")
        expect({ text, oracle }).toMatchObject({ oracle: { kind: "whole", status: answer.status, body: answer.body } });
      await expectNotShifted(`${method}-${at}`);
    }
    console.info(`${method}: ${ANSWERS.length} hostile answers, ${tally.refused} refused, ${tally.cut} cut, ${tally.whole} passed on`);
    expect(Math.min(tally.refused, tally.whole)).toBeGreaterThan(10);
  },
);

test("R-D11: what an origin writes behind its answer reaches nobody", { timeout: 120_000 }, async () => {
  for (const [at, text] of ANSWERS.entries()) {
    answerOnce(text);
    const alone = await visitHostile("GET", `alone-${at}`);
    answerOnce(text + POISON);
    const poisoned = await visitHostile("GET", `poisoned-${at}`);
    // Only a body that lasts until the connection ends may hold it, and what was broken may break elsewhere.
    if (alone.kind === "whole" && poisoned.kind === "whole" && poisoned.body !== alone.body)
      expect(poisoned.body).toBe(alone.body + POISON);
    await expectNotShifted(`poison-${at}`);
  }
});
