// Row start: from starting both processes to the first answer of the origin, with state and credential in place.

import { answer, openVisit } from "../../tests/harness/visitor.ts";
import { eventually } from "../../tests/harness/scratch.ts";
import { median } from "../measure/pairs.ts";
import { startOurs } from "../rig/ours.ts";
import type { Ours } from "../rig/ours.ts";
import { STARTS } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

const LIMIT_MS = 1000;

async function run(context: Context): Promise<Result> {
  const { nginxPort } = await context.origins();
  await using stack = new AsyncDisposableStack();
  const ours = await startOurs(stack, { origins: { "/": nginxPort } });
  const runs: number[] = [];
  for (let start = 0; start <= STARTS; start += 1) {
    await ours.connector.stop();
    await ours.relay.stop();
    const startedAtMs = performance.now();
    await begin(ours);
    runs.push(performance.now() - startedAtMs);
  }
  // The first one warmed the disk.
  const counted = runs.slice(1);
  return { ours: median(counted), unit: "ms", runs: counted };
}

/** Starts both at the same moment; the connector tries again until the relay listens. */
async function begin({ relay, connector, headers }: Ours): Promise<void> {
  connector.launch();
  await relay.start();
  await eventually(
    async () => {
      const response = await answer(openVisit(relay, "app", "/small", { headers }).end());
      response.resume();
      return response.statusCode === 200;
    },
    { what: "the first answer", context: () => connector.program.tail() },
  );
}

export const START_ROWS: readonly Row[] = [
  {
    id: "start",
    title: "from start to the first answer, relay and connector together",
    quick: false,
    goals: [{ of: "ours", atMost: LIMIT_MS }],
    needs: ["nginx"],
    run,
  },
];
