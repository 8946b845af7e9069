// The words of sign-in: what it is told of a request, what it answers, and what it needs of the rest of the relay. Plain
// data on both sides, so that the flow runs the same under test as behind sockets. Must not know sockets or policies.

import type { Fields } from "@sallyport/shared/http/fields";
import type { Clock } from "@sallyport/shared/clock";
import type { RefusalCode } from "../../ingress/refusals.ts";
import type { OwnLocation } from "../../ingress/location.ts";
import type { EventFields } from "../../observe/record-line.ts";
import type { PublicOrigin } from "../../config/types.ts";
import type { PageParts } from "../../pages/layout.ts";
import type { ApplicationCookie } from "../cookies.ts";
import type { PersonIdentity } from "../identity.ts";
import type { IdentityProvider } from "../provider.ts";
import type { Session, SessionStore } from "../session.ts";

/** A request to one of sign-in's own paths. */
export interface LoginVisit {
  /** GET (HEAD counts as it) or POST. */
  readonly method: "GET" | "POST";
  /** Canonical host of the request, without port. */
  readonly hostname: string;
  readonly query: URLSearchParams;
  /** Of a POST; empty otherwise. */
  readonly form: URLSearchParams;
  readonly fields: Fields;
  readonly clientAddress: string;
  readonly requestId: string;
}

/** Where somebody wants to go: a path of an application, as its policies see it. */
export interface LoginTarget {
  readonly name: string;
  /** Origin of the host that was asked for; of a wildcard application, this host of it. */
  readonly origin: string;
  readonly hostname: string;
  /** Path prefix of the application, `/` or without trailing slash. */
  readonly applicationPath: string;
  /** Audience of its tokens. */
  readonly aud: string;
  readonly cookie: ApplicationCookie;
  /** What the policies say to this person, at this moment, from this address. */
  decide(session: Session, visit: LoginVisit): TargetDecision;
}

export type TargetDecision =
  | { readonly kind: "allow" }
  /** They would be let in with a newer login (A5). */
  | { readonly kind: "too-old" }
  /** `reason` for the record, `detail` for the person (R-M6). */
  | { readonly kind: "deny"; readonly reason: string; readonly detail: string };

export type LoginAnswer =
  | LoginPage
  | { readonly kind: "own-redirect"; readonly to: OwnLocation; readonly fields: Fields }
  /** To an identity provider; the URL comes from its adapter. */
  | { readonly kind: "provider-redirect"; readonly url: string; readonly fields: Fields }
  | { readonly kind: "json"; readonly status: number; readonly body: unknown; readonly fields: Fields }
  /** 204: for what the browser asks unseen. */
  | { readonly kind: "nothing"; readonly fields: Fields }
  | LoginRefusal;

/** One of our pages, before it is known how pages look here. */
export interface LoginPage extends PageParts {
  readonly kind: "page";
  readonly status: number;
  readonly fields: Fields;
  /** Goes on there by itself. */
  readonly continueTo?: OwnLocation | undefined;
}

/** An outcome of the refusal table. */
export interface LoginRefusal {
  readonly kind: "refusal";
  readonly code: RefusalCode;
  /** For the record. */
  readonly reason: string;
  /** For the visitor. */
  readonly detail?: string | undefined;
  readonly application?: string | undefined;
  readonly identity?: PersonIdentity | undefined;
  /** Where the visitor can begin again, or sign in as somebody else. */
  readonly startAgain?: OwnLocation | undefined;
  /** Begins again there by itself: only for what another tab of the same browser caused. */
  readonly continueTo?: OwnLocation | undefined;
  readonly fields?: Fields | undefined;
  readonly retryAfterS?: number | undefined;
}

/** What the flow is given by the composition root. */
export interface LoginServices {
  readonly clock: Clock;
  readonly sessions: SessionStore;
  /** Key material that no other purpose gets, 32 bytes each. */
  secret(purpose: string): Uint8Array;
  /** Of this moment; changes with the configuration. */
  authUrl(): PublicOrigin;
  providers(): ReadonlyMap<string, IdentityProvider>;
  /** Absolute life of a new session, in milliseconds. */
  sessionDurationMs(): number;
  /** The application at this path of this host (path with query, as forwarded); undefined: none. */
  findTarget(hostname: string, path: string): LoginTarget | undefined;
  /** Applications with a plain host name, for the launcher, in the order of the configuration. */
  targets(): Iterable<LoginTarget>;
  issueToken(session: Session, target: LoginTarget): Promise<string>;
  /** Ends what a session was given for one application; the session goes on. @throws ERR_STATE_WRITE */
  leave(session: Session, target: LoginTarget): void;
  /** Whose token this request's cookie holds for the application; undefined: nobody's that is valid. */
  sessionOf(fields: Fields, target: LoginTarget): Session | undefined;
  /** A security event, for the record. */
  event(type: string, actor: string, fields: EventFields): void;
  /** Something failed that the visitor is only told the code of. */
  onFault(requestId: string, error: unknown): void;
}
