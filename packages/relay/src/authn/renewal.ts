// Keeps logins current without the person noticing (A4, R-F9): a token past its renewal time is replaced on the answer,
// and the provider is asked again about the person in the background. Must not know cookies, HTTP or the providers' protocols.

import type { Clock } from "@sallyport/shared/clock";
import type { PersonIdentity } from "./identity.ts";
import type { IdentityProvider, ProviderIdentity, RefreshResult } from "./provider.ts";
import type { Session, SessionEnd, SessionStore } from "./session.ts";

/** A token this old is replaced by the next answer. */
export const TOKEN_RENEWAL_MS: number = 15 * 60_000;
/** Claims this old are refreshed: before the renewal that they are needed for. */
const CLAIMS_REFRESH_MS = 10 * 60_000;
/** After a failed refresh the provider is left alone for this long. */
const RETRY_MS = 30_000;
/** Refreshes at one time, over all sessions; others wait for the next request. */
const MAX_REFRESHING = 256;
/** One refresh takes no longer. */
const TIMEOUT_MS = 15_000;

/** Asks the provider of a session about its person. Never throws for what providers do. */
export type ClaimsSource = (session: Session, refreshToken: string | undefined, signal: AbortSignal) => Promise<RefreshResult>;

const CANNOT_ASK: RefreshResult = { kind: "unsupported" };

/** Asks the providers of the moment; one-time PINs prove an address once and cannot be asked again. */
export function claimsSourceOf(providers: () => ReadonlyMap<string, IdentityProvider>): ClaimsSource {
  return ({ identity }, refreshToken, signal) => {
    const provider = providers().get(identity.provider);
    return provider?.kind === "redirect" ? provider.refresh(refreshToken, identity.subject, signal) : Promise.resolve(CANNOT_ASK);
  };
}

export type ClaimsState =
  /** As good as they have to be. */
  | "current"
  /** Too old: whoever wants to use the session waits for {@link ClaimsRefresher.confirm}. */
  | "outdated";

export interface ClaimsRefresherOptions {
  readonly sessions: Pick<SessionStore, "get" | "updateClaims" | "refreshToken" | "end" | "onChanged">;
  readonly source: ClaimsSource;
  readonly clock: Clock;
  /** Longest time that claims count without the provider's word, milliseconds; read at each look. */
  claimsMaxAgeMs(): number;
  /** A refresh that failed for a reason of ours. */
  onError(error: unknown): void;
}

interface Attempt {
  /** Under way. */
  running: Promise<void> | undefined;
  /** Monotonic time before which there is no other attempt; infinite where the provider cannot be asked. */
  notBefore: number;
}

export class ClaimsRefresher {
  readonly #options: ClaimsRefresherOptions;
  /** By session id; removed when the session ends. */
  readonly #attempts = new Map<string, Attempt>();
  #running = 0;

  constructor(options: ClaimsRefresherOptions) {
    this.#options = options;
    options.sessions.onChanged((session: Session, end: SessionEnd | undefined) => {
      if (end !== undefined) this.#attempts.delete(session.id);
    });
  }

  /** Looks at the claims of a session in use, and has them refreshed in the background when that is due. No I/O of its own. */
  look(session: Session): ClaimsState {
    const { clock } = this.#options;
    const maxAgeMs = this.#options.claimsMaxAgeMs();
    const ageMs = clock.now() - session.claimsAt;
    // A clock that was set back makes claims seem new for ever: a negative age is an old one.
    if (ageMs >= 0 && ageMs < Math.min(CLAIMS_REFRESH_MS, maxAgeMs / 2)) return "current";
    const attempt = this.#attempt(session.id);
    if (attempt.notBefore === Number.POSITIVE_INFINITY) return "current";
    this.#start(session, attempt);
    return ageMs >= 0 && ageMs < maxAgeMs ? "current" : "outdated";
  }

  /**
   * Waits for the refresh of outdated claims.
   * @returns the session with claims that count; `ended` when it is over, `unconfirmed` while the provider cannot say
   */
  async confirm(session: Session): Promise<Session | "ended" | "unconfirmed"> {
    if (this.look(session) === "outdated") await this.#attempt(session.id).running;
    const now = this.#options.sessions.get(session.id);
    if (now === undefined) return "ended";
    return this.look(now) === "current" ? now : "unconfirmed";
  }

  #attempt(id: string): Attempt {
    let attempt = this.#attempts.get(id);
    if (attempt === undefined) this.#attempts.set(id, (attempt = { running: undefined, notBefore: Number.NEGATIVE_INFINITY }));
    return attempt;
  }

  /** Single flight per session: two refreshes at once end the whole grant at providers that rotate refresh tokens. */
  #start(session: Session, attempt: Attempt): void {
    if (attempt.running !== undefined || this.#options.clock.monotonic() < attempt.notBefore || this.#running >= MAX_REFRESHING) return;
    this.#running += 1;
    attempt.running = this.#refresh(session, attempt)
      .catch((error: unknown) => {
        attempt.notBefore = this.#options.clock.monotonic() + RETRY_MS;
        this.#options.onError(error);
      })
      .finally(() => {
        attempt.running = undefined;
        this.#running -= 1;
      });
  }

  async #refresh(session: Session, attempt: Attempt): Promise<void> {
    const { sessions, source, clock } = this.#options;
    const result = await source(session, sessions.refreshToken(session.id), AbortSignal.timeout(TIMEOUT_MS));
    switch (result.kind) {
      case "claims":
        return this.#take(session, result.login.identity, result.login.refreshToken);
      case "ended":
        sessions.end(session.id, "ended-by-provider");
        return;
      case "unreachable":
        attempt.notBefore = clock.monotonic() + RETRY_MS;
        return;
      case "unsupported":
        attempt.notBefore = Number.POSITIVE_INFINITY;
        return;
    }
  }

  #take(session: Session, said: ProviderIdentity, refreshToken: string | undefined): void {
    const { sessions } = this.#options;
    // Another person's claims under this person's refresh token: whatever happened there, this login is over.
    if (said.subject !== session.identity.subject) return void sessions.end(session.id, "ended-by-provider");
    sessions.updateClaims(session.id, refreshed(session.identity, said), refreshToken);
  }
}

/** How somebody authenticated is a fact of the login: providers do not say it again when claims are refreshed. */
function refreshed(before: PersonIdentity, said: ProviderIdentity): Omit<PersonIdentity, "sessionId"> {
  const { subject, email, name, groups, claims } = said;
  return {
    kind: "person",
    provider: before.provider,
    subject,
    email,
    name,
    groups,
    authMethods: said.authMethods ?? before.authMethods,
    claims,
  };
}
