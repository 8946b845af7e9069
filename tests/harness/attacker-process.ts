// The process behind attacker.ts: opens the connections it is told to, says what it is told to, and counts what becomes of them.

import { connect, type Socket } from "node:net";
import type { AttackOptions } from "./attacker.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as AttackOptions;
const { port, connections, addresses = 1, first = "", then = "", everyMs = 1_000 } = options;
/** Connections that are being opened at once. */
const AT_ONCE = 200;
const REPORT_MS = 100;

const open = new Set<Socket>();
const answers: Record<string, number> = {};
let refused = 0;
let closed = 0;
let longestMs = 0;

function addressOf(index: number): string {
  return `127.1.${Math.floor((index % addresses) / 200)}.${((index % addresses) % 200) + 1}`;
}

function attack(index: number): Promise<void> {
  const startedAtMs = performance.now();
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ port, host: "127.0.0.1", localAddress: addressOf(index) });
  let answered = false;
  socket.once("connect", () => {
    open.add(socket);
    if (first !== "") socket.write(first, "latin1");
    resolve();
  });
  socket.on("data", (chunk: Buffer) => {
    if (answered) return;
    answered = true;
    const line = chunk.toString("latin1").split("\r\n")[0] ?? "";
    answers[line] = (answers[line] ?? 0) + 1;
  });
  socket.on("error", () => {});
  socket.once("close", () => {
    if (open.delete(socket)) {
      closed++;
      longestMs = Math.max(longestMs, performance.now() - startedAtMs);
    } else refused++;
    resolve();
  });
  return promise;
}

setInterval(() => process.stdout.write(`${JSON.stringify({ open: open.size, refused, closed, answers, longestMs })}\n`), REPORT_MS);
if (then !== "") setInterval(() => open.forEach((socket) => socket.write(then, "latin1")), everyMs);
for (let index = 0; index < connections; index += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, connections - index) }, (_, at) => attack(index + at)));
}
