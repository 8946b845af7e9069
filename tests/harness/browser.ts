// Headless Chromium of the system, driven by playwright-core. Talks to loopback only.

import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

// The background chatter is off: a test browser has no business outside of this machine.
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser that closes with the stack; `executablePath` comes from `need(context, "chromium")`. */
export async function startBrowser(stack: AsyncDisposableStack, executablePath: string): Promise<Browser> {
  // Chromium refuses its sandbox to root.
  const flags = process.getuid?.() === 0 ? [...FLAGS, "--no-sandbox"] : FLAGS;
  const browser = await chromium.launch({ executablePath, args: flags });
  stack.defer(() => browser.close());
  return browser;
}
