// What a sign-out makes the browser forget (A8): browsers keep pages for Back, whatever Cache-Control says of them, and only
// an answer of the page's own host can empty what is kept of it (Clear Site Data, section 3.1). So the page that ends a
// sign-out has the browser ask each application's host once.

import type { Fields } from "@sallyport/shared/http/fields";
import type { Session } from "../session.ts";
import { hostTarget } from "./application-host.ts";
import type { LoginContext } from "./context.ts";
import { openTargets } from "./launcher.ts";
import type { LoginAnswer, LoginTarget, LoginVisit } from "./types.ts";
import { MAX_VISITED } from "./visited.ts";

export const FORGET_PATH = "/.sallyport/signed-out";

export const FORGET_PAGES: Fields = ["Clear-Site-Data", '"cache"'];

/**
 * What the browser has to ask: where this session was signed in; of a session from before this process began, where it may
 * have been, wildcard applications left out.
 */
export function pagesToForget(context: LoginContext, visit: LoginVisit, session: Session): readonly string[] {
  const places = context.visited.take(session.id) ?? openTargets(context, visit, session, MAX_VISITED).map(placeOf);
  return places.map((place) => {
    const { origin, pathname } = new URL(place);
    return `${origin}${FORGET_PATH}?${new URLSearchParams({ path: pathname }).toString()}`;
  });
}

function placeOf({ origin, applicationPath }: LoginTarget): string {
  return origin + applicationPath;
}

/**
 * GET /.sallyport/signed-out. Anybody's page may ask: somebody who is signed in loses nothing by it, and for everybody else
 * the browser only has to load again what it loads.
 */
export function forgetPages(context: LoginContext, visit: LoginVisit): LoginAnswer {
  const target = hostTarget(context, visit);
  if (target === undefined) return { kind: "refusal", code: "ERR_AUTH_PAGE_UNKNOWN", reason: "no-application" };
  return { kind: "nothing", fields: context.services.sessionOf(visit.fields, target) === undefined ? FORGET_PAGES : [] };
}
