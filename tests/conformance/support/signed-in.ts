// One person with a login at applications of a test's own choice, put into the state before the relay starts.

import { ApplicationTokens } from "@sallyport/relay/authn/application-token";
import type { ProviderIdentity } from "@sallyport/relay/authn/provider";
import type { State } from "@sallyport/relay/state/state";
import { systemClock } from "@sallyport/shared/clock";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canaries } from "../../harness/canary.ts";
import { scratchFolder } from "../../harness/scratch.ts";
import { AUTH_URL, type BedOptions } from "./bed.ts";
import { COOKIE, TellingProvider } from "./people.ts";

const DAY_MS = 86_400_000;

export class SignedIn {
  sessionId = "";
  readonly #identity: ProviderIdentity;
  readonly #hosts: readonly string[];
  readonly #tokens = new Map<string, string>();

  constructor(identity: Partial<ProviderIdentity>, ...hosts: readonly string[]) {
    this.#identity = {
      subject: "42",
      email: undefined,
      name: undefined,
      groups: undefined,
      authMethods: undefined,
      claims: {},
      ...identity,
    };
    this.#hosts = hosts;
  }

  async seed(state: State): Promise<void> {
    const { session, secret } = state.sessions.create({
      identity: { kind: "person", provider: "corp", ...this.#identity },
      expiresAt: Date.now() + DAY_MS,
      providerSessionId: undefined,
      refreshToken: undefined,
    });
    this.sessionId = session.id;
    canaries.add("the session of a person", secret);
    const tokens = new ApplicationTokens({ issuer: AUTH_URL, keys: state.keys, sessions: state.sessions, clock: systemClock });
    for (const host of this.#hosts) this.#tokens.set(host, await tokens.issue(session, { aud: `https://${host}` }));
    for (const [host, token] of this.#tokens) canaries.add(`the token of a person at ${host}`, token);
  }

  token(host: string): string {
    return this.#tokens.get(host) ?? "none";
  }

  /** `more`: further cookies of the browser. */
  cookie(host: string, more = ""): string {
    return `Cookie: ${more}${COOKIE}=${this.token(host)}`;
  }
}

/** A bed with provider corp, to which these people are signed in; everybody who is, is let in by policy `anybody`. */
export function signedInOptions(
  stack: AsyncDisposableStack,
  people: readonly SignedIn[],
  applications: NonNullable<BedOptions["applications"]>,
): BedOptions {
  const secretFile = join(scratchFolder(stack, "sallyport-people"), "secret");
  writeFileSync(secretFile, "a-client-secret-of-some-length", { mode: 0o600 });
  return {
    providers: new Map([["corp", new TellingProvider()]]),
    seed: async (state) => {
      for (const person of people) await person.seed(state);
    },
    policies: [{ name: "anybody", action: "allow", include: [{ everyone: true }] }],
    applications: applications.map((application) => ({
      tunnel: "office",
      service: "open",
      policies: ["anybody", "programs"],
      ...application,
    })),
    relay: {
      identityProviders: [
        { name: "corp", type: "oidc", issuer: "https://idp.example.com", clientId: "a", clientSecret: { file: secretFile } },
      ],
    },
  };
}
