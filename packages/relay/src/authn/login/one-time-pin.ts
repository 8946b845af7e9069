// The two forms of a sign-in with a one-time PIN: address, then code. Each has a token bound to this browser (R-H4), and what
// is between them travels sealed, bound to it too (R-F6). Must not know how codes are made, limited or sent.

import type { PinChecking, PinProvider } from "../provider.ts";
import { readIntent } from "./auth-host.ts";
import { isSameBinding, readBinding } from "./binding.ts";
import type { LoginContext } from "./context.ts";
import type { Intent } from "./intent.ts";
import { PIN_FORMS, pinCodePage, pinEmailPage, type PinEmailNote, signedInPage } from "./pages.ts";
import { isSameOrigin } from "./same-origin.ts";
import { startSession } from "./session-start.ts";
import type { LoginAnswer, LoginVisit } from "./types.ts";

/** A little longer than the code itself, so that it is the provider who says that it is over. */
const CHALLENGE_LIFETIME_MS = 660_000;
const MAX_EMAIL_LENGTH = 254;

interface Challenge {
  readonly p: string;
  readonly i: Intent;
  readonly b: string;
  /** Of the provider. */
  readonly c: string;
  readonly e: string;
}

/** POST /.sallyport/pin with `email`, or with `challenge` and `pin` */
export async function handlePin(context: LoginContext, visit: LoginVisit): Promise<LoginAnswer> {
  if (!isSameOrigin(visit.fields, context.services.authUrl().origin))
    return { kind: "refusal", code: "ERR_LOGIN_FORM", reason: "form-origin" };
  const challenge = visit.form.get("challenge");
  return challenge === null ? await send(context, visit) : check(context, visit, challenge);
}

async function send(context: LoginContext, visit: LoginVisit): Promise<LoginAnswer> {
  const found = readIntent(context, visit, visit.form);
  if (found.kind === "answer") return found.answer;
  const { intent } = found;
  const provider = pinProvider(context, visit.form.get("provider"));
  if (provider === undefined) return context.startAgain("pin-provider", visit, context.loginPage(intent));
  const email = (visit.form.get("email") ?? "").trim();
  const again = (note: PinEmailNote): LoginAnswer =>
    pinEmailPage(context, visit, intent, provider, { email: email.slice(0, MAX_EMAIL_LENGTH), ...note });
  const binding = readBinding(context.scheme, visit.fields);
  // The cookie may be of a newer tab, as with restored ones: nothing was sent, and the form that is shown now is this browser's.
  if (binding === undefined || !hasToken(context, visit, PIN_FORMS.email, binding)) {
    context.recordFailure(visit, provider.name, "form-token");
    return again({ problem: "Send it once more: sign-in began in another tab meanwhile, or cookies are blocked.", status: 403 });
  }
  if (!/^[^\s@]+@[^\s@]+$/.test(email) || Buffer.byteLength(JSON.stringify(email)) > MAX_EMAIL_LENGTH + 2)
    return again({ problem: "Enter an address like name@example.com.", status: 422 });
  const sending = await provider.send(email, visit.clientAddress);
  if (sending.kind === "limited") {
    context.recordFailure(visit, provider.name, "pin-limited");
    const { retryAfterS } = sending;
    return again({ problem: "Too many codes were asked for. Wait a few minutes.", status: 429, retryAfterS });
  }
  const sealed = sealChallenge(context, { p: provider.name, i: intent, b: binding, c: sending.challengeId, e: email });
  return pinCodePage(context, visit, intent, provider, { challenge: sealed, email });
}

function check(context: LoginContext, visit: LoginVisit, sealed: string): LoginAnswer {
  const opened = context.sealer.open<Challenge>("pin-challenge", sealed);
  if (opened.kind === "invalid") return context.startAgain("pin-invalid", visit, context.own("/login"));
  const { p, i: intent, b, c, e: email } = opened.content;
  const provider = pinProvider(context, p);
  if (opened.kind === "expired" || provider === undefined) return context.startAgain("pin-expired", visit, context.loginPage(intent));
  if (!isSameBinding(readBinding(context.scheme, visit.fields), b))
    return context.startAgain("pin-foreign", visit, context.loginPage(intent));
  if (!hasToken(context, visit, PIN_FORMS.code, b)) return { kind: "refusal", code: "ERR_LOGIN_FORM", reason: "form-token" };
  const result = provider.check(c, (visit.form.get("pin") ?? "").replace(/\s/g, ""), visit.clientAddress);
  if (result.kind === "login") return goOn(context, intent, startSession(context, visit, provider.name, result.login, intent));
  context.recordFailure(visit, provider.name, `pin-${result.kind}`);
  if (result.kind === "over")
    return pinEmailPage(context, visit, intent, provider, { problem: "That code is no longer good. Get a new one.", email, status: 403 });
  const { retryAfterS } = result;
  const note = { challenge: sealed, email, problem: codeProblem(result), status: result.kind === "early" ? 429 : 403, retryAfterS };
  return pinCodePage(context, visit, intent, provider, note);
}

function codeProblem(result: Extract<PinChecking, { readonly retryAfterS: number }>): string {
  const wait = result.retryAfterS === 1 ? "Wait a second" : `Wait ${result.retryAfterS} seconds`;
  if (result.kind === "early") return `That was too soon, and not looked at. ${wait}, then enter the code again.`;
  const left = `That is not the code. You have ${result.triesLeft === 1 ? "one try" : `${result.triesLeft} tries`} left.`;
  // A second is over before the code is typed.
  return result.retryAfterS === 1 ? left : `${left} ${wait} before the next.`;
}

function hasToken(context: LoginContext, visit: LoginVisit, action: string, binding: string): boolean {
  return context.formTokens.isValid(visit.form.get("token") ?? undefined, action, binding);
}

/** A redirect after a form must not leave its host. */
function goOn(context: LoginContext, intent: Intent, answer: LoginAnswer): LoginAnswer {
  if (answer.kind !== "own-redirect") return answer;
  const { origin, path } = answer.to;
  return signedInPage(context.target(intent)?.name, answer.to, origin + path, answer.fields);
}

function sealChallenge(context: LoginContext, challenge: Challenge): string {
  return context.sealer.seal("pin-challenge", challenge, CHALLENGE_LIFETIME_MS);
}

function pinProvider(context: LoginContext, name: string | null): PinProvider | undefined {
  const provider = context.provider(name ?? undefined);
  return provider?.kind === "pin" ? provider : undefined;
}
