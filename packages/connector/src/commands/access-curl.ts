// `sallyport access curl URL`: the system's curl with the kept token. The token goes through curl's standard input, since
// arguments are public on a machine (R-J4), and to the named application only: curl would send a header on to wherever an
// answer redirects it.

import { spawn } from "node:child_process";
import { tokenOrExplain, urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export type CurlOptions = Readonly<Record<string, never>>;

/** @returns curl's exit code, or one of ours when it did not run */
export async function accessCurl(text: string, args: readonly string[], _options: CurlOptions, io: Io): Promise<number> {
  const url = urlOrExplain(text, io);
  if (url === undefined) return ExitCode.USAGE;
  if (readsStandardInput(args)) {
    io.err("error[ERR_USAGE]: curl's standard input is taken by the token\n   = write the body to a file: --data @body.json");
    return ExitCode.USAGE;
  }
  const token = tokenOrExplain(url, io);
  if (token === undefined) return ExitCode.FAILED;
  return await run(curlArguments(url, args), `header = "Sallyport-Access-Token: ${token.token}"\n`, io);
}

/** The URL in the spelling that was judged here, so that curl cannot read another host into it; ours last, where they win. */
export function curlArguments(url: URL, args: readonly string[]): readonly string[] {
  return [...args, "--max-redirs", "0", "--config", "-", "--url", url.href];
}

/** `--data @-`, `-T -` and the like; `-o -` is output. */
export function readsStandardInput(args: readonly string[]): boolean {
  return args.some((argument, index) => {
    const before = args[index - 1];
    if (argument === "-") return before !== "-o" && before !== "--output";
    return /(?:^|[=@<])@-(?:;.*)?$|=<-(?:;.*)?$|^-[A-Za-z]*(?:T|d|K|b|H)@?-$/.test(argument) || argument === "@-";
  });
}

async function run(args: readonly string[], config: string, io: Io): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = spawn("curl", [...args], { stdio: ["pipe", "inherit", "inherit"], env: io.environment as NodeJS.ProcessEnv });
  child.on("error", (error: NodeJS.ErrnoException) => {
    io.err(`error[ERR_ACCESS_CURL]: curl cannot be started (${error.code ?? "unknown"})`);
    resolve(ExitCode.FAILED);
  });
  // A signal that ended it has no code of its own.
  child.on("close", (code) => resolve(code ?? ExitCode.FAILED));
  child.stdin.on("error", () => undefined);
  child.stdin.end(config);
  return await promise;
}
