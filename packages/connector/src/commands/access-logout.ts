// `sallyport access logout`: the token ends at the relay that issued it, and is forgotten here whether or not that worked.

import type { Network } from "../access/call.ts";
import { signOut } from "../access/sign-in.ts";
import type { AccessToken } from "../access/token.ts";
import { TokenFiles } from "../access/token-files.ts";
import { networkOrExplain, urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export interface LogoutOptions {
  readonly all: boolean;
  readonly ca?: string;
}

export async function accessLogout(text: string | undefined, options: LogoutOptions, io: Io): Promise<ExitCode> {
  if ((text === undefined) !== options.all) {
    io.err("error[ERR_USAGE]: name one application, or write --all");
    return ExitCode.USAGE;
  }
  const files = TokenFiles.of(io.environment);
  const url = text === undefined ? undefined : urlOrExplain(text, io);
  const network = networkOrExplain(options.ca, io);
  if ((text !== undefined && url === undefined) || network === undefined) return ExitCode.USAGE;
  const tokens: AccessToken[] = [];
  for (const origin of url === undefined ? files.origins() : [url]) {
    const read = files.read(origin);
    if (read.kind === "tokens") tokens.push(...read.tokens);
    else {
      io.err(`error[ERR_ACCESS_FILE]: ${read.problem}\n   = ${read.remedy}`);
      return ExitCode.FAILED;
    }
  }
  if (tokens.length === 0) io.out("Nobody is signed in here.");
  let code: ExitCode = ExitCode.OK;
  for (const token of tokens) if (!(await forget(token, files, network, io))) code = ExitCode.FAILED;
  return code;
}

async function forget(token: AccessToken, files: TokenFiles, network: Network, io: Io): Promise<boolean> {
  const release = io.keepAlive();
  const problem = token.expiresAt <= io.clock.now() ? undefined : await signOut(token, network);
  release();
  files.remove(token);
  if (problem === undefined) {
    io.out(`Signed out of ${token.application}.`);
    return true;
  }
  io.err(
    `error[ERR_ACCESS_LOGOUT]: forgotten here, but the relay could not be told: ${problem}\n   = copies of the token stay good until ${new Date(token.expiresAt).toISOString()}; sign out in the browser to end them`,
  );
  return false;
}
