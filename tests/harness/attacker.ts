// Many hostile connections at once, from a process of their own and from many addresses of 127.0.0.0/8, so that neither the test's
// event loop nor the cap per address hides what the relay does. Must not import product code.

import { fileURLToPath } from "node:url";
import { Program } from "./program.ts";
import { eventually } from "./scratch.ts";

export interface AttackOptions {
  readonly port: number;
  readonly connections: number;
  /** Source addresses 127.1.0.1 onwards, in turns. Default 1. */
  readonly addresses?: number;
  /** Sent at once, latin1. */
  readonly first?: string;
  /** Sent again and again... */
  readonly then?: string;
  /** ...at this interval. */
  readonly everyMs?: number;
}

/** Counts so far. */
export interface AttackCounts {
  readonly open: number;
  readonly refused: number;
  /** Ended by the other side. */
  readonly closed: number;
  /** First lines of what came back, by how often. */
  readonly answers: Readonly<Record<string, number>>;
  /** From connecting to the other side's end, in milliseconds: the longest. */
  readonly longestMs: number;
}

export class Attack implements AsyncDisposable {
  readonly #program: Program;

  constructor(options: AttackOptions) {
    const args = [fileURLToPath(new URL("./attacker-process.ts", import.meta.url)), JSON.stringify(options)];
    this.#program = new Program({ name: "attacker", command: process.execPath, args });
  }

  get counts(): AttackCounts {
    const line = this.#program.lines.findLast((text) => text.startsWith("{"));
    return line === undefined ? { open: 0, refused: 0, closed: 0, answers: {}, longestMs: 0 } : (JSON.parse(line) as AttackCounts);
  }

  /** Waits until the counts are as wanted. */
  async until(wanted: (counts: AttackCounts) => boolean, what: string, timeoutMs = 60_000): Promise<AttackCounts> {
    await eventually(() => wanted(this.counts), { what, timeoutMs, context: () => this.#program.tail(3) });
    return this.counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
