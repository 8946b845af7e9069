// Sign-in with a one-time PIN: whoever can read a mail that was sent to an address holds the address. The answer to a
// request for a code is the same for every address (no enumeration), and guessing is bounded per address and source and,
// far wider, per address alone, so that no stranger can lock a person out (R-J2). Must not know pages or sessions.

import type { Clock } from "@sallyport/shared/clock";
import { domainOf, normaliseEmail } from "@sallyport/shared/names";
import type { OneTimePinProviderConfig } from "../../config/types.ts";
import type { PinChecking, PinProvider, PinSending, ProviderLogin } from "../provider.ts";
import { PIN_DIGITS, PinChallenges } from "./challenges.ts";
import { WindowLimit } from "./limits.ts";
import { deliverableAddress, type PinDelivery } from "./mail.ts";

const WINDOW_MS = 900_000;
const MAX_KEYS = 20_000;
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
  readonly #mails: { readonly perAddress: WindowLimit; readonly perSource: WindowLimit };
  readonly #tries: { readonly perPair: WindowLimit; readonly perSource: WindowLimit; readonly perAddress: WindowLimit };

  constructor(options: OneTimePinOptions) {
    const { clock, config } = options;
    this.name = config.name;
    this.label = config.label;
    this.delivery = config.delivery;
    this.#options = options;
    this.#challenges = new PinChallenges(clock);
    const limit = (max: number): WindowLimit => new WindowLimit({ max, windowMs: WINDOW_MS, maxKeys: MAX_KEYS, clock });
    this.#mails = { perAddress: limit(10), perSource: limit(20) };
    this.#tries = { perPair: limit(10), perSource: limit(30), perAddress: limit(50) };
  }

  async send(email: string, clientAddress: string): Promise<PinSending> {
    const waitMs = this.#mails.perSource.waitMs(clientAddress);
    if (waitMs > 0) return { kind: "limited", retryAfterS: Math.ceil(waitMs / 1_000) };
    this.#mails.perSource.count(clientAddress);
    const address = normaliseEmail(email);
    const { id, pin } = await this.#challenges.create(address ?? "");
    if (address !== undefined) this.#mail(address, pin, clientAddress);
    return { kind: "sent", challengeId: id };
  }

  check(challengeId: string, pin: string, clientAddress: string): PinChecking {
    const challenge = this.#challenges.get(challengeId);
    if (challenge === undefined) return { kind: "over" };
    const keys = { perPair: `${challenge.email} ${clientAddress}`, perSource: clientAddress, perAddress: challenge.email };
    const limits = Object.entries(keys).map(([name, key]) => [this.#tries[name as keyof typeof keys], key] as const);
    if (limits.some(([limit, key]) => limit.waitMs(key) > 0)) return { kind: "over" };
    for (const [limit, key] of limits) limit.count(key);
    if (PIN.test(pin) ? this.#challenges.try(challengeId, challenge, pin) : this.#spoilt(challengeId, challenge))
      return challenge.email === "" ? { kind: "over" } : { kind: "login", login: loginOf(challenge.email) };
    const triesLeft = Math.min(challenge.triesLeft, ...limits.map(([limit, key]) => limit.remaining(key)));
    return triesLeft === 0 ? { kind: "over" } : { kind: "wrong", triesLeft };
  }

  /** What is no PIN costs a try as well, and the same time. */
  #spoilt(challengeId: string, challenge: Parameters<PinChallenges["try"]>[1]): false {
    this.#challenges.try(challengeId, challenge, "");
    return false;
  }

  /** Not awaited by the answer: its time must not tell whether a mail went out. */
  #mail(email: string, pin: string, clientAddress: string): void {
    const to = deliverableAddress(email);
    if (to === undefined || !this.#isRecipient(email)) return;
    if (this.#mails.perAddress.waitMs(email) > 0)
      return this.#options.onProblem("an address was sent 10 codes within 15 minutes; no more for now");
    this.#mails.perAddress.count(email);
    const { deliver, authUrl, onProblem } = this.#options;
    deliver({ email: to, pin, authUrl, clientAddress }).catch((error: unknown) => onProblem((error as Error).message));
  }

  #isRecipient(email: string): boolean {
    const { recipients } = this.#options.config;
    return recipients === undefined || recipients.includes(email) || recipients.includes(domainOf(email));
  }
}

/** RFC 8176 calls it otp. The address is the person: nothing else is known. */
function loginOf(email: string): ProviderLogin {
  const identity = { subject: email, email, name: undefined, groups: undefined, authMethods: ["otp"], claims: {} };
  return { identity, refreshToken: undefined, providerSessionId: undefined };
}
