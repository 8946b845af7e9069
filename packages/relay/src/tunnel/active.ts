// Exchanges under way, counted by tunnel and by identity (R-L7), and listed so that a change of policy, session or
// credential can end them (R-I2, R-N4). Must not know why somebody wants them ended.

/** One exchange under way. */
export interface ActiveExchange {
  readonly tunnel: string;
  /** Who the streams are counted for: a person, a service token, or an address. */
  readonly party: string;
  /** Ends it politely: WebSockets get close code 1008 when between two frames. */
  revoke(): void;
}

/** The part of a tunnel that is left to parties with less than an even share of it, so that nobody can take it all. */
const SHARED_PART = 0.25;

export interface ActiveLimits {
  readonly maxStreamsPerTunnel: number;
  readonly maxStreamsPerIdentity: number;
}

export class ActiveExchanges<E extends ActiveExchange> {
  readonly #all = new Set<E>();
  readonly #byTunnel = new Map<string, Count>();
  readonly #byParty = new Map<string, Count>();
  limits: ActiveLimits;

  constructor(limits: ActiveLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<E> {
    return this.#all.values();
  }

  /** Whether one more is within the limits; in a tunnel that is nearly full, only for who has less than an even share. */
  admits(tunnel: string, party: string): boolean {
    const { maxStreamsPerTunnel, maxStreamsPerIdentity } = this.limits;
    const inTunnel = this.#byTunnel.get(tunnel)?.streams ?? 0;
    const own = this.#byParty.get(party)?.streams ?? 0;
    if (inTunnel >= maxStreamsPerTunnel || own >= maxStreamsPerIdentity) return false;
    if (inTunnel < maxStreamsPerTunnel * (1 - SHARED_PART)) return true;
    // Whoever is alone shares with the one who may come next.
    const parties = Math.max(2, this.#byParty.size + (own === 0 ? 1 : 0));
    return own < Math.max(1, maxStreamsPerTunnel / parties);
  }

  add(exchange: E): void {
    this.#all.add(exchange);
    increment(this.#byTunnel, exchange.tunnel);
    increment(this.#byParty, exchange.party);
  }

  /** Idempotent. */
  remove(exchange: E): void {
    if (!this.#all.delete(exchange)) return;
    decrement(this.#byTunnel, exchange.tunnel);
    decrement(this.#byParty, exchange.party);
  }
}

interface Count {
  streams: number;
}

function increment(counts: Map<string, Count>, key: string): void {
  const count = counts.get(key);
  if (count === undefined) counts.set(key, { streams: 1 });
  else count.streams++;
}

function decrement(counts: Map<string, Count>, key: string): void {
  const count = counts.get(key);
  if (count !== undefined && --count.streams === 0) counts.delete(key);
}
