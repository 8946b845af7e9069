// Notices that the configuration or a file it refers to changed. Looks instead of listening: inotify misses what a
// container platform does to mounted files (a swapped symbolic link) and what network file systems do.

import { statSync } from "node:fs";
import type { Clock, Timer } from "@sallyport/shared/clock";

/** Time between two looks. */
export const WATCH_INTERVAL_MS = 2_000;

/** What distinguishes one content of a file from the next; undefined when it is not there. */
export type Fingerprint = (path: string) => string | undefined;

/** Calls `onChange` once after each change of any file, until close(). */
export class FileWatch {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #fingerprint: Fingerprint;
  #paths: readonly string[] = [];
  #known = "";
  #timer: Timer | undefined;

  constructor(clock: Clock, onChange: () => void, fingerprint: Fingerprint = statFingerprint) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#fingerprint = fingerprint;
  }

  /** Watches these files from now on, as they are now. */
  watch(paths: readonly string[]): void {
    this.#timer?.cancel();
    this.#paths = paths;
    this.#known = this.#look();
    this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#clock.after(WATCH_INTERVAL_MS, () => {
      this.#arm();
      const current = this.#look();
      if (current === this.#known) return;
      this.#known = current;
      this.#onChange();
    });
  }

  #look(): string {
    return this.#paths.map((path) => `${path}=${this.#fingerprint(path) ?? "absent"}`).join("\n");
  }
}

function statFingerprint(path: string): string | undefined {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino}/${size}/${mtimeMs}`;
  } catch {
    return undefined;
  }
}
