// Reads the binary messages of a WebSocket out of what its socket gives (RFC 6455 section 5.2), and hands everything else
// on to `ws`, octet by octet as it came: control frames, text, fragments, frames that break a rule or the size limit. So
// `ws` still decides all that is delicate, and what a tunnel consists of costs no copy beyond a message that lies in two
// reads, and no memory that waits for the garbage collector. Knows no frames of ours and no sockets.

/** FIN and the opcode of a binary message; nothing reserved. */
const WHOLE_BINARY = 0x82;
const OPCODE = 0x0f;
const FIN = 0x80;
const MASKED = 0x80;
const FIRST_CONTROL_OPCODE = 8;
const CLOSE_OPCODE = 8;
const MAX_HEADER_BYTES = 14;
const KEY_BYTES = 4;
/** Memory for a message that lies in two reads; larger ones get their own. */
const ASSEMBLY_BYTES = 65_536;
const MAX_SPARES = 16;

/** Shared by all connections: one that is idle holds none. */
const spares: Buffer[] = [];

export interface MessageOwner {
  /** One whole message; its memory is used again afterwards. */
  onBinary(message: Buffer): void;
  /** Octets for `ws`, which may keep them. */
  passOn(bytes: Buffer): void;
}

export class WsMessages {
  readonly #owner: MessageOwner;
  /** This end is the server, so messages must be masked. */
  readonly #masked: boolean;
  /** Larger messages are for `ws` to refuse. */
  maxMessageBytes: number;
  readonly #header: Buffer = Buffer.alloc(MAX_HEADER_BYTES);
  #headerBytes = 0;
  readonly #key: Buffer = Buffer.alloc(KEY_BYTES);
  /** Payload octets of the frame at hand that have not come yet. */
  #leftBytes = 0;
  #passing = false;
  #fragmented = false;
  #closeFrame = false;
  #stopped = false;
  #assembly: Buffer | undefined;
  #assembledBytes = 0;
  #passedOn = false;

  constructor(owner: MessageOwner, masked: boolean, maxMessageBytes: number) {
    this.#owner = owner;
    this.#masked = masked;
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Between two frames: what `ws` is given now it reads from the start of one. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0 && this.#leftBytes === 0;
  }

  /** Octets there are of a binary message that is not whole yet. */
  get arrivingBytes(): number {
    return this.#assembly === undefined ? 0 : this.#assembledBytes;
  }

  /** Throws away all that comes from now on. */
  stop(): void {
    this.#stopped = true;
    this.#release();
  }

