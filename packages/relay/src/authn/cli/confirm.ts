// The person's part: sign in where needed, see which machine asks, decide (R-E4). The decision is a POST from our own page
// (R-H4), used once; what the command gets for it is a code, never a token.

import { sourceOf } from "@sallyport/shared/http/source";
import { MAX_RETURN_BYTES, sealIntent } from "../login/intent.ts";
import { isSameOrigin } from "../login/same-origin.ts";
import type { LoginAnswer, LoginRefusal, LoginTarget, LoginVisit } from "../login/types.ts";
import type { Session } from "../session.ts";
import type { CliContext } from "./context.ts";
import type { DeviceGrant } from "./device-grants.ts";
import { CLI_CODE_PATH, CLI_PATH, codePage, confirmPage, donePage } from "./pages.ts";
import { type CliRequest, loopbackQuery, readLoopbackRequest, single } from "./request.ts";

const CONFIRM_LIFETIME_MS = 600_000;
const CONFIRM = "cli-confirm";
const ENTER_CODE = "cli-code";

/** GET /.sallyport/cli, as `sallyport access login` opens it. */
export function showConfirmation(context: CliContext, visit: LoginVisit): LoginAnswer {
  const read = readLoopbackRequest(visit.query, context.findTarget);
  if (read.kind === "invalid") return invalid(context, visit, `cli-${read.parameter}`, `The parameter ${read.parameter} cannot be used.`);
  const path = `${CLI_PATH}?${loopbackQuery(read.request, read.target).toString()}`;
  if (path.length > MAX_RETURN_BYTES) return invalid(context, visit, "cli-length", "The request is too long.");
  const session = context.login.session(visit.fields);
  if (session === undefined) return signIn(context, path, false);
  return confirm(context, visit, session, { ...read, path });
}

/** GET /.sallyport/cli/code */
export function showCodeForm(context: CliContext, visit: LoginVisit): LoginAnswer {
  const session = context.login.session(visit.fields);
  if (session === undefined) return signIn(context, CLI_CODE_PATH, false);
  return codePage(context.login.formTokens.issue(ENTER_CODE, session.id));
}

/** POST /.sallyport/cli/code: changes nothing, shows who asks. */
export function enterCode(context: CliContext, visit: LoginVisit): LoginAnswer {
  const session = context.login.session(visit.fields);
  if (session === undefined) return signIn(context, CLI_CODE_PATH, false);
  const problem = formProblem(context, visit, ENTER_CODE, session);
  if (problem !== undefined) return problem;
  const token = context.login.formTokens.issue(ENTER_CODE, session.id);
  const { provider, subject } = session.identity;
  const keys = [`person ${provider}|${subject}`, `address ${visit.clientAddress}`];
  if (!keys.every((key) => context.tries.mayTry(key)))
    return codePage(token, { text: "Too many wrong codes. Wait a quarter of an hour.", status: 429 });
  const grant = context.devices.find(single(visit.form, "code") ?? "");
  const target = grant === undefined ? undefined : context.findTarget(grant.request.hostname, grant.request.path);
  if (grant === undefined || target === undefined) {
    for (const key of keys) context.tries.failed(key);
    return codePage(token, { text: "No command line waits under this code. Codes are good for 10 minutes.", status: 403 });
  }
  return confirm(context, visit, session, { request: grant.request, target, path: CLI_CODE_PATH, device: grant });
}

/** POST /.sallyport/cli: the decision. */
export function decide(context: CliContext, visit: LoginVisit): LoginAnswer {
  const session = context.login.session(visit.fields);
  const opened = context.login.sealer.open<CliRequest>("cli-request", visit.form.get("request") ?? undefined);
  if (session === undefined || opened.kind !== "open")
    return invalid(context, visit, `cli-${session === undefined ? "signed-out" : opened.kind}`);
  const problem = formProblem(context, visit, CONFIRM, session);
  if (problem !== undefined) return problem;
  const claim = context.login.usedStates.claim(opened.id, opened.expiresAt, sourceOf(visit.clientAddress));
  if (claim !== "claimed") return invalid(context, visit, `cli-${claim}`);
  const request = opened.content;
  const target = context.findTarget(request.hostname, request.path);
  if (target === undefined) return invalid(context, visit, "cli-application");
  const allowed = visit.form.get("decision") === "allow";
  if (allowed && target.decide(session, visit).kind !== "allow") return invalid(context, visit, "cli-denied");
  context.event(allowed ? "cli.allowed" : "cli.denied", visit, session, { machine: request.machine, application: target.name });
  return deliver(context, visit, { request, session, allowed });
}

interface Decided {
  readonly request: CliRequest;
  readonly session: Session;
  readonly allowed: boolean;
}

function deliver(context: CliContext, visit: LoginVisit, { request, session, allowed }: Decided): LoginAnswer {
  const { delivery, machine, hostname, path, challenge } = request;
  if (delivery.kind === "device") {
    const grant = context.devices.decide(delivery.grantId, allowed ? session.id : undefined);
    return grant === undefined ? invalid(context, visit, "cli-over") : donePage(machine, allowed);
  }
  const answer = new URLSearchParams({ state: delivery.state });
  if (allowed) answer.set("code", context.codes.issue({ sessionId: session.id, hostname, path, machine, challenge }, delivery.redirectUri));
  else answer.set("error", "access_denied");
  const { origin, pathname } = new URL(delivery.redirectUri);
  return donePage(machine, allowed, { origin, path: `${pathname}?${answer.toString()}` });
}

interface Asked {
  readonly request: CliRequest;
  readonly target: LoginTarget;
  /** Where to come back to after another sign-in. */
  readonly path: string;
  readonly device?: DeviceGrant;
}

function confirm(context: CliContext, visit: LoginVisit, session: Session, { request, target, path, device }: Asked): LoginAnswer {
  const decision = target.decide(session, visit);
  if (decision.kind === "too-old") return signIn(context, path, true);
  if (decision.kind === "deny") {
    const startAgain = context.login.own(`/logout?request=${sealIntent(context.login.sealer, { kind: "own", path })}`);
    const { reason, detail } = decision;
    return { kind: "refusal", code: "ERR_ACCESS_DENIED", reason, detail, application: target.name, identity: session.identity, startAgain };
  }
  const sealed = context.login.sealer.seal("cli-request", request, CONFIRM_LIFETIME_MS);
  const requestedAt = new Date(device?.requestedAt ?? context.login.services.clock.now());
  return confirmPage({ request, target, session, sealed, token: context.login.formTokens.issue(CONFIRM, session.id), requestedAt, device });
}

function signIn(context: CliContext, path: string, again: boolean): LoginAnswer {
  return { kind: "own-redirect", to: context.login.loginPage({ kind: "own", path }, again ? { again: "1" } : {}), fields: [] };
}

function formProblem(context: CliContext, visit: LoginVisit, action: string, session: Session): LoginRefusal | undefined {
  const refuse = (reason: string): LoginRefusal => ({ kind: "refusal", code: "ERR_LOGIN_FORM", reason });
  if (!isSameOrigin(visit.fields, context.login.services.authUrl().origin)) return refuse("form-origin");
  return context.login.formTokens.isValid(visit.form.get("token") ?? undefined, action, session.id) ? undefined : refuse("form-token");
}

function invalid(context: CliContext, visit: LoginVisit, reason: string, detail = "Run `sallyport access login` again."): LoginRefusal {
  const { clientAddress: sourceIp, requestId } = visit;
  context.login.services.event("login.refused", "relay", { reason, sourceIp, requestId });
  return { kind: "refusal", code: "ERR_LOGIN_STATE", reason, detail };
}
