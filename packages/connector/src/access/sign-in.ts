// Signing a command line in: a person confirms in a browser, here or elsewhere, and this exchanges what they confirmed for a
// token (A16, R-E4; RFC 6749, RFC 7636, RFC 8252, RFC 8628). Nothing secret stands in a URL but a code that is worthless
// without the verifier, which never leaves this process before the exchange.

import { createHash, randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import type { Clock } from "@sallyport/shared/clock";
import { comparisonCode } from "@sallyport/shared/comparison-code";
import { call, type CallResult, type Failure, type Network } from "./call.ts";
import { openLoopback } from "./loopback.ts";
import { readToken, type AccessToken } from "./token.ts";

/** How long a person may take. */
export const SIGN_IN_TIMEOUT_MS = 600_000;
const DEVICE_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code";
const MAX_INTERVAL_S = 60;
/** RFC 8628 section 3.5. */
const DEFAULT_INTERVAL_S = 5;
const SLOW_DOWN_S = 5;
const MACHINE_LENGTH = 64;

export interface SignInOptions {
  readonly application: URL;
  readonly authUrl: URL;
  readonly network: Network;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export type SignInResult =
  | { readonly kind: "signed-in"; readonly token: AccessToken; readonly email: string | undefined }
  | { readonly kind: "denied" }
  /** Worth another try. */
  | Failure;

interface Attempt {
  readonly verifier: string;
  readonly challenge: string;
}

/** With a browser on this machine. @param show is given the URL to open and the code to compare */
export async function signInWithBrowser(options: SignInOptions, show: (url: string, code: string) => void): Promise<SignInResult> {
  const { verifier, challenge } = newAttempt();
  const state = randomBytes(24).toString("base64url");
  const loopback = await openLoopback(state, options.signal);
  try {
    const { redirectUri } = loopback;
    const url = endpoint(options, "");
    url.search = new URLSearchParams({ ...request(options, challenge), redirect_uri: redirectUri, state }).toString();
    show(url.href, comparisonCode(challenge));
    const answer = await loopback.answer;
    if (answer.kind === "denied") return answer;
    const form = { grant_type: "authorization_code", code: answer.code, code_verifier: verifier, redirect_uri: redirectUri };
    return finish(options, await call(endpoint(options, "/token"), options.network, { form, signal: options.signal }));
  } finally {
    loopback.close();
  }
}

/** With a browser anywhere. @param show is given the page and the code to type there */
export async function signInByCode(options: SignInOptions, show: (url: string, code: string) => void): Promise<SignInResult> {
  const { verifier, challenge } = newAttempt();
  const started = await call(endpoint(options, "/device"), options.network, { form: request(options, challenge), signal: options.signal });
  if (started.kind === "failed") return started;
  const { device_code: deviceCode, user_code: userCode, interval } = started.json;
  if (started.status !== 200 || typeof deviceCode !== "string" || typeof userCode !== "string" || !/^[A-Z0-9-]{4,16}$/.test(userCode))
    return refusal(started);
  // The page is on the auth host, whatever the answer says: a person types codes nowhere else.
  show(endpoint(options, "/code").href, userCode);
  const form = { grant_type: DEVICE_GRANT_TYPE, device_code: deviceCode, code_verifier: verifier };
  let waitS = typeof interval === "number" && interval >= 1 ? Math.min(interval, MAX_INTERVAL_S) : DEFAULT_INTERVAL_S;
  for (;;) {
    await delay(options.clock, waitS * 1_000, options.signal);
    const answer = await call(endpoint(options, "/token"), options.network, { form, signal: options.signal });
    const error = answer.kind === "answer" ? answer.json["error"] : "authorization_pending";
    if (error === "slow_down") waitS = Math.min(waitS + SLOW_DOWN_S, MAX_INTERVAL_S);
    else if (error !== "authorization_pending") return finish(options, answer);
  }
}

/** Gives a token back. @returns why the relay could not be told; undefined: it was */
export async function signOut(token: AccessToken, network: Network): Promise<string | undefined> {
  const url = new URL("/.sallyport/cli/logout", token.authUrl);
  const result = await call(url, network, { form: { application: token.application, token: token.token } });
  if (result.kind === "failed") return result.why;
  return result.status === 200 ? undefined : `${url.host} answered with status ${result.status}`;
}

function delay(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function newAttempt(): Attempt {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier, "latin1").digest("base64url") };
}

function endpoint({ authUrl }: SignInOptions, path: string): URL {
  return new URL(`/.sallyport/cli${path}`, authUrl);
}

function request({ application }: SignInOptions, challenge: string): Readonly<Record<string, string>> {
  const { origin, pathname } = application;
  return { application: origin + pathname, code_challenge: challenge, code_challenge_method: "S256", machine: machineName() };
}

function finish({ application, authUrl }: SignInOptions, result: CallResult): SignInResult {
  if (result.kind === "failed") return result;
  if (result.json["error"] === "access_denied") return { kind: "denied" };
  if (result.status !== 200) return refusal(result);
  const token = readToken(result.json["access_token"], application, authUrl);
  if (token === undefined)
    return {
      kind: "failed",
      why: `${authUrl.host} sent a token that is not for ${application.host}; it was thrown away`,
      remedy: "check the address; the relay's operator can say which applications there are",
    };
  const { email } = result.json;
  return { kind: "signed-in", token, email: typeof email === "string" ? email : undefined };
}

function refusal({ status, json }: Extract<CallResult, { kind: "answer" }>): SignInResult {
  const { error_description: description, error } = json;
  const why = typeof description === "string" ? description : typeof error === "string" ? error : `status ${status}`;
  const shown = why.replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
  return {
    kind: "failed",
    why: `the relay refused: ${shown}`,
    remedy: "start again; if it stays, the relay's operator finds the reason in its record",
  };
}

/** `user@host`, for the person who confirms. */
export function machineName(): string {
  let user = "";
  try {
    user = `${userInfo().username}@`;
  } catch {
    // A user without a name, as in some containers.
  }
  const name = `${user}${hostname()}`.replace(/[^A-Za-z0-9 ._@-]/g, "-").slice(0, MACHINE_LENGTH);
  return name.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "") || "unknown";
}
