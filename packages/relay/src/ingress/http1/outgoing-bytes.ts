// What is on its way to one visitor's socket: pieces of a turn are joined, so that a small answer leaves in one write
// of the kernel, and large pieces are not copied: their memory is the giver's again when the kernel has them. Must not know HTTP.

import type { Socket } from "node:net";

/**
 * Pieces from this size on are handed to the socket as they are, at once: copying them would cost more than a second buffer in one
 * writev, and whoever gave them waits for their memory.
 */
const OWN_PIECE_BYTES = 8_192;
/** What is gathered beyond this does not wait for the end of the turn. */
const FLUSH_BYTES = 32_768;

/** Called once: with an error when the socket failed before the kernel had everything. */
export type Written = (error?: Error | null) => void;

const NOTHING = new Uint8Array(0);

/** Sockets with something to write at the end of this turn. */
const waiting: OutgoingBytes[] = [];

export class OutgoingBytes {
  readonly #socket: Socket;
  /** Latin1 text or bytes, in order. */
  readonly #pieces: (string | Uint8Array)[] = [];
  #bytes = 0;
  #scheduled = false;
  /** There is a large one among the pieces. */
  #large = false;
  /** A large piece is among them, or with the socket, which had not passed all of it on when it was last looked at. */
  #lent = false;
  #awaited = false;
  readonly #drained: () => void;
  readonly #onWritten: () => void;

  /** @param drained called after {@link handOver} returned false, when the giver need not wait any more; never from within */
  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket;
    this.#drained = drained;
    this.#onWritten = () => {
      if (!this.#awaited || this.#full || socket.destroyed) return;
      this.#awaited = false;
      this.#drained();
    };
  }

  /** The socket holds more than it should, or a piece that is the giver's. */
  get #full(): boolean {
    if (this.#lent && this.#socket.writableLength === 0) this.#lent = false;
    return this.#lent || this.#socket.writableNeedDrain;
  }

  /** @param text latin1, one character per octet */
  text(text: string): void {
    this.#pieces.push(text);
    this.#added(text.length);
  }

  /** Large chunks are the giver's again when {@link handOver} says so, or drained() later; smaller ones are taken over. */
  bytes(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#pieces.push(chunk);
    if (chunk.length < OWN_PIECE_BYTES) return this.#added(chunk.length);
    this.#bytes += chunk.length;
    this.#large = this.#lent = true;
  }

  /** To be called when {@link bytes} was. @returns false when the giver must wait for drained() */
  handOver(): boolean {
    if (this.#large) this.flush();
    const full = this.#full;
    this.#awaited ||= full;
    return !full;
  }

  /**
   * Hands over everything now.
   * @param written called when the kernel has taken all of it, or the socket failed; never from within
   */
  flush(written?: Written): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) {
      if (written !== undefined) this.#write(NOTHING, written);
      return;
    }
    if (pieces.length === 1) this.#write(pieces[0] as string | Uint8Array, written);
    else if (this.#bytes < OWN_PIECE_BYTES) this.#write(this.#joined(0, pieces.length, this.#bytes), written);
    else this.#flushLarge(written);
    pieces.length = 0;
    this.#bytes = 0;
    this.#large = false;
  }

  #added(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= FLUSH_BYTES) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (waiting.push(this) === 1) process.nextTick(flushWaiting);
  }

  /** Called at the end of the turn. */
  flushScheduled(): void {
    this.#scheduled = false;
    if (this.#pieces.length > 0 && !this.#socket.destroyed) this.flush();
  }

  /** Neighbours that are small become one buffer. */
  #flushLarge(written: Written | undefined): void {
    const pieces = this.#pieces;
    this.#socket.cork();
    for (let from = 0; from < pieces.length;) {
      let to = from;
      let bytes = 0;
      while (to < pieces.length && (pieces[to] as string | Uint8Array).length < OWN_PIECE_BYTES) {
        bytes += (pieces[to] as string | Uint8Array).length;
        to++;
      }
      const single = to <= from + 1;
      if (single) to = from + 1;
      const piece = single ? (pieces[from] as string | Uint8Array) : this.#joined(from, to, bytes);
      this.#write(piece, to === pieces.length ? written : undefined);
      from = to;
    }
    this.#socket.uncork();
  }

  #joined(from: number, to: number, bytes: number): Buffer {
    const joined = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (let i = from; i < to; i++) {
      const piece = this.#pieces[i] as string | Uint8Array;
      if (typeof piece === "string") joined.write(piece, at, "latin1");
      else joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  #write(piece: string | Uint8Array, written: Written | undefined): void {
    if (typeof piece === "string") this.#socket.write(piece, "latin1", written ?? this.#onWritten);
    else this.#socket.write(piece, written ?? this.#onWritten);
  }
}

function flushWaiting(): void {
  // Writing may schedule others: they go with the next tick of this same turn.
  for (const out of waiting.splice(0)) out.flushScheduled();
}