  /** @returns whether the chunk's memory is free: nothing of it was given to `ws` */
  push(chunk: Buffer): boolean {
    this.#passedOn = false;
    for (let at = 0; at < chunk.length && !this.#stopped;) {
      if (this.#leftBytes > 0) at = this.#payload(chunk, at);
      else at = this.#readHeader(chunk, at);
    }
    return !this.#passedOn;
  }

  #payload(chunk: Buffer, at: number): number {
    const stop = Math.min(chunk.length, at + this.#leftBytes);
    this.#leftBytes -= stop - at;
    if (this.#passing) {
      this.#passOn(chunk.subarray(at, stop));
      if (this.#leftBytes === 0 && this.#closeFrame) this.stop();
      return stop;
    }
    this.#assembledBytes += chunk.copy(this.#assembly as Buffer, this.#assembledBytes, at, stop);
    if (this.#leftBytes > 0) return stop;
    const message = (this.#assembly as Buffer).subarray(0, this.#assembledBytes);
    if (this.#masked) unmask(message, this.#key);
    try {
      this.#owner.onBinary(message);
    } finally {
      this.#release();
    }
    return stop;
  }

  #readHeader(chunk: Buffer, from: number): number {
    const header = this.#header;
    let at = from;
    let need = this.#headerNeed();
    while (this.#headerBytes < need) {
      if (at === chunk.length) return at;
      header[this.#headerBytes++] = chunk[at++] as number;
      if (this.#headerBytes === 2) need = this.#headerNeed();
    }
    const bytes = this.#payloadBytes();
    const takes = header[0] === WHOLE_BINARY && !this.#fragmented && this.#isMasked === this.#masked && bytes <= this.maxMessageBytes;
    this.#headerBytes = 0;
    if (!takes) this.#beginPassing(header.subarray(0, need), bytes);
    else {
      if (this.#masked) header.copy(this.#key, 0, need - KEY_BYTES, need);
      if (bytes <= chunk.length - at) return this.#wholeMessage(chunk, at, bytes);
      this.#beginAssembly(bytes);
    }
    return at;
  }

  #wholeMessage(chunk: Buffer, at: number, bytes: number): number {
    const message = chunk.subarray(at, at + bytes);
    if (this.#masked) unmask(message, this.#key);
    this.#owner.onBinary(message);
    return at + bytes;
  }

  #beginAssembly(bytes: number): void {
    this.#passing = false;
    this.#leftBytes = bytes;
    this.#assembledBytes = 0;
    this.#assembly = bytes > ASSEMBLY_BYTES ? Buffer.allocUnsafeSlow(bytes) : (spares.pop() ?? Buffer.allocUnsafeSlow(ASSEMBLY_BYTES));
  }

  #beginPassing(header: Buffer, bytes: number): void {
    const first = header[0] as number;
    const opcode = first & OPCODE;
    if (opcode < FIRST_CONTROL_OPCODE) this.#fragmented = (first & FIN) === 0;
    this.#closeFrame = opcode === CLOSE_OPCODE;
    this.#passing = true;
    this.#leftBytes = bytes;
    this.#passOn(Buffer.from(header));
    if (bytes === 0 && this.#closeFrame) this.stop();
  }

  #passOn(bytes: Buffer): void {
    this.#passedOn = true;
    this.#owner.passOn(bytes);
  }

  get #isMasked(): boolean {
    return ((this.#header[1] as number) & MASKED) !== 0;
  }

  #headerNeed(): number {
    if (this.#headerBytes < 2) return 2;
    const length = (this.#header[1] as number) & 0x7f;
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (this.#isMasked ? KEY_BYTES : 0);
  }

  #payloadBytes(): number {
    const length = (this.#header[1] as number) & 0x7f;
    if (length < 126) return length;
    if (length === 126) return this.#header.readUInt16BE(2);
    return this.#header.readUInt32BE(2) * 0x1_0000_0000 + this.#header.readUInt32BE(6);
  }

  #release(): void {
    const assembly = this.#assembly;
    this.#assembly = undefined;
    if (assembly?.length === ASSEMBLY_BYTES && spares.length < MAX_SPARES) spares.push(assembly);
  }
}

const rotated: Uint8Array = new Uint8Array(KEY_BYTES);
const rotatedWord: Uint32Array = new Uint32Array(rotated.buffer);

/** RFC 6455 section 5.3, a word at a time: a tenth of what it costs octet by octet. */
export function unmask(bytes: Uint8Array, key: Uint8Array): void {
  // What a connector sends inside TLS is masked with zeros (docs/protocol.md section 1).
  if (((key[0] as number) | (key[1] as number) | (key[2] as number) | (key[3] as number)) === 0) return;
  const before = Math.min(bytes.length, -bytes.byteOffset & 3);
  const words = (bytes.length - before) >>> 2;
  unmaskOctets(bytes, key, 0, before);
  for (let i = 0; i < KEY_BYTES; i++) rotated[i] = key[(before + i) & 3] as number;
  const word = rotatedWord[0] as number;
  // With no whole word the offset need not be a multiple of four, which would throw.
  const view = new Uint32Array(bytes.buffer, words === 0 ? 0 : bytes.byteOffset + before, words);
  for (let i = 0; i < words; i++) view[i] = (view[i] as number) ^ word;
  unmaskOctets(bytes, key, before + words * 4, bytes.length);
}

function unmaskOctets(bytes: Uint8Array, key: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) bytes[i] = (bytes[i] as number) ^ (key[i & 3] as number);
}
