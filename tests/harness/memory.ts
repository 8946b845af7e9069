// Resident memory of a process, read from /proc while it works.

import { readFileSync, readdirSync } from "node:fs";

/** Resident set in bytes, right now. Throws where there is no /proc or the process has ended. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kibibytes === undefined) throw new Error(`no resident size for process ${pid}`);
  return Number(kibibytes) * 1024;
}

/** Open file descriptors of a process, right now. */
export function openHandles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export interface MemorySample {
  readonly beforeBytes: number;
  readonly peakBytes: number;
  readonly afterBytes: number;
}

/** Samples a process every `everyMs` until stopped. */
export class MemorySampler {
  readonly #pid: number;
  readonly #beforeBytes: number;
  readonly #timer: NodeJS.Timeout;
  #peakBytes: number;

  constructor(pid: number, everyMs = 50) {
    this.#pid = pid;
    this.#beforeBytes = residentBytes(pid);
    this.#peakBytes = this.#beforeBytes;
    this.#timer = setInterval(() => (this.#peakBytes = Math.max(this.#peakBytes, residentBytes(pid))), everyMs);
  }

  stop(): MemorySample {
    clearInterval(this.#timer);
    const afterBytes = residentBytes(this.#pid);
    return { beforeBytes: this.#beforeBytes, peakBytes: Math.max(this.#peakBytes, afterBytes), afterBytes };
  }
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
