// Whether the peer still lives: an application-level PING when it was silent, and an end to waiting (docs/protocol.md
// section 7). Also measures the round trip. A WebSocket ping would not do: it is answered while the program hangs.

import type { Clock, Timer } from "../clock.ts";

/** How often silence is looked at. */
export const LIVENESS_TICK_MS = 3_000;
/** Silence after which the peer counts as dead. Silence is counted in ticks, so it is noticed within 8 s + 2 ticks = 14 s. */
export const LIVENESS_TIMEOUT_MS = 8_000;
/** So many ticks must have seen silence too: after a pause of this process (stopped, suspended) what waits is read first. */
const MIN_SILENT_TICKS = 3;

export interface LivenessHost {
  sendPing(payload: Buffer): void;
  /** Whether streams are open: then the round trip is measured although the peer is heard. */
  readonly busy: boolean;
  /** Bytes there are of a message that is still arriving: while they grow the peer is alive, however slow its line. */
  readonly arrivingBytes: number;
  /** The peer has been silent for {@link LIVENESS_TIMEOUT_MS}. */
  onDead(): void;
}

export class Liveness {
  readonly #clock: Clock;
  readonly #host: LivenessHost;
  #timer: Timer | undefined;
  #heardAtMs: number;
  #heardSinceTick = true;
  #silentTicks = 0;
  #arrivedBytes = 0;
  #sequence = 0;
  #pingedAtMs = -1;
  #stopped = false;
  /** Smallest of recent round trips; a start value until the first PONG. */
  roundTripMs = 1;

  constructor(clock: Clock, host: LivenessHost) {
    this.#clock = clock;
    this.#host = host;
    this.#heardAtMs = clock.monotonic();
  }

  start(): void {
    this.#ping();
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Anything arrived. Cheap: the time is read at the next tick. */
  heard(): void {
    this.#heardSinceTick = true;
  }

  pong(payload: Buffer): void {
    if (this.#pingedAtMs < 0 || payload.readUInt32BE(4) !== this.#sequence) return;
    const sampleMs = Math.max(0.05, this.#clock.monotonic() - this.#pingedAtMs);
    this.#pingedAtMs = -1;
    this.roundTripMs = this.#sequence === 1 ? sampleMs : this.roundTripMs + (sampleMs - this.roundTripMs) / 4;
  }

  #arm(): void {
    this.#timer = this.#clock.after(LIVENESS_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#clock.monotonic();
    // Without a whole message since the last look it is the same one that grows.
    const { arrivingBytes } = this.#host;
    const heard = this.#heardSinceTick || arrivingBytes > this.#arrivedBytes;
    this.#arrivedBytes = arrivingBytes;
    this.#heardSinceTick = false;
    if (heard) {
      this.#heardAtMs = nowMs;
      this.#silentTicks = 0;
    } else if (++this.#silentTicks >= MIN_SILENT_TICKS && nowMs - this.#heardAtMs >= LIVENESS_TIMEOUT_MS) return this.#host.onDead();
    if (!heard || this.#host.busy) this.#ping();
    if (!this.#stopped) this.#arm();
  }

  #ping(): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(++this.#sequence >>> 0, 4);
    this.#pingedAtMs = this.#clock.monotonic();
    this.#host.sendPing(payload);
  }
}
