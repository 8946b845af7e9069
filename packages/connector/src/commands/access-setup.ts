// What the commands of `sallyport access` do before they differ: read the URL, find the token, say what is missing.

import type { AccessToken } from "../access/token.ts";
import { TokenFiles } from "../access/token-files.ts";
import { readApplicationUrl } from "../access/urls.ts";
import { readAuthorities } from "./authorities.ts";
import type { Network } from "../access/call.ts";
import type { Io } from "./io.ts";

/** Undefined after the problem was shown. */
export function urlOrExplain(text: string, io: Io): URL | undefined {
  const url = readApplicationUrl(text);
  if (url === undefined) io.err(`error[ERR_USAGE]: not an application's URL: write https://app.example.com (http only for this machine)`);
  return url;
}

/** Undefined after the problem was shown. */
export function networkOrExplain(caFile: string | undefined, io: Io): Network | undefined {
  const ca = caFile === undefined ? undefined : readAuthorities(caFile, io);
  return ca === "unusable" ? undefined : { environment: io.environment, ca };
}

/** The token for a URL; undefined after it was said what is missing, and the command that helps. */
export function tokenOrExplain(url: URL, io: Io): AccessToken | undefined {
  const found = TokenFiles.of(io.environment).find(url, io.clock.now());
  if (found.kind === "found") return found.token;
  if (found.kind === "problem") io.err(`error[ERR_ACCESS_FILE]: ${found.problem}\n   = ${found.remedy}`);
  else {
    const problem = found.kind === "none" ? "not signed in" : "the sign-in is over";
    io.err(`error[ERR_ACCESS_SIGNED_OUT]: ${problem}: ${url.origin}\n   = run: sallyport access login ${url.origin}`);
  }
  return undefined;
}
