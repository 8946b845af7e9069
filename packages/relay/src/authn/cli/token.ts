// The command's part: asks for a user code (RFC 8628), exchanges what a person confirmed for an application token (RFC 6749
// section 4.1.3, RFC 7636), and gives the token back at logout. No cookie counts here and no browser page may ask.

import { allValues } from "@sallyport/shared/http/fields";
import { tokenEnd } from "../application-token.ts";
import type { LoginAnswer, LoginVisit } from "../login/types.ts";
import type { CliGrant } from "./codes.ts";
import type { CliContext } from "./context.ts";
import { DEVICE_GRANT_LIFETIME_MS, DEVICE_POLL_INTERVAL_S, DeviceGrants } from "./device-grants.ts";
import { CLI_CODE_PATH } from "./pages.ts";
import { readApplication, readDeviceRequest, single } from "./request.ts";

/** Error codes of RFC 6749 section 5.2 and RFC 8628 section 3.5. */
type OAuthError =
  | "invalid_request"
  | "invalid_grant"
  | "unsupported_grant_type"
  | "access_denied"
  | "authorization_pending"
  | "slow_down"
  | "temporarily_unavailable";

const DEVICE_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code";

/** POST /.sallyport/cli/device */
export function startDevice(context: CliContext, visit: LoginVisit): LoginAnswer {
  if (isFromPage(visit)) return fail("invalid_request", "Browser pages cannot ask.");
  const id = DeviceGrants.newId();
  const read = readDeviceRequest(visit.form, context.findTarget, id);
  if (read.kind === "invalid") return fail("invalid_request", `The parameter ${read.parameter} cannot be used.`);
  const started = context.devices.start(id, read.request, visit.clientAddress);
  if (started === undefined)
    return fail("temporarily_unavailable", "Too many command lines wait for a person; try again in some minutes.", 503);
  const body = {
    device_code: started.deviceCode,
    user_code: started.grant.userCode,
    verification_uri: context.login.services.authUrl().origin + CLI_CODE_PATH,
    expires_in: DEVICE_GRANT_LIFETIME_MS / 1_000,
    interval: DEVICE_POLL_INTERVAL_S,
  };
  return { kind: "json", status: 200, body, fields: [] };
}

/** POST /.sallyport/cli/token */
export async function exchange(context: CliContext, visit: LoginVisit): Promise<LoginAnswer> {
  if (isFromPage(visit)) return fail("invalid_request", "Browser pages cannot ask.");
  const { form } = visit;
  const verifier = single(form, "code_verifier") ?? "";
  switch (single(form, "grant_type")) {
    case "authorization_code": {
      const grant = context.codes.take(single(form, "code") ?? "", verifier, single(form, "redirect_uri") ?? "");
      return grant === undefined ? fail("invalid_grant") : await signInCommand(context, visit, grant);
    }
    case DEVICE_GRANT_TYPE: {
      const answer = context.devices.ask(single(form, "device_code") ?? "", verifier);
      return answer.kind === "granted" ? await signInCommand(context, visit, answer.grant) : fail(DEVICE_ERRORS[answer.kind]);
    }
    default:
      return fail("unsupported_grant_type");
  }
}

const DEVICE_ERRORS = {
  pending: "authorization_pending",
  "slow-down": "slow_down",
  denied: "access_denied",
  unknown: "invalid_grant",
} as const satisfies Record<string, OAuthError>;

/** The token belongs to the session of the browser that confirmed: it ends with it, and claims stay as fresh as there (A4). */
async function signInCommand(context: CliContext, visit: LoginVisit, grant: CliGrant): Promise<LoginAnswer> {
  const { services } = context.login;
  const session = services.sessions.get(grant.sessionId);
  const target = context.findTarget(grant.hostname, grant.path);
  if (session === undefined || target === undefined) return fail("invalid_grant");
  const token = await services.issueToken(session, target);
  context.event("cli.signed-in", visit, session, { machine: grant.machine, application: target.name });
  const nowMs = services.clock.now();
  const body = {
    access_token: token,
    token_type: "Bearer",
    expires_in: Math.max(1, Math.floor((tokenEnd(session, nowMs) - nowMs) / 1_000)),
    application: target.origin + target.applicationPath,
    email: session.identity.email,
  };
  return { kind: "json", status: 200, body, fields: [] };
}

/**
 * POST /.sallyport/cli/logout with `application` and `token` (RFC 7009). What the session has for this application ends; the
 * browser that confirmed stays signed in.
 */
export function logoutCommand(context: CliContext, visit: LoginVisit): LoginAnswer {
  if (isFromPage(visit)) return fail("invalid_request", "Browser pages cannot ask.");
  const target = readApplication(single(visit.form, "application"), context.findTarget);
  const session = target === undefined ? undefined : context.sessionOfToken(single(visit.form, "token") ?? "", target);
  // RFC 7009 section 2.2: a token that is not valid (any more) is a success, too.
  if (target !== undefined && session !== undefined) {
    context.login.services.leave(session, target);
    context.event("logout.application", visit, session, { application: target.name });
  }
  return { kind: "json", status: 200, body: { signed_out: session !== undefined }, fields: [] };
}

/** Programs send neither of these; every browser sends one with a cross-site POST (Fetch standard). */
function isFromPage({ fields }: LoginVisit): boolean {
  return allValues(fields, "origin").length + allValues(fields, "sec-fetch-site").length > 0;
}

function fail(error: OAuthError, description?: string, status = 400): LoginAnswer {
  return { kind: "json", status, body: description === undefined ? { error } : { error, error_description: description }, fields: [] };
}
