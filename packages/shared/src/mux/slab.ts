// Memory that outgoing messages are built in, used again once the kernel has them. Fresh memory for every message was the
// largest single cost of bulk transfers: V8 counts it against its heap limit and marks the whole heap every 20 MB or so.
// Shared by all connections of the process, so that one that is idle holds none. Knows no frames.

/** What most messages fit several times. */
export const SLAB_BYTES = 262_144;
/** Slabs kept for the next connection that has something to say: 4 MiB. */
const MAX_SPARES = 16;

const spares: Slab[] = [];

/** One piece of memory, cut into messages. Its owner takes it, counts what it sends and lets go of it; the rest is done here. */
export class Slab {
  readonly bytes: Buffer;
  /** Messages in it that the transport still reads from. */
  #underWay = 0;
  #owner: SlabOwner | undefined;
  /** To be called when a message begun with {@link sending} has left; one function for all of them. */
  readonly sent: () => void;

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.sent = () => {
      this.#underWay -= 1;
      if (this.#underWay > 0) return;
      if (this.#owner === undefined) keep(this);
      else this.#owner.slabUnused();
    };
  }

  own(owner: SlabOwner): this {
    this.#owner = owner;
    return this;
  }

  sending(): void {
    this.#underWay += 1;
  }

  /** The owner puts no more messages in it. */
  letGo(): void {
    this.#owner = undefined;
    if (this.#underWay === 0) keep(this);
  }
}

export interface SlabOwner {
  /** Everything that was sent from the slab has left. */
  slabUnused(): void;
}

/** In place of a slab while there is nothing to say: every frame is too large for it. */
export const NO_SLAB: Slab = new Slab(0);

/** A slab of {@link SLAB_BYTES}, or of one large frame. */
export function takeSlab(atLeastBytes: number, owner: SlabOwner): Slab {
  if (atLeastBytes > SLAB_BYTES) return new Slab(atLeastBytes).own(owner);
  return (spares.pop() ?? new Slab(SLAB_BYTES)).own(owner);
}

function keep(slab: Slab): void {
  if (slab.bytes.length === SLAB_BYTES && spares.length < MAX_SPARES) spares.push(slab);
}
