// Opens a page in the user's browser, as far as this machine has one. What is opened was built here and is https, or http to
// this machine.

import { spawn } from "node:child_process";
import type { Environment } from "../tunnel/proxy.ts";

/** Never throws and never waits: the page's URL was printed, too. */
export function openBrowser(url: string, { BROWSER: chosen = "", ...environment }: Environment): void {
  const command = chosen !== "" ? chosen : process.platform === "darwin" ? "open" : "xdg-open";
  // No shell: the URL is one argument, whatever is in it.
  const child = spawn(command, [url], { stdio: "ignore", detached: true, env: environment as NodeJS.ProcessEnv });
  child.on("error", () => undefined);
  child.unref();
}
