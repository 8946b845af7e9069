// `sallyport access login URL`: a person confirms in a browser, the token is kept (A16, R-E4).

import { openBrowser } from "../access/browser.ts";
import { discover } from "../access/discovery.ts";
import { SIGN_IN_TIMEOUT_MS, signInByCode, type SignInOptions, type SignInResult, signInWithBrowser } from "../access/sign-in.ts";
import { TokenFiles } from "../access/token-files.ts";
import { networkOrExplain, urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export interface LoginOptions {
  /** False with --no-browser. */
  readonly browser: boolean;
  readonly ca?: string;
  readonly json: boolean;
}

export async function accessLogin(text: string, options: LoginOptions, io: Io): Promise<ExitCode> {
  const application = urlOrExplain(text, io);
  const network = application && networkOrExplain(options.ca, io);
  if (application === undefined || network === undefined) return ExitCode.USAGE;
  const release = io.keepAlive();
  const interrupted = new AbortController();
  const offs = (["SIGINT", "SIGTERM"] as const).map((signal) => io.onSignal(signal, () => interrupted.abort()));
  const limit = io.clock.after(SIGN_IN_TIMEOUT_MS, () => interrupted.abort());
  try {
    const found = await discover(application, network);
    if (found.kind === "failed") return failed(found.why, found.remedy, io);
    const { authUrl } = found;
    const attempt = { application, authUrl, network, clock: io.clock, signal: interrupted.signal };
    const result = options.browser ? await withBrowser(attempt, io) : await byCode(attempt, io);
    if (result.kind === "failed") interrupted.signal.throwIfAborted();
    return finish(result, options, io);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    return failed("nobody confirmed the sign-in", "start again, and allow it on the page within 10 minutes", io);
  } finally {
    limit.cancel();
    for (const off of offs) off();
    release();
  }
}

async function withBrowser(attempt: SignInOptions, io: Io): Promise<SignInResult> {
  return await signInWithBrowser(attempt, (url, code) => {
    io.err(`Opening your browser. If it does not open, open this page yourself:\n  ${url}\nIt must show the code ${code}.`);
    openBrowser(url, io.environment);
  });
}

async function byCode(attempt: SignInOptions, io: Io): Promise<SignInResult> {
  return await signInByCode(attempt, (url, code) => io.err(`Open this page in any browser:\n  ${url}\nand enter the code ${code}`));
}

function finish(result: SignInResult, { json }: LoginOptions, io: Io): ExitCode {
  if (result.kind === "failed") return failed(result.why, result.remedy, io);
  if (result.kind === "denied") {
    io.err("error[ERR_ACCESS_DENIED]: the sign-in was not allowed in the browser");
    return ExitCode.REFUSED;
  }
  const { token, email } = result;
  try {
    TokenFiles.of(io.environment).save(token);
  } catch (error) {
    const { code = "unknown", path = "its file" } = error as NodeJS.ErrnoException;
    return failed(`the token cannot be kept (${code})`, `make ${path} writable for you, or set XDG_CONFIG_HOME to a folder that is`, io);
  }
  const expires = new Date(token.expiresAt).toISOString();
  const { application } = token;
  io.out(
    json
      ? JSON.stringify({ application, email, expiresAt: expires })
      : `Signed in to ${application}${email === undefined ? "" : ` as ${email}`} until ${expires}.`,
  );
  return ExitCode.OK;
}

function failed(why: string, remedy: string, io: Io): ExitCode {
  io.err(`error[ERR_ACCESS_LOGIN]: ${why}\n   = ${remedy}`);
  return ExitCode.FAILED;
}
