// The way to a provider and back: the state parameter is the sealed attempt itself, bound to this browser and good for one
// use (R-F1). On the way back it is judged before the code is looked at (R-F2).

import { randomBytes } from "node:crypto";
import { sourceOf } from "@sallyport/shared/http/source";
import type { LoginAttempt, LoginProblem, RedirectProvider } from "../provider.ts";
import { ensureBinding, isSameBinding, readBinding } from "./binding.ts";
import type { LoginContext } from "./context.ts";
import { HOME, INTENT_LIFETIME_MS, type Intent } from "./intent.ts";
import { proceed } from "./proceed.ts";
import { startSession } from "./session-start.ts";
import type { LoginAnswer, LoginVisit } from "./types.ts";

interface ProviderState {
  /** Provider name: the answer must come to the path of the same one (mix-up, R-F4). */
  readonly p: string;
  readonly i: Intent;
  /** Of the login cookie on the auth host. */
  readonly b: string;
  readonly n: string;
  readonly v: string;
  /** A session that lives is not enough: another account was asked for, or a newer login. */
  readonly r?: true;
}

const SECRET_BYTES = 32;
/** Parameters of an authorization response (RFC 6749 section 4.1.2, RFC 9207): at most once each. */
const SINGLE_PARAMETERS = ["state", "code", "error", "iss", "error_description", "session_state"] as const;

/** Sends the browser to the provider. @throws what the provider throws when it cannot be reached */
export async function beginAtProvider(
  context: LoginContext,
  visit: LoginVisit,
  intent: Intent,
  provider: RedirectProvider,
  renew: boolean,
): Promise<LoginAnswer> {
  const binding = ensureBinding(context.scheme, visit.fields);
  const nonce = random();
  const codeVerifier = random();
  const content: ProviderState = { p: provider.name, i: intent, b: binding.hash, n: nonce, v: codeVerifier, ...(renew ? { r: true } : {}) };
  const state = context.sealer.seal("provider-state", content, INTENT_LIFETIME_MS);
  const url = await provider.begin({ state, nonce, codeVerifier }, redirectUri(context, provider.name));
  return { kind: "provider-redirect", url: renew ? askAgain(url) : url, fields: binding.fields };
}

/** GET /callback/PROVIDER */
export async function finishAtProvider(context: LoginContext, visit: LoginVisit, providerName: string): Promise<LoginAnswer> {
  const text = visit.query.get("state") ?? undefined;
  const opened = context.sealer.open<ProviderState>("provider-state", text);
  const intent = opened.kind === "invalid" ? HOME : opened.content.i;
  const refuse = (reason: string, automatic = false): LoginAnswer => refuseCallback(context, visit, intent, reason, automatic);
  if (opened.kind !== "open" || text === undefined) return refuse(`state-${opened.kind}`);
  const state = opened.content;
  const provider = context.provider(providerName);
  if (provider?.kind !== "redirect" || state.p !== providerName) return refuse("state-provider");
  const problem = parameterProblem(visit.query);
  if (problem !== undefined) return refuse(problem);
  const goOn = state.r === true ? undefined : withSession(context, visit, intent);
  if (goOn !== undefined) return goOn;
  const binding = readBinding(context.scheme, visit.fields);
  // A browser that has another binding by now got it in a parallel tab, as restored ones do: it begins again by itself.
  if (!isSameBinding(binding, state.b)) return refuse("state-foreign", mayRestart(context, binding, intent));
  const claim = context.usedStates.claim(opened.id, opened.expiresAt, sourceOf(visit.clientAddress));
  if (claim !== "claimed") return refuse(`state-${claim}`);
  return await redeem(context, visit, provider, { state: text, nonce: state.n, codeVerifier: state.v }, intent);
}

async function redeem(
  context: LoginContext,
  visit: LoginVisit,
  provider: RedirectProvider,
  attempt: LoginAttempt,
  intent: Intent,
): Promise<LoginAnswer> {
  const callback = new URL(redirectUri(context, provider.name));
  callback.search = visit.query.toString();
  const result = await provider.finish(attempt, callback);
  if (result.kind === "login") return startSession(context, visit, provider.name, result.login, intent);
  context.recordFailure(visit, provider.name, result.problem, result.detail);
  const { code } = PROBLEMS[result.problem];
  return {
    kind: "refusal",
    code,
    reason: result.problem,
    detail: result.detail,
    application: context.target(intent)?.name,
    startAgain: context.loginPage(intent),
  };
}

const PROBLEMS: Readonly<Record<LoginProblem, { readonly code: "ERR_LOGIN_REFUSED" | "ERR_LOGIN_PROVIDER" | "ERR_LOGIN_PROVIDER_DOWN" }>> =
  {
    "refused-by-provider": { code: "ERR_LOGIN_REFUSED" },
    "provider-unreachable": { code: "ERR_LOGIN_PROVIDER_DOWN" },
    "provider-invalid": { code: "ERR_LOGIN_PROVIDER" },
    "identity-unusable": { code: "ERR_LOGIN_REFUSED" },
  };

/** Odd input never makes a session; with one that lives there is nothing to begin again (R-F1). */
function refuseCallback(context: LoginContext, visit: LoginVisit, intent: Intent, reason: string, automatic: boolean): LoginAnswer {
  return withSession(context, visit, intent) ?? context.startAgain(reason, visit, context.loginPage(intent), automatic);
}

function withSession(context: LoginContext, visit: LoginVisit, intent: Intent): LoginAnswer | undefined {
  const session = context.session(visit.fields);
  if (session === undefined) return undefined;
  const next = proceed(context, visit, intent, session, []);
  return next.kind === "login-too-old" ? undefined : next;
}

function mayRestart(context: LoginContext, binding: string | undefined, intent: Intent): boolean {
  if (binding === undefined) return false;
  const { origin, path } = context.place(intent);
  if (context.loops.isLooping(binding, origin + path)) return false;
  context.loops.completed(binding, origin + path);
  return true;
}

function parameterProblem(query: URLSearchParams): string | undefined {
  if (SINGLE_PARAMETERS.some((name) => query.getAll(name).length > 1)) return "callback-duplicate";
  return query.has("code") === query.has("error") ? "callback-code-and-error" : undefined;
}

function redirectUri(context: LoginContext, provider: string): string {
  return `${context.services.authUrl().origin}/callback/${provider}`;
}

/** OpenID Connect Core section 3.1.2.1: without it a provider whose own session lives would give the same person again. */
function askAgain(url: string): string {
  const parsed = new URL(url);
  const scopes = parsed.searchParams.get("scope")?.split(" ") ?? [];
  if (scopes.includes("openid")) parsed.searchParams.set("prompt", "login");
  return parsed.href;
}

function random(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}
