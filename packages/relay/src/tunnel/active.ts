// Exchanges under way, counted by tunnel and by identity (R-L7), and listed so that a change of policy, session or
// credential can end them (R-I2, R-N4). Must not know why somebody wants them ended.

import { InPlaceSet, type Member } from "@sallyport/shared/in-place-set";

/** One exchange under way. */
export interface ActiveExchange extends Member {
  readonly tunnel: string;
  /** Who the streams are counted for: a person, a service token, or an address. */
  readonly party: string;
  /** Ends it politely: WebSockets get close code 1008 when between two frames. */
  revoke(): void;
}

/** The part of a tunnel that is left to parties with less than an even share of it, so that nobody can take it all. */
const SHARED_PART = 0.25;

/** Parties without a stream whose count is kept. */
const IDLE_PARTIES = 4_096;

export interface ActiveLimits {
  readonly maxStreamsPerTunnel: number;
  readonly maxStreamsPerIdentity: number;
}

export class ActiveExchanges<E extends ActiveExchange> {
  readonly #all = new InPlaceSet<E>();
  readonly #byTunnel = new Map<string, Count>();
  readonly #byParty = new Map<string, Count>();
  /** Parties that have a stream. */
  #parties = 0;
  limits: ActiveLimits;

  constructor(limits: ActiveLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  /** As they are now: some may end while they are looked at. */
  [Symbol.iterator](): Iterator<E> {
    return this.#all.all().values();
  }

  /** Whether one more is within the limits; in a tunnel that is nearly full, only for who has less than an even share. */
  admits(tunnel: string, party: string): boolean {
    const { maxStreamsPerTunnel, maxStreamsPerIdentity } = this.limits;
    const inTunnel = this.#byTunnel.get(tunnel)?.streams ?? 0;
    const own = this.#byParty.get(party)?.streams ?? 0;
    if (inTunnel >= maxStreamsPerTunnel || own >= maxStreamsPerIdentity) return false;
    if (inTunnel < maxStreamsPerTunnel * (1 - SHARED_PART)) return true;
    // Whoever is alone shares with the one who may come next.
    const parties = Math.max(2, this.#parties + (own === 0 ? 1 : 0));
    return own < Math.max(1, maxStreamsPerTunnel / parties);
  }

  add(exchange: E): void {
    if (!this.#all.add(exchange)) return;
    increment(this.#byTunnel, exchange.tunnel);
    if (increment(this.#byParty, exchange.party) === 1) this.#parties++;
  }

  /** Idempotent. */
  remove(exchange: E): void {
    if (!this.#all.delete(exchange)) return;
    decrement(this.#byTunnel, exchange.tunnel);
    if (decrement(this.#byParty, exchange.party) > 0) return;
    this.#parties--;
    if (this.#byParty.size > this.#parties + IDLE_PARTIES) forgetIdle(this.#byParty);
  }
}

interface Count {
  streams: number;
}

/** @returns streams with this one */
function increment(counts: Map<string, Count>, key: string): number {
  const count = counts.get(key);
  if (count !== undefined) return ++count.streams;
  counts.set(key, { streams: 1 });
  return 1;
}

/** @returns streams that are left */
function decrement(counts: Map<string, Count>, key: string): number {
  const count = counts.get(key) as Count;
  return --count.streams;
}

/** Counts of nobody stay for a while, because most come back: a Map whose keys come and go makes garbage with each of them. */
function forgetIdle(counts: Map<string, Count>): void {
  for (const [key, { streams }] of counts) if (streams === 0) counts.delete(key);
}
