// Sign-in on an application's host: where a visitor without a token is sent away from, and where they come back to with a
// hand-over code (A1, R-H2). Also who they are, for scripts of the application. Must not know providers.

import type { Fields } from "@sallyport/shared/http/fields";
import { tokenEnd } from "../application-token.ts";
import { setApplicationCookie } from "../cookies.ts";
import type { Session } from "../session.ts";
import { ensureBinding, readBinding } from "./binding.ts";
import type { LoginContext } from "./context.ts";
import type { Handover } from "./handover.ts";
import { applicationIntent } from "./intent.ts";
import type { LoginAnswer, LoginTarget, LoginVisit } from "./types.ts";

/** A navigation without a usable token: to the auth host, with the page to come back to sealed. */
export function sendToLogin(context: LoginContext, target: LoginTarget, path: string, fields: Fields): LoginAnswer {
  const binding = ensureBinding(context.scheme, fields);
  if (context.loops.isLooping(binding.hash, target.origin + path)) {
    return {
      kind: "refusal",
      code: "ERR_LOGIN_LOOP",
      reason: "login-loop",
      application: target.name,
      startAgain: { origin: target.origin, path },
    };
  }
  return { kind: "own-redirect", to: context.loginPage(applicationIntent(target.hostname, path, binding.hash)), fields: binding.fields };
}

/** Where a program's user can sign in: leads to the application's first page. */
export function loginUrl(context: LoginContext, target: LoginTarget): string {
  const to = `${target.origin}${target.applicationPath}`;
  return `${context.services.authUrl().origin}/login?to=${encodeURIComponent(to)}`;
}

/** GET /.sallyport/callback?code=CODE */
export async function finishAtApplication(context: LoginContext, visit: LoginVisit): Promise<LoginAnswer> {
  const codes = visit.query.getAll("code");
  const root = rootOf(context, visit);
  if (codes.length !== 1) return refuse(context, visit, "handover-missing", root);
  const binding = readBinding(context.scheme, visit.fields);
  const taken = context.handovers.take(codes[0] as string, visit.hostname, binding);
  if (taken.kind === "unknown") return refuse(context, visit, "handover-unknown", root);
  const path = taken.kind === "foreign" ? taken.path : taken.handover.path;
  const target = context.services.findTarget(visit.hostname, path);
  if (target === undefined) return refuse(context, visit, "handover-application", root);
  if (taken.kind === "foreign") return foreign(context, visit, target, path, binding);
  const session = context.services.sessions.get(taken.handover.sessionId);
  if (session === undefined) return refuse(context, visit, "handover-session", { target, path });
  return await handOver(context, taken.handover, target, session);
}

async function handOver(context: LoginContext, handover: Handover, target: LoginTarget, session: Session): Promise<LoginAnswer> {
  const { path, binding } = handover;
  const value = await context.services.issueToken(session, target);
  context.loops.completed(binding, target.origin + path);
  context.visited.add(session.id, target.origin + target.applicationPath);
  const nowMs = context.services.clock.now();
  const cookie = setApplicationCookie(target.cookie, value, tokenEnd(session, nowMs), nowMs);
  return { kind: "own-redirect", to: { origin: target.origin, path }, fields: ["Set-Cookie", cookie] };
}

interface Root {
  readonly target: LoginTarget | undefined;
  readonly path: string;
}

/** A code of another browser makes nobody signed in here. Where this browser is signed in, or has another tab, it goes on as itself. */
function foreign(context: LoginContext, visit: LoginVisit, target: LoginTarget, path: string, binding: string | undefined): LoginAnswer {
  const to = { origin: target.origin, path };
  if (context.services.sessionOf(visit.fields, target) !== undefined) return { kind: "own-redirect", to, fields: [] };
  const automatic = binding !== undefined && !context.loops.isLooping(binding, to.origin + path);
  if (binding !== undefined && automatic) context.loops.completed(binding, to.origin + path);
  return { ...context.startAgain("handover-foreign", visit, to, automatic), application: target.name };
}

function refuse(context: LoginContext, visit: LoginVisit, reason: string, { target, path }: Root): LoginAnswer {
  if (target === undefined) return context.startAgain(reason, visit, context.own("/"));
  const to = { origin: target.origin, path };
  if (context.services.sessionOf(visit.fields, target) !== undefined) return { kind: "own-redirect", to, fields: [] };
  return { ...context.startAgain(reason, visit, to), application: target.name };
}

function rootOf(context: LoginContext, visit: LoginVisit): Root {
  return { target: context.services.findTarget(visit.hostname, "/"), path: "/" };
}

/** GET /.sallyport/identity: who is signed in at this host, without anything that could be used elsewhere (R-H8). */
export function showIdentity(context: LoginContext, visit: LoginVisit): LoginAnswer {
  const target = hostTarget(context, visit);
  const session = target === undefined ? undefined : context.services.sessionOf(visit.fields, target);
  if (target === undefined || session === undefined) return { kind: "refusal", code: "ERR_LOGIN_REQUIRED", reason: "login-required" };
  const { provider, subject, email, name, groups } = session.identity;
  const body = { provider, subject, email, name, groups, expires_at: new Date(session.expiresAt).toISOString() };
  return { kind: "json", status: 200, body, fields: [] };
}

/** The application whose token counts for the host's own paths: that at `path` of the query (default `/`). */
export function hostTarget(context: LoginContext, visit: LoginVisit): LoginTarget | undefined {
  const path = visit.query.get("path") ?? "/";
  return context.services.findTarget(visit.hostname, path.startsWith("/") ? path : "/");
}
