// Places and waits of a test: free ports, temporary folders, and waiting for a condition that is read from the
// system under test. Must not know Sallyport.

import { mkdtempSync, rmSync } from "node:fs";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary folder that disappears with the stack it was deferred to. */
export function scratchFolder(stack: AsyncDisposableStack, name = "sallyport"): string {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

// A port handed out once is not handed out again by this process, so that two programs started together never meet.
const handedOut = new Set<number>();

async function tryPort(wanted: number): Promise<number | undefined> {
  const server = createServer();
  const port = await new Promise<number | undefined>((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen(wanted, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  if (port !== undefined) await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Ports that the kernel gives to nobody by itself (Linux begins at 32,768 for outgoing connections), so that what was
 * free a moment ago is still free when the program under test listens.
 */
const FIRST_PORT = 10_000;
const LAST_PORT = 32_000;

/** A TCP port on loopback that nobody listens on right now: the preferred one if it is free. */
export async function freePort(preferred: number = randomInt(FIRST_PORT, LAST_PORT)): Promise<number> {
  for (let wanted = preferred; ; wanted = randomInt(FIRST_PORT, LAST_PORT)) {
    const port = await tryPort(wanted);
    if (port === undefined || handedOut.has(port)) continue;
    handedOut.add(port);
    return port;
  }
}

export interface Patience {
  readonly what: string;
  /** Default 20 s. */
  readonly timeoutMs?: number;
  /** Added to the failure, read when it happens: logs of the program that was waited for. */
  readonly context?: () => string;
}

/** Asks again and again until the answer is neither undefined nor false; an error counts as "not yet". */
export async function eventually<T>(probe: () => T | Promise<T>, patience: Patience): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = performance.now() + (patience.timeoutMs ?? 20_000);
  let last: unknown;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`waited in vain for ${patience.what} (last: ${String(last)})\n${patience.context?.() ?? ""}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Bounds a wait: rejects with what was waited for, so that a hang names itself. */
export async function within<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
