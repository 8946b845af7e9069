// Headless Chromium of the system, driven by playwright-core. Talks to loopback only.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { cleanEnv, mustRun } from "./program.ts";
import { scratchFolder } from "./scratch.ts";

// The background chatter is off: a test browser has no business outside of this machine.
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Pages that are not ours may name hosts of the Internet; nothing but loopback is ever resolved.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
];

export interface BrowserOptions {
  /** PEM files of authorities that it trusts as if an administrator had installed them; needs certutil. */
  readonly trust?: readonly string[];
}

/** A browser that closes with the stack; `executablePath` comes from `need(context, "chromium")`. */
export async function startBrowser(stack: AsyncDisposableStack, executablePath: string, options: BrowserOptions = {}): Promise<Browser> {
  // Chromium refuses its sandbox to root.
  const args = process.getuid?.() === 0 ? [...FLAGS, "--no-sandbox"] : FLAGS;
  const { trust = [] } = options;
  const env = trust.length === 0 ? cleanEnv() : cleanEnv({ HOME: await homeThatTrusts(stack, trust) });
  // Pages stay in the back-forward cache, as in a browser that nobody automates.
  const browser = await chromium.launch({ executablePath, args, env, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  stack.defer(() => browser.close());
  return browser;
}

/** Chromium on Linux reads an NSS database below the home folder for authorities that were added. */
async function homeThatTrusts(stack: AsyncDisposableStack, authorities: readonly string[]): Promise<string> {
  const home = scratchFolder(stack, "sallyport-home");
  const folder = join(home, ".pki", "nssdb");
  mkdirSync(folder, { recursive: true });
  const database = ["-d", `sql:${folder}`];
  await mustRun("certutil", [...database, "-N", "--empty-password"]);
  for (const [index, file] of authorities.entries()) {
    await mustRun("certutil", [...database, "-A", "-t", "C,,", "-n", `test-${index}`, "-i", file]);
  }
  return home;
}
