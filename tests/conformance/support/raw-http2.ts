// A visitor that writes HTTP/2 frames itself: header lists that no HTTP/2 library would send (RFC 9113, and RFC 7541
// with literals only). Reads no more than what kind of answer came.

import { connect, type TLSSocket } from "node:tls";
import { within } from "../../harness/scratch.ts";
import type { Bed } from "./bed.ts";

/** RFC 9113 section 6. */
export const Http2Frame = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;
const { DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY } = Http2Frame;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
const ACK = 0x1;

export class RawHttp2 implements Disposable {
  readonly #socket: TLSSocket;
  readonly #answered = Promise.withResolvers<void>();
  readonly closed: Promise<void>;
  /** Error code of the GOAWAY that came; undefined without one. */
  goaway: number | undefined;
  /** Bytes of DATA by stream, and the streams that ended well or were reset. */
  readonly bodyBytes = new Map<number, number>();
  readonly ended = new Map<number, "end" | "reset">();
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: TLSSocket, settings: Uint8Array) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => this.#answered.resolve());
    this.closed = new Promise((resolve) => void socket.once("close", () => resolve()));
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.frame(SETTINGS, 0, 0, settings);
  }

  /** @param settings payload of the first SETTINGS */
  static async connect(bed: Bed, settings: Uint8Array = Buffer.alloc(0)): Promise<RawHttp2> {
    const socket = connect({ host: "127.0.0.1", port: bed.tlsPort, servername: "app.example.test", ca: bed.ca, ALPNProtocols: ["h2"] });
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", () => resolve());
      socket.once("error", reject);
    });
    return new RawHttp2(socket, settings);
  }

  /** Stream 1: the header list as literals, exactly as given, and one DATA frame. */
  request(headers: readonly string[], body: string): void {
    this.headers(1, headers, END_HEADERS);
    this.frame(DATA, END_STREAM, 1, Buffer.from(body, "latin1"));
  }

  /** A header list as literals, exactly as given. */
  headers(stream: number, headers: readonly string[], flags: number): void {
    this.frame(HEADERS, flags, stream, headerBlock(headers));
  }

  /** What is written in `run` arrives in one read. */
  together(run: () => void): void {
    this.#socket.cork();
    run();
    this.#socket.uncork();
  }

  frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  /** The stream was answered or reset, or the connection ended. */
  async answered(): Promise<void> {
    await within(10_000, "an answer, a reset or a close", this.#answered.promise);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 9) {
      const length = this.#received.readUIntBE(0, 3);
      if (this.#received.length < 9 + length) return;
      const [type, flags] = [this.#received.readUInt8(3), this.#received.readUInt8(4)];
      const stream = this.#received.readUInt32BE(5);
      if (type === GOAWAY) this.goaway ??= this.#received.readUInt32BE(9 + 4);
      this.#received = this.#received.subarray(9 + length);
      if (type === SETTINGS && (flags & ACK) === 0) this.frame(SETTINGS, ACK, 0, Buffer.alloc(0));
      if (type === DATA) this.bodyBytes.set(stream, (this.bodyBytes.get(stream) ?? 0) + length);
      const ends = (type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0;
      if (ends || type === RST_STREAM) this.ended.set(stream, ends ? "end" : "reset");
      if (ends || type === RST_STREAM || type === GOAWAY) this.#answered.resolve();
    }
  }
}

/** A header block of literals without indexing (RFC 7541 section 6.2.2). */
export function headerBlock(headers: readonly string[]): Buffer {
  return Buffer.concat(headers.map((text, i) => (i % 2 === 0 ? Buffer.concat([Buffer.of(0), literal(text)]) : literal(text))));
}

/** A string literal without Huffman coding (RFC 7541 section 5.2). */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length > 126) throw new RangeError("longer than one length byte tells");
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
