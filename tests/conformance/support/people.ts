// People who are signed in, for conformance cases: sessions put into the state before the relay starts, with the tokens
// that the relay would have given, a provider that says what it is told to say, and a clock that can be moved.

import { ApplicationTokens } from "@sallyport/relay/authn/application-token";
import type { ProviderLogin, RedirectProvider, RefreshResult } from "@sallyport/relay/authn/provider";
import type { Session } from "@sallyport/relay/authn/session";
import { connectAdmin } from "@sallyport/relay/admin/client";
import type { State } from "@sallyport/relay/state/state";
import { type Clock, systemClock, type Timer } from "@sallyport/shared/clock";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { AUTH_URL, type Bed, type BedOptions } from "./bed.ts";
import { canaries } from "../../harness/canary.ts";
import { scratchFolder } from "../../harness/scratch.ts";

export const COOKIE = "__Host-Sallyport_Authorization";
export const FRIEND = "https://friend.example.net";
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The system's clock, whose wall can be moved; timers and intervals run on. */
export class MovableClock implements Clock {
  #offsetMs = 0;
  now(): number {
    return systemClock.now() + this.#offsetMs;
  }
  monotonic(): number {
    return systemClock.monotonic();
  }
  after(delayMs: number, task: () => void): Timer {
    return systemClock.after(delayMs, task);
  }
  move(byMs: number): void {
    this.#offsetMs += byMs;
  }
}

/** What the provider says when it is asked again; counts how often it is. */
export class TellingProvider implements RedirectProvider {
  readonly kind = "redirect";
  readonly name = "corp";
  readonly label = "Corp";
  readonly canRefresh = true;
  asked = 0;
  answer: (subject: string) => RefreshResult = (subject) => claims(subject);

  begin(): Promise<string> {
    return Promise.resolve("https://idp.example.com/authorize");
  }
  finish(): Promise<never> {
    return Promise.reject(new Error("nobody signs in here"));
  }
  refresh(_refreshToken: string | undefined, subject: string): Promise<RefreshResult> {
    this.asked++;
    return Promise.resolve(this.answer(subject));
  }
  revoke(): Promise<void> {
    return Promise.resolve();
  }
  backChannelLogout(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

function loginOf(subject: string, groups: readonly string[]): ProviderLogin {
  const identity = { subject, email: `${subject}@example.com`, name: subject, groups, authMethods: ["pwd"], claims: {} };
  return { identity, refreshToken: undefined, providerSessionId: undefined };
}

export function claims(subject: string, groups: readonly string[] = ["eng"]): RefreshResult {
  return { kind: "claims", login: loginOf(subject, groups) };
}

export interface Person {
  readonly session: Session;
  /** Secret of the auth host's cookie. */
  readonly secret: string;
  /** By host: the token of the application at its root. */
  token(host: string): string;
  /** The Cookie line of a browser at this host. */
  cookie(host: string): string;
}

const APPLICATIONS = [
  { name: "wiki", hostname: "wiki.example.test", allowedOrigins: [FRIEND], cors: { methods: ["GET", "PUT"] } },
  { name: "grafana", hostname: "grafana.example.test" },
  { name: "forwarding", hostname: "forwarding.example.test", allowedOrigins: [FRIEND], cors: { preflight: "forward" } },
  { name: "embedded", hostname: "embedded.example.test", sameSite: "none", frameAncestors: [FRIEND] },
  { name: "short", hostname: "short.example.test", sessionDuration: "15m" },
  { name: "idle", hostname: "idle.example.test", idleTimeout: "5m" },
  { name: "public", hostname: "public.example.test", policies: ["engineers", "public"] },
] as const;
export const HOSTS: readonly string[] = APPLICATIONS.map(({ hostname }) => hostname);

/** The people of one bed, by name; made by {@link peopleOptions}. */
export class People {
  readonly clock = new MovableClock();
  readonly provider = new TellingProvider();
  readonly #people = new Map<string, Person>();

  get(name: string): Person {
    const person = this.#people.get(name);
    if (person === undefined) throw new Error(`nobody is called ${name}`);
    return person;
  }

  async seed(state: State, names: readonly string[]): Promise<void> {
    const tokens = new ApplicationTokens({ issuer: AUTH_URL, keys: state.keys, sessions: state.sessions, clock: this.clock });
    for (const name of names) {
      const { identity } = loginOf(name, ["eng"]);
      const login = {
        identity: { kind: "person", provider: "corp", ...identity },
        expiresAt: this.clock.now() + DAY_MS,
        providerSessionId: undefined,
        refreshToken: `refresh-${name}`,
      } as const;
      const { session, secret } = state.sessions.create(login);
      const byHost = new Map(
        await Promise.all(HOSTS.map(async (host) => [host, await tokens.issue(session, { aud: `https://${host}` })] as const)),
      );
      const token = (host: string): string => byHost.get(host) ?? "no-such-host";
      canaries.add(`the session of ${name}`, secret);
      canaries.add(`the refresh token of ${name}`, login.refreshToken);
      for (const [host, value] of byHost) canaries.add(`the token of ${name} at ${host}`, value);
      this.#people.set(name, { session, secret, token, cookie: (host) => `Cookie: ${COOKIE}=${token(host)}` });
    }
  }

  /** Ends sessions as an administrator does. */
  async revoke(bed: Bed, filter: Readonly<Record<string, string>>): Promise<void> {
    const admin = await connectAdmin(join(bed.folder, "state"));
    await admin?.call("session/revoke", filter);
    await admin?.close();
  }
}

/** A bed whose applications are for group eng of provider corp, with these people signed in. */
export function peopleOptions(people: People, names: readonly string[], stack: AsyncDisposableStack): BedOptions {
  const secretFile = join(scratchFolder(stack, "sallyport-people"), "secret");
  writeFileSync(secretFile, "a-client-secret-of-some-length", { mode: 0o600 });
  return {
    clock: people.clock,
    providers: new Map([["corp", people.provider]]),
    seed: (state) => people.seed(state, names),
    policies: [{ name: "engineers", action: "allow", include: [{ identityGroup: "eng" }] }],
    applications: APPLICATIONS.map((application) => ({ tunnel: "office", service: "open", policies: ["engineers"], ...application })),
    relay: {
      identityProviders: [
        { name: "corp", type: "oidc", issuer: "https://idp.example.com", clientId: "a", clientSecret: { file: secretFile } },
      ],
    },
  };
}

export const MINUTES = (count: number): number => count * MINUTE_MS;
