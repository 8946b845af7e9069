// After sign-in, or with a session that is there already: is this person let in where they want to go? Then a hand-over to
// the application's host, else the page that says why not (A1). Decides nothing itself: the application's policies do.

import type { Fields } from "@sallyport/shared/http/fields";
import type { Session } from "../session.ts";
import type { LoginContext } from "./context.ts";
import { HOME, type Intent, sealIntent } from "./intent.ts";
import type { LoginAnswer, LoginTarget, LoginVisit } from "./types.ts";

/** The application's policies accept only a newer login: sign in again. */
export type ProceedResult = LoginAnswer | { readonly kind: "login-too-old" };

/** @param fields cookies to set with whatever is answered */
export function proceed(context: LoginContext, visit: LoginVisit, intent: Intent, session: Session, fields: Fields): ProceedResult {
  if (intent.kind === "own") return { kind: "own-redirect", to: context.own(intent.path), fields };
  const target = context.target(intent);
  if (target === undefined) return { kind: "own-redirect", to: context.own("/"), fields };
  const decision = target.decide(session, visit);
  if (decision.kind === "deny") return denied(context, intent, session, target, decision, fields);
  if (decision.kind === "too-old") return { kind: "login-too-old" };
  // Begun elsewhere than on the application's host: over there it begins anew, and ends at once.
  if (intent.binding === undefined) return { kind: "own-redirect", to: { origin: target.origin, path: intent.path }, fields };
  const code = context.handovers.issue({ hostname: target.hostname, path: intent.path, sessionId: session.id, binding: intent.binding });
  return { kind: "own-redirect", to: { origin: target.origin, path: `/.sallyport/callback?code=${code}` }, fields };
}

function denied(
  context: LoginContext,
  intent: Intent,
  { identity }: Session,
  target: LoginTarget,
  decision: { readonly reason: string; readonly detail: string },
  fields: Fields,
): LoginAnswer {
  const request = intent === HOME ? "" : `?request=${sealIntent(context.sealer, intent)}`;
  const startAgain = context.own(`/logout${request}`);
  const { reason, detail } = decision;
  return { kind: "refusal", code: "ERR_ACCESS_DENIED", reason, detail, application: target.name, identity, startAgain, fields };
}
