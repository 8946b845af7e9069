// The server name in a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), read before TLS begins, to choose
// between the handshake that asks for a client certificate and the one that does not. Only a choice of handshake: what was
// negotiated, and what a request may do, is judged by what TLS itself says afterwards. Pure.

/** More bytes than this are not waited for; hellos with post-quantum key shares have some 2,000. */
export const MAX_CLIENT_HELLO_BYTES = 16_384;
/** Nor more packets: each costs another look. */
export const MAX_CLIENT_HELLO_LOOKS = 64;

export type ClientHello =
  | { readonly kind: "more" }
  /** `serverName` in lower case; undefined: the client named none. */
  | { readonly kind: "hello"; readonly serverName: string | undefined }
  /** Not a ClientHello that this file understands. */
  | { readonly kind: "unreadable" };

const MORE: ClientHello = { kind: "more" };
const UNREADABLE: ClientHello = { kind: "unreadable" };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
const HOST_NAME = 0;
const RECORD_HEAD_BYTES = 5;
const MESSAGE_HEAD_BYTES = 4;
const MAX_RECORD_BYTES = 16_384;
/** legacy_version and random. */
const FIXED_BYTES = 2 + 32;

/**
 * Reads the first bytes of a connection; a hello may lie in several records and each of them in several packets. Linear in
 * what was received: who sends byte by byte is bounded by the caller.
 */
export function readClientHello(received: Buffer): ClientHello {
  const fragments: Buffer[] = [];
  let gathered = 0;
  let needed = MESSAGE_HEAD_BYTES;
  for (let at = 0; gathered < needed;) {
    if (at < received.length && received[at] !== HANDSHAKE_RECORD) return UNREADABLE;
    if (received.length < at + RECORD_HEAD_BYTES) return MORE;
    const length = received.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD_BYTES) return UNREADABLE;
    const fragment = received.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + length);
    fragments.push(fragment);
    gathered += fragment.length;
    if (needed === MESSAGE_HEAD_BYTES && gathered >= needed) {
      const head = Buffer.concat(fragments);
      if (head[0] !== CLIENT_HELLO) return UNREADABLE;
      needed += head.readUIntBE(1, 3);
      if (needed > MAX_CLIENT_HELLO_BYTES) return UNREADABLE;
    }
    if (fragment.length < length && gathered < needed) return MORE;
    at += RECORD_HEAD_BYTES + length;
  }
  return readHello(Buffer.concat(fragments).subarray(MESSAGE_HEAD_BYTES, needed));
}

function readHello(body: Buffer): ClientHello {
  try {
    const hello = new Cursor(body);
    hello.take(FIXED_BYTES);
    hello.vector(1);
    hello.vector(2);
    hello.vector(1);
    const extensions = new Cursor(hello.done ? Buffer.alloc(0) : hello.vector(2));
    if (!hello.done) return UNREADABLE;
    let names: Buffer | undefined;
    while (!extensions.done) {
      const type = extensions.number(2);
      const content = extensions.vector(2);
      if (type !== SERVER_NAME_EXTENSION) continue;
      if (names !== undefined) return UNREADABLE;
      names = content;
    }
    return { kind: "hello", serverName: names === undefined ? undefined : readServerName(names) };
  } catch {
    // Lengths that point outside of the message.
    return UNREADABLE;
  }
}

/** Exactly one host name, which is what every client sends and all that RFC 6066 defines. @throws RangeError */
function readServerName(content: Buffer): string {
  const outer = new Cursor(content);
  const list = new Cursor(outer.vector(2));
  const type = list.number(1);
  const name = list.vector(2);
  if (type !== HOST_NAME || name.length === 0 || !list.done || !outer.done) throw new RangeError("not one host name");
  return name.toString("latin1").toLowerCase();
}

/** Reads big-endian numbers and vectors with a length in front. @throws RangeError beyond the end */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new RangeError("beyond the end");
    return this.#bytes.subarray(this.#at, (this.#at += count));
  }

  number(width: 1 | 2): number {
    return this.take(width).readUIntBE(0, width);
  }

  vector(width: 1 | 2): Buffer {
    return this.take(this.number(width));
  }
}
