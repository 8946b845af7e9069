// Replaces the live configuration: loads and proves the new one first, then swaps it in one step, else keeps the old
// one and says why (O3, R-N1, R-N4). One reload at a time; requests that come meanwhile share the next one.

import { SallyportError } from "@sallyport/shared/errors";
import { diffConfigs, restartSections, type ConfigDiff } from "./diff.ts";
import type { LoadResult } from "./load.ts";
import type { Problem } from "@sallyport/shared/config/problem";
import type { RelayConfig } from "./types.ts";

export type ReloadOutcome =
  /** The new configuration is live. */
  | { readonly kind: "applied"; readonly diff: ConfigDiff; readonly warnings: readonly Problem[] }
  /** The file says what is live already. */
  | { readonly kind: "unchanged" }
  /** The file is not fit to go live; the old configuration stays. */
  | { readonly kind: "refused"; readonly problems: readonly Problem[]; readonly lines: readonly string[] }
  /** The file was fine, the swap failed; the old configuration stays. */
  | { readonly kind: "failed"; readonly error: unknown };

export interface ReloaderOptions {
  readonly initial: RelayConfig;
  load(): Promise<LoadResult>;
  /** Swaps in one step; when it throws, the old configuration must still be in place. */
  apply(next: RelayConfig): Promise<void> | void;
  /** Told of every finished reload, for log and audit. Must not throw. */
  onOutcome(outcome: ReloadOutcome): void;
  /** Told which files matter from now on. */
  onWatchedFiles?(files: readonly string[]): void;
}

export class ConfigReloader {
  readonly #options: ReloaderOptions;
  #current: RelayConfig;
  #running: Promise<ReloadOutcome> | undefined;
  #next: Promise<ReloadOutcome> | undefined;
  #closed = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#current = options.initial;
  }

  /** The live configuration. */
  get current(): RelayConfig {
    return this.#current;
  }

  /** Reloads; resolves with the outcome and never rejects. At most one reload runs and one waits, whatever is asked. */
  request(): Promise<ReloadOutcome> {
    if (this.#running === undefined) return this.#start();
    // The running one may have read the file already, so a later request needs a run of its own.
    this.#next ??= this.#running.then(() => this.#start());
    return this.#next;
  }

  /** Waits for a running reload; nothing is applied afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#next;
    await this.#running;
  }

  #start(): Promise<ReloadOutcome> {
    this.#next = undefined;
    const run = this.#reload()
      .catch((error: unknown): ReloadOutcome => ({ kind: "failed", error }))
      .then((outcome) => {
        this.#running = undefined;
        if (!this.#closed) this.#options.onOutcome(outcome);
        return outcome;
      });
    this.#running = run;
    return run;
  }

  async #reload(): Promise<ReloadOutcome> {
    if (this.#closed) return CLOSED;
    const result = await this.#options.load();
    if (this.#closed) return CLOSED;
    // Of a refused file too: mending a certificate that it names must be noticed.
    this.#options.onWatchedFiles?.(result.watchedFiles);
    if (!result.ok) return { kind: "refused", problems: result.problems, lines: result.lines };
    const restart = restartSections(this.#current, result.config);
    if (restart.length > 0) return { kind: "refused", problems: restart.map((section) => needsRestart(section, result.config)), lines: [] };
    const diff = diffConfigs(this.#current, result.config);
    if (diff.totalChanges === 0) return { kind: "unchanged" };
    await this.#options.apply(result.config);
    this.#current = result.config;
    return { kind: "applied", diff, warnings: result.warnings };
  }
}

const CLOSED: ReloadOutcome = {
  kind: "failed",
  error: new SallyportError("ERR_CONFIG_CLOSED", "the relay is closing; nothing is reloaded any more"),
};

function needsRestart(section: string, config: RelayConfig): Problem {
  return {
    severity: "error",
    file: config.source.file,
    line: 1,
    column: 1,
    length: 1,
    path: section,
    code: "ERR_CONFIG_RESTART",
    message: `a change of ${section} cannot be taken up while the relay runs`,
    remedy: `restart the relay, or undo the change of ${section} to let the rest of the file go live`,
  };
}
