// The first page of the auth host: the applications that this person may open now, by the same decisions as their
// requests. Without a session, the way to one.

import type { LoginContext } from "./context.ts";
import { HOME } from "./intent.ts";
import { launcherPage } from "./pages.ts";
import type { Session } from "../session.ts";
import type { LoginAnswer, LoginTarget, LoginVisit } from "./types.ts";

/** Most applications on the page; each costs a decision. */
export const MAX_LAUNCHER_ENTRIES = 500;

/** GET / */
export function showLauncher(context: LoginContext, visit: LoginVisit): LoginAnswer {
  const session = context.session(visit.fields);
  if (session === undefined) return { kind: "own-redirect", to: context.loginPage(HOME), fields: [] };
  return launcherPage(session, openTargets(context, visit, session, MAX_LAUNCHER_ENTRIES));
}

/** The first `max` applications that this person may open, in the order of the configuration. */
export function openTargets(context: LoginContext, visit: LoginVisit, session: Session, max: number): readonly LoginTarget[] {
  const open = [];
  for (const target of context.services.targets()) {
    if (open.length === max) break;
    if (target.decide(session, visit).kind !== "deny") open.push(target);
  }
  return open;
}
