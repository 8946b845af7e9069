// What the steps of sign-in share: sealing, single use, hand-over codes, the loop guard, and small answers that several of
// them give. One instance per relay.

import { readCookie } from "@sallyport/shared/http/cookies";
import type { Fields } from "@sallyport/shared/http/fields";
import type { OwnLocation } from "../../ingress/location.ts";
import { clearCookie, cookieNames, setCookie, type CookieScheme } from "../cookies.ts";
import type { IdentityProvider } from "../provider.ts";
import type { Session } from "../session.ts";
import { Handovers } from "./handover.ts";
import { HOME, type Intent, sealIntent } from "./intent.ts";
import { LoopGuard } from "./loop-guard.ts";
import { FormTokens } from "./same-origin.ts";
import { Sealer } from "./sealed.ts";
import { SingleUse } from "./single-use.ts";
import type { LoginRefusal, LoginServices, LoginTarget, LoginVisit } from "./types.ts";
import { Visited } from "./visited.ts";

const MS_PER_SECOND = 1_000;
const MAX_DETAIL = 200;

export class LoginContext {
  readonly services: LoginServices;
  readonly sealer: Sealer;
  readonly usedStates: SingleUse;
  readonly handovers: Handovers;
  readonly loops: LoopGuard;
  readonly formTokens: FormTokens;
  readonly visited: Visited = new Visited();

  constructor(services: LoginServices) {
    const { clock } = services;
    this.services = services;
    this.sealer = new Sealer(services.secret("login-state"), clock);
    this.formTokens = new FormTokens(services.secret("form-token"));
    this.usedStates = new SingleUse(clock);
    this.handovers = new Handovers(clock);
    this.loops = new LoopGuard(clock);
  }

  get scheme(): CookieScheme {
    return this.services.authUrl().scheme;
  }

  /** The login that this browser has on the auth host. */
  session(fields: Fields): Session | undefined {
    const cookie = readCookie(fields, cookieNames(this.scheme).session);
    return cookie.kind === "value" ? this.services.sessions.bySecret(cookie.value) : undefined;
  }

  setSessionCookie(session: Session, secret: string): Fields {
    const { scheme } = this;
    return ["Set-Cookie", setCookie({ scheme, name: cookieNames(scheme).session, value: secret, maxAgeS: this.secondsLeft(session) })];
  }

  clearSessionCookie(): Fields {
    const { scheme } = this;
    return ["Set-Cookie", clearCookie(scheme, cookieNames(scheme).session)];
  }

  secondsLeft(session: Session): number {
    return Math.max(1, Math.ceil((session.expiresAt - this.services.clock.now()) / MS_PER_SECOND));
  }

  provider(name: string | undefined): IdentityProvider | undefined {
    return name === undefined ? undefined : this.services.providers().get(name);
  }

  /** The application that an intent leads to; undefined: a page of the auth host, or an application that is gone. */
  target(intent: Intent): LoginTarget | undefined {
    return intent.kind === "application" ? this.services.findTarget(intent.hostname, intent.path) : undefined;
  }

  /** The page that the visitor wants, as a place. */
  place(intent: Intent): OwnLocation {
    if (intent.kind === "own") return this.own(intent.path);
    const target = this.target(intent);
    return target === undefined ? this.own("/") : { origin: target.origin, path: intent.path };
  }

  own(path: string): OwnLocation {
    return { origin: this.services.authUrl().origin, path };
  }

  /** Sign-in for an intent, from its beginning. */
  loginPage(intent: Intent, more: Readonly<Record<string, string>> = {}): OwnLocation {
    const parameters = new URLSearchParams(intent === HOME ? {} : { request: sealIntent(this.sealer, intent) });
    for (const [name, value] of Object.entries(more)) parameters.set(name, value);
    return this.own(parameters.size === 0 ? "/login" : `/login?${parameters.toString()}`);
  }

  /** "Something about this sign-in does not fit: start again", which is where every odd input ends (R-F1). */
  startAgain(reason: string, visit: LoginVisit, startAgain: OwnLocation, automatic = false): LoginRefusal {
    this.services.event("login.refused", "relay", { reason, sourceIp: visit.clientAddress, requestId: visit.requestId });
    const base: LoginRefusal = { kind: "refusal", code: "ERR_LOGIN_STATE", reason, startAgain };
    return automatic ? { ...base, continueTo: startAgain } : base;
  }

  /** A login that came to nothing: an event of its own. @param detail what the provider said, where it said something */
  recordFailure(visit: LoginVisit, provider: string, reason: string, detail = ""): void {
    const { clientAddress: sourceIp, requestId } = visit;
    this.services.event("login.failed", "relay", { provider, reason, detail: detail.slice(0, MAX_DETAIL), sourceIp, requestId });
  }
}
