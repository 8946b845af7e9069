// What a command line asks for when it opens the browser: an application, the loopback port where it waits, its PKCE challenge
// and the name of its machine (R-E4). Every value is read strictly, since all of them come from outside. Must not know sessions.

import type { LoginTarget } from "../login/types.ts";

/** Where the answer goes once a person has confirmed. */
export type CliDelivery =
  /** By redirect to a port of the person's own machine (RFC 8252 section 7.3). */
  | { readonly kind: "loopback"; readonly redirectUri: string; readonly state: string }
  /** The command asks for it (RFC 8628); `grantId` names its waiting request. */
  | { readonly kind: "device"; readonly grantId: string };

/** A request that was read and found well-formed; travels sealed through the confirmation page. */
export interface CliRequest {
  readonly hostname: string;
  readonly path: string;
  /** Name of the asking machine, as it says. */
  readonly machine: string;
  /** base64url of the SHA-256 of the verifier (RFC 7636 section 4.2). */
  readonly challenge: string;
  readonly delivery: CliDelivery;
}

export type CliRequestResult =
  | { readonly kind: "request"; readonly request: CliRequest; readonly target: LoginTarget }
  /** `parameter` is the first one that cannot be used. */
  | { readonly kind: "invalid"; readonly parameter: string };

export type FindTarget = (hostname: string, path: string) => LoginTarget | undefined;

// R-E4: the two loopback addresses, never a name, and one path.
const REDIRECT_URI = /^http:\/\/(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})\/callback$/;
const MAX_PORT = 65_535;
const APPLICATION = /^https?:\/\/[^/?#@\\\s]+(?:\/[^?#\\\s]*)?$/;
const MAX_APPLICATION_LENGTH = 2_048;
const STATE = /^[A-Za-z0-9_-]{22,128}$/;
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const MACHINE = /^[A-Za-z0-9](?:[A-Za-z0-9 ._@-]{0,62}[A-Za-z0-9])?$/;

/** Reads the parameters of GET /.sallyport/cli. */
export function readLoopbackRequest(query: URLSearchParams, findTarget: FindTarget): CliRequestResult {
  const state = single(query, "state");
  const redirectUri = single(query, "redirect_uri");
  if (redirectUri === undefined || !isLoopbackRedirect(redirectUri)) return invalid("redirect_uri");
  if (state === undefined || !STATE.test(state)) return invalid("state");
  return read(query, findTarget, { kind: "loopback", redirectUri, state });
}

/** Reads the form of POST /.sallyport/cli/device. */
export function readDeviceRequest(form: URLSearchParams, findTarget: FindTarget, grantId: string): CliRequestResult {
  return read(form, findTarget, { kind: "device", grantId });
}

function read(parameters: URLSearchParams, findTarget: FindTarget, delivery: CliDelivery): CliRequestResult {
  const target = readApplication(single(parameters, "application"), findTarget);
  if (target === undefined) return invalid("application");
  const challenge = single(parameters, "code_challenge");
  // RFC 7636 section 4.3: absent means "plain", which is not offered.
  if (single(parameters, "code_challenge_method") !== "S256") return invalid("code_challenge_method");
  if (challenge === undefined || !CHALLENGE.test(challenge)) return invalid("code_challenge");
  const machine = single(parameters, "machine");
  if (machine === undefined || !MACHINE.test(machine)) return invalid("machine");
  const { hostname, applicationPath: path } = target;
  return { kind: "request", request: { hostname, path, machine, challenge, delivery }, target };
}

/** The application that serves a URL; undefined: none of ours. */
export function readApplication(text: string | undefined, findTarget: FindTarget): LoginTarget | undefined {
  if (text === undefined || text.length > MAX_APPLICATION_LENGTH || !APPLICATION.test(text)) return undefined;
  const url = URL.parse(text);
  const target = url === null ? undefined : findTarget(url.hostname, url.pathname);
  return target?.origin === url?.origin ? target : undefined;
}

export function isLoopbackRedirect(uri: string): boolean {
  const port = REDIRECT_URI.exec(uri)?.[1];
  return port !== undefined && Number(port) <= MAX_PORT;
}

/** The parameters again, in one spelling, for the way through sign-in. */
export function loopbackQuery({ machine, challenge, delivery }: CliRequest, target: LoginTarget): URLSearchParams {
  const { redirectUri = "", state = "" } = delivery.kind === "loopback" ? delivery : {};
  return new URLSearchParams({
    application: target.origin + target.applicationPath,
    redirect_uri: redirectUri,
    state,
    code_challenge: challenge,
    code_challenge_method: "S256",
    machine,
  });
}

/** A parameter that is there exactly once (RFC 6749 section 3.1). */
export function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  return values.length === 1 ? values[0] : undefined;
}

function invalid(parameter: string): CliRequestResult {
  return { kind: "invalid", parameter };
}
