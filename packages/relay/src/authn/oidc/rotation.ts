// Renewals of claims that never lose a refresh token: a provider that rotates them takes the second use of an old one for
// theft and ends the whole grant. So renewals with one token run once at a time, and a successor that arrived is remembered
// until whoever asked comes back with it, also when what followed failed or nobody waited any longer.

import type { RefreshResult } from "../provider.ts";

const MAX_REMEMBERED = 1_000;

/** @param successor to be called as soon as a new token is there */
export type Renew = (handle: string, successor: (handle: string) => void) => Promise<RefreshResult>;

export class TokenRotation {
  readonly #running = new Map<string, Promise<RefreshResult>>();
  /** Token that the session has -> its successor, oldest first. */
  readonly #successors = new Map<string, string>();

  async renew(handle: string, signal: AbortSignal | undefined, renew: Renew): Promise<RefreshResult> {
    if (signal?.aborted === true) return { kind: "unreachable" };
    this.#arrived(handle);
    let running = this.#running.get(handle);
    if (running === undefined) {
      const current = this.#successors.get(handle) ?? handle;
      running = renew(current, (next) => this.#remember(handle, next)).finally(() => this.#running.delete(handle));
      this.#running.set(handle, running);
    }
    return signal === undefined ? await running : await Promise.race([running, aborted(signal)]);
  }

  #remember(handle: string, successor: string): void {
    const [oldest] = this.#successors.keys();
    if (oldest !== undefined && this.#successors.size >= MAX_REMEMBERED) this.#successors.delete(oldest);
    this.#successors.set(handle, successor);
  }

  /** The session has stored this one: its predecessor is forgotten. */
  #arrived(handle: string): void {
    for (const [predecessor, successor] of this.#successors) if (successor === handle) this.#successors.delete(predecessor);
  }
}

/** The renewal itself goes on: cutting it off could lose the token that it brings. */
function aborted(signal: AbortSignal): Promise<RefreshResult> {
  const { promise, resolve } = Promise.withResolvers<RefreshResult>();
  signal.addEventListener("abort", () => resolve({ kind: "unreachable" }), { once: true });
  return promise;
}
