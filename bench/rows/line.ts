// Row rtt-60ms: one download over a long, fast line, through the tunnel and directly through the same kind of line:
// what is left says whether the windows grow. The line stands between connector and relay.

import { connect } from "node:net";
import { freePort } from "../../tests/harness/scratch.ts";
import { alternate, compareBy } from "../measure/pairs.ts";
import { transfer } from "../measure/transfer.ts";
import { startLine } from "../rig/line.ts";
import { startOurs } from "../rig/ours.ts";
import { LINE_BYTES, LINE_BYTES_PER_SECOND, LINE_DELAY_MS, LINE_QUEUE_BYTES } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

const LINE = { delayMs: LINE_DELAY_MS, bytesPerSecond: LINE_BYTES_PER_SECOND, queueBytes: LINE_QUEUE_BYTES };
/** A line that does not delay would make this row say nothing. */
const LEAST_ROUND_TRIP_MS = 2 * LINE_DELAY_MS;

async function run(context: Context): Promise<Result> {
  const { nginxPort } = await context.origins();
  await using stack = new AsyncDisposableStack();
  const relayPort = await freePort();
  // The relay's public port is the line's; visitors of this row go to the relay itself.
  const tunnelLine = await startLine(stack, { ...LINE, port: relayPort });
  const ours = await startOurs(stack, { origins: { "/": nginxPort }, relay: { port: relayPort, publicPort: tunnelLine.port } });
  const directLine = await startLine(stack, { ...LINE, port: nginxPort });
  const roundTripMs = await roundTrip(directLine.port, ours.headers["Host"] ?? "");
  if (roundTripMs < LEAST_ROUND_TRIP_MS) throw new Error(`the line answers within ${roundTripMs.toFixed(1)} ms`);
  const download = (url: string): Promise<number> => transfer({ url: `${url}/line`, headers: ours.headers, bytes: LINE_BYTES });
  const samples = await alternate(
    context.settings.transferPairs,
    () => download(ours.side.url),
    () => download(`http://127.0.0.1:${directLine.port}`),
  );
  const notes = [
    "reference here: the same download directly through such a line",
    `small answer over the line: ${roundTripMs.toFixed(0)} ms`,
  ];
  return { ...compareBy(samples, (bytesPerSecond) => bytesPerSecond / 1e6), unit: "MB/s", notes };
}

/** From a request on an open connection to the first byte of its answer. */
async function roundTrip(port: number, host: string): Promise<number> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const startedAtMs = performance.now();
  socket.write(`GET /small HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await new Promise((resolve, reject) => socket.once("data", resolve).once("close", () => reject(new Error("the line closed"))));
  socket.destroy();
  return performance.now() - startedAtMs;
}

export const LINE_ROWS: readonly Row[] = [
  {
    id: "rtt-60ms",
    title: "one download of 100 MB at 60 ms round trip and 200 Mbit/s, against directly",
    quick: false,
    goals: [{ of: "ratio", atLeast: 0.9 }],
    needs: ["nginx", "curl"],
    run,
  },
];
