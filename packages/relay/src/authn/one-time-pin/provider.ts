// Sign-in with a one-time PIN: whoever can read a mail that was sent to an address holds the address. The answer to a
// request for a code is the same for every address (no enumeration). Guessing is slowed down and bounded per address and
// source and, far wider, per address alone, so that no stranger can lock a person out (R-J2). Must not know pages or sessions.

import type { Clock } from "@sallyport/shared/clock";
import { sourceOf } from "@sallyport/shared/http/source";
import { domainOf, normaliseEmail } from "@sallyport/shared/names";
import type { OneTimePinProviderConfig } from "../../config/types.ts";
import type { PinChecking, PinProvider, PinSending, ProviderLogin } from "../provider.ts";
import { Backoff } from "./backoff.ts";
import { type Challenge, PIN_DIGITS, PinChallenges } from "./challenges.ts";
import { WindowLimit } from "./limits.ts";
import { deliverableAddress, type PinDelivery } from "./mail.ts";

const WINDOW_MS = 900_000;
const MAX_KEYS = 20_000;
const MS_PER_SECOND = 1_000;
/** Within {@link WINDOW_MS}. `perPair`: one address from one source; `perAddress`: one address, from wherever. */
const MAX_MAILS = { perPair: 5, perSource: 20, perAddress: 30 } as const;
const MAX_TRIES = { perPair: 10, perSource: 30, perAddress: 50 } as const;
const PIN = new RegExp(`^[0-9]{${PIN_DIGITS}}$`);

export interface OneTimePinOptions {
  readonly config: OneTimePinProviderConfig;
  readonly authUrl: string;
  readonly clock: Clock;
  readonly deliver: PinDelivery;
  readonly onProblem: (explanation: string) => void;
}

export class OneTimePinProvider implements PinProvider {
  readonly kind = "pin";
  readonly name: string;
  readonly label: string;
  readonly delivery: "mail" | "terminal";
  readonly #options: OneTimePinOptions;
  readonly #challenges: PinChallenges;
  readonly #mails: Limits;
  readonly #tries: Limits;
  /** Per address and source. */
  readonly #backoff: Backoff;

  constructor(options: OneTimePinOptions) {
    const { clock, config } = options;
    this.name = config.name;
    this.label = config.label;
    this.delivery = config.delivery;
    this.#options = options;
    this.#challenges = new PinChallenges(clock);
    this.#mails = limitsOf(MAX_MAILS, clock);
    this.#tries = limitsOf(MAX_TRIES, clock);
    this.#backoff = new Backoff({ forgetMs: WINDOW_MS, maxKeys: MAX_KEYS, clock });
  }

  async send(email: string, clientAddress: string): Promise<PinSending> {
    const address = normaliseEmail(email);
    const source = sourceOf(clientAddress);
    const pair = `${address ?? ""} ${source}`;
    // Counted for every address, whether or not it gets a mail: the answer tells nothing.
    const waitMs = Math.max(this.#mails.perSource.waitMs(source), this.#mails.perPair.waitMs(pair));
    if (waitMs > 0) return { kind: "limited", retryAfterS: Math.ceil(waitMs / MS_PER_SECOND) };
    this.#mails.perSource.count(source);
    this.#mails.perPair.count(pair);
    const { id, pin } = await this.#challenges.create(address ?? "");
    if (address !== undefined) this.#mail(address, pin, clientAddress);
    return { kind: "sent", challengeId: id };
  }

  check(challengeId: string, pin: string, clientAddress: string): PinChecking {
    const challenge = this.#challenges.get(challengeId);
    if (challenge === undefined) return { kind: "over" };
    const source = sourceOf(clientAddress);
    const pair = `${challenge.email} ${source}`;
    const limits = [
      [this.#tries.perPair, pair],
      [this.#tries.perSource, source],
      [this.#tries.perAddress, challenge.email],
    ] as const;
    if (limits.some(([limit, key]) => limit.waitMs(key) > 0)) return { kind: "over" };
    if (this.#backoff.waitMs(pair) > 0) return { kind: "early", retryAfterS: this.#retryAfterS(pair) };
    for (const [limit, key] of limits) limit.count(key);
    if (this.#isRight(challengeId, challenge, pin)) {
      this.#backoff.succeeded(pair);
      return { kind: "login", login: loginOf(challenge.email) };
    }
    this.#backoff.failed(pair);
    const triesLeft = Math.min(challenge.triesLeft, ...limits.map(([limit, key]) => limit.remaining(key)));
    return triesLeft === 0 ? { kind: "over" } : { kind: "wrong", triesLeft, retryAfterS: this.#retryAfterS(pair) };
  }

  /** What is no PIN costs a try as well, and the same time. A challenge without address is nobody's. */
  #isRight(challengeId: string, challenge: Challenge, pin: string): boolean {
    const matches = this.#challenges.try(challengeId, challenge, PIN.test(pin) ? pin : "");
    return matches && challenge.email !== "";
  }

  #retryAfterS(pair: string): number {
    return Math.ceil(this.#backoff.waitMs(pair) / MS_PER_SECOND);
  }

  /** Not awaited by the answer: its time must not tell whether a mail went out. */
  #mail(email: string, pin: string, clientAddress: string): void {
    const to = deliverableAddress(email);
    if (to === undefined || !this.#isRecipient(email)) return;
    if (this.#mails.perAddress.waitMs(email) > 0)
      return this.#options.onProblem(`an address was sent ${MAX_MAILS.perAddress} codes within 15 minutes; no more for now`);
    this.#mails.perAddress.count(email);
    const { deliver, authUrl, onProblem } = this.#options;
    deliver({ email: to, pin, authUrl, clientAddress }).catch((error: unknown) => onProblem((error as Error).message));
  }

  #isRecipient(email: string): boolean {
    const { recipients } = this.#options.config;
    return recipients === undefined || recipients.includes(email) || recipients.includes(domainOf(email));
  }
}

interface Limits {
  readonly perPair: WindowLimit;
  readonly perSource: WindowLimit;
  readonly perAddress: WindowLimit;
}

function limitsOf(max: Readonly<Record<keyof Limits, number>>, clock: Clock): Limits {
  const limit = (most: number): WindowLimit => new WindowLimit({ max: most, windowMs: WINDOW_MS, maxKeys: MAX_KEYS, clock });
  return { perPair: limit(max.perPair), perSource: limit(max.perSource), perAddress: limit(max.perAddress) };
}

/** RFC 8176 calls it otp. The address is the person: nothing else is known. */
function loginOf(email: string): ProviderLogin {
  const identity = { subject: email, email, name: undefined, groups: undefined, authMethods: ["otp"], claims: {} };
  return { identity, refreshToken: undefined, providerSessionId: undefined };
}
