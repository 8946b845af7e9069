// What tests of authn share: a token key, a small session store, people. Not part of the program.

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import type { TokenKeys } from "./application-token.ts";
import type { PersonIdentity } from "./identity.ts";
import type { Session, SessionEnd } from "./session.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS: number = 24 * HOUR_MS;

export class TestKeys implements TokenKeys {
  #pairs = new Map<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>();
  #current = "";
  readonly #listeners: (() => void)[] = [];

  constructor() {
    this.rotate();
  }

  signingKey(): { readonly kid: string; readonly privateKey: KeyObject } {
    const pair = this.#pairs.get(this.#current);
    if (pair === undefined) throw new Error("no key");
    return { kid: this.#current, privateKey: pair.privateKey };
  }

  verificationKeys(): ReadonlyMap<string, KeyObject> {
    return new Map([...this.#pairs].map(([kid, { publicKey }]) => [kid, publicKey]));
  }

  onChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  rotate(): void {
    this.#current = `k${this.#pairs.size + 1}`;
    this.#pairs.set(this.#current, generateKeyPairSync("ec", { namedCurve: "P-256" }));
    this.#tell();
  }

  revoke(kid: string): void {
    this.#pairs.delete(kid);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

export function person(subject = "u1", changes: Partial<PersonIdentity> = {}): PersonIdentity {
  return {
    kind: "person",
    provider: "corp",
    subject,
    email: `${subject}@example.com`,
    name: undefined,
    groups: ["eng"],
    authMethods: ["pwd"],
    claims: {},
    sessionId: `session-of-${subject}`,
    ...changes,
  };
}

/** Sessions in a map: what authn needs of the store, without a database. */
export class TestSessions {
  readonly live: Map<string, Session> = new Map();
  readonly tokens: Map<string, string> = new Map();
  readonly ended: [string, SessionEnd][] = [];
  readonly #clock: Clock;
  readonly #listeners: ((session: Session, end: SessionEnd | undefined) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(identity: PersonIdentity = person(), lifetimeMs: number = DAY_MS): Session {
    const now = this.#clock.now();
    const session: Session = {
      id: identity.sessionId,
      identity,
      createdAt: now,
      expiresAt: now + lifetimeMs,
      claimsAt: now,
      providerSessionId: undefined,
    };
    this.live.set(session.id, session);
    return session;
  }

  get(id: string): Session | undefined {
    const session = this.live.get(id);
    return session !== undefined && session.expiresAt > this.#clock.now() ? session : undefined;
  }

  updateClaims(id: string, identity: Omit<PersonIdentity, "sessionId">, refreshToken: string | undefined): Session | undefined {
    const session = this.get(id);
    if (session === undefined) return undefined;
    const next = { ...session, identity: { ...identity, sessionId: id }, claimsAt: this.#clock.now() };
    this.live.set(id, next);
    if (refreshToken !== undefined) this.tokens.set(id, refreshToken);
    for (const listener of this.#listeners) listener(next, undefined);
    return next;
  }

  refreshToken(id: string): string | undefined {
    return this.tokens.get(id);
  }

  end(id: string, why: SessionEnd): Session | undefined {
    const session = this.live.get(id);
    if (session === undefined || !this.live.delete(id)) return undefined;
    this.ended.push([id, why]);
    for (const listener of this.#listeners) listener(session, why);
    return session;
  }

  onChanged(listener: (session: Session, end: SessionEnd | undefined) => void): () => void {
    this.#listeners.push(listener);
    return () => {};
  }
}
