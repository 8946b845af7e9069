// `sallyport access curl URL`: the system's curl with the kept token. The token goes through curl's standard input, since
// arguments are public on a machine (R-J4), and to the named application only: curl would send a header on to wherever an
// answer redirects it.

import { spawn } from "node:child_process";
import { chooseProxy } from "../tunnel/proxy.ts";
import { networkOrExplain, tokenOrExplain, urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export interface CurlOptions {
  readonly ca?: string;
}

/** curl's code for a certificate that it does not trust. */
const CURL_UNTRUSTED = 60;
/** Options by which a person chooses the way out themselves. */
const CHOOSES_PROXY = /^(?:-[A-Za-z]*x|--(?:no|pre)?proxy|--socks)/;

/** @returns curl's exit code, or one of ours when it did not run */
export async function accessCurl(text: string, args: readonly string[], { ca }: CurlOptions, io: Io): Promise<number> {
  const url = urlOrExplain(text, io);
  if (url === undefined) return ExitCode.USAGE;
  if (readsStandardInput(args)) {
    io.err("error[ERR_USAGE]: curl's standard input is taken by the token\n   = write the body to a file: --data @body.json");
    return ExitCode.USAGE;
  }
  if (networkOrExplain(ca, io) === undefined) return ExitCode.USAGE;
  const proxy = args.some((argument) => CHOOSES_PROXY.test(argument)) ? "" : proxyLine(url, io);
  if (proxy === undefined) return ExitCode.USAGE;
  const token = tokenOrExplain(url, io);
  if (token === undefined) return ExitCode.FAILED;
  const trusted = ca === undefined ? args : ["--cacert", ca, ...args];
  const code = await run(curlArguments(url, trusted), `${proxy}header = "Sallyport-Access-Token: ${token.token}"\n`, io);
  if (code === CURL_UNTRUSTED) {
    const command = `sallyport access curl --ca FILE ${url.origin}`;
    io.err(`error[ERR_ACCESS_CURL]: curl does not trust the certificate of ${url.host}\n   = give the authority's PEM file: ${command}`);
  }
  return code;
}

/** The same way out as every other command's, in curl's configuration: a proxy's password is no argument either. */
function proxyLine(url: URL, io: Io): string | undefined {
  const proxy = chooseProxy(url, { kind: "environment" }, io.environment);
  switch (proxy.kind) {
    case "direct":
      return 'noproxy = "*"\n';
    case "proxy":
      // A URL holds neither quotes nor backslashes: the parser encodes them.
      return `proxy = "${proxy.url.href}"\nnoproxy = ""\n`;
    case "invalid":
      io.err(`error[ERR_USAGE]: ${proxy.why}`);
      return undefined;
  }
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
