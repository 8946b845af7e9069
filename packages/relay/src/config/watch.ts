// Notices that a configuration file, or a file that it refers to, was replaced: by folder, because editors, certbot and
// Kubernetes replace files instead of writing into them, and by a slow look as well, because not every file system tells.

import { watch } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock, Timer } from "@sallyport/shared/clock";

/** A burst of events (write, rename, chmod) is one change. */
export const DEBOUNCE_MS = 200;
/** How often files are looked at where no event arrives (network file systems, exhausted inotify). */
export const POLL_MS = 30_000;
/** Folders watched; files beyond are still looked at every {@link POLL_MS}. */
const MAX_FOLDERS = 128;

export interface FolderWatch {
  close(): void;
}

export interface WatchOptions {
  readonly clock: Clock;
  /** Called once per change, after the burst is over. */
  onChange(): void;
  /** For tests. Default: node:fs. */
  readonly watchFolder?: (folder: string, onEvent: () => void) => FolderWatch | undefined;
}

/** Watches a set of files, which may change over time. */
export class FileWatcher {
  readonly #options: WatchOptions;
  readonly #watchFolder: (folder: string, onEvent: () => void) => FolderWatch | undefined;
  readonly #folders = new Map<string, FolderWatch>();
  readonly #seen = new Map<string, string>();
  #debounce: Timer | undefined;
  #poll: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#watchFolder = options.watchFolder ?? systemWatch;
  }

  /**
   * Sets the files to watch (absolute paths). For a file that was not watched before, changes are measured against its
   * state now; for the others against the state that was seen last, so that nothing is missed in between.
   */
  async follow(files: readonly string[]): Promise<void> {
    const wanted = new Set([...new Set(files.map((file) => dirname(file)))].slice(0, MAX_FOLDERS));
    for (const [folder, watcher] of this.#folders) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    // Watch before looking, so that a change in between is not missed.
    for (const folder of wanted) this.#add(folder);
    for (const file of this.#seen.keys()) if (!files.includes(file)) this.#seen.delete(file);
    for (const file of files) if (!this.#seen.has(file)) this.#seen.set(file, await signature(file));
    this.#schedulePoll();
  }

  close(): void {
    this.#closed = true;
    this.#debounce?.cancel();
    this.#poll?.cancel();
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  /** Resolves when a look at the files that is under way is over; for tests. */
  async settled(): Promise<void> {
    await this.#looking;
  }

  #add(folder: string): void {
    if (this.#closed || this.#folders.has(folder)) return;
    const watcher = this.#watchFolder(folder, () => this.#onEvent());
    if (watcher !== undefined) this.#folders.set(folder, watcher);
  }

  #onEvent(): void {
    if (this.#closed || this.#debounce !== undefined) return;
    this.#debounce = this.#options.clock.after(DEBOUNCE_MS, () => {
      this.#debounce = undefined;
      this.#look();
    });
  }

  #schedulePoll(): void {
    this.#poll?.cancel();
    if (this.#closed) return;
    this.#poll = this.#options.clock.after(POLL_MS, () => {
      this.#look();
      this.#schedulePoll();
    });
  }

  #look(): void {
    this.#looking = this.#looking.then(async () => {
      let changed = false;
      for (const [file, before] of this.#seen) {
        const now = await signature(file);
        if (now === before) continue;
        changed = true;
        this.#seen.set(file, now);
      }
      if (changed && !this.#closed) this.#options.onChange();
    });
  }
}

/** Changes when the file is written, replaced, removed or created; links are followed. */
async function signature(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, mode } = await stat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${mode}`;
  } catch {
    return "absent";
  }
}

function systemWatch(folder: string, onEvent: () => void): FolderWatch | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    // A folder that goes away ends its watch; the slow look goes on.
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
