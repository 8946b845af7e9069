// The first page of the auth host: the applications that this person may open now, by the same decisions as their
// requests. Without a session, the way to one.

import type { LoginContext } from "./context.ts";
import { HOME } from "./intent.ts";
import { launcherPage } from "./pages.ts";
import type { LoginAnswer, LoginVisit } from "./types.ts";

/** Most applications on the page; each costs a decision. */
export const MAX_LAUNCHER_ENTRIES = 500;

/** GET / */
export function showLauncher(context: LoginContext, visit: LoginVisit): LoginAnswer {
  const session = context.session(visit.fields);
  if (session === undefined) return { kind: "own-redirect", to: context.loginPage(HOME), fields: [] };
  const open = [];
  for (const target of context.services.targets()) {
    if (open.length === MAX_LAUNCHER_ENTRIES) break;
    if (target.decide(session, visit).kind !== "deny") open.push(target);
  }
  return launcherPage(session, open);
}
