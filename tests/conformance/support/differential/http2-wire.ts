// HTTP/2 frames written by hand, one stream after another on a connection: header lists that no library would send
// (literals without indexing, RFC 7541 section 6.2.2). Answers are decoded by asking for no dynamic table (R-D11).

import type { Socket } from "node:net";
import { HpackReader } from "./hpack-reader.ts";

export interface WireAnswer {
  /** undefined: the stream was reset, or the connection ended, before an answer. */
  readonly status: number | undefined;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Ended by END_STREAM. */
  readonly whole: boolean;
}

const DATA = 0x0;
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const SETTINGS = 0x4;
const PING = 0x6;
const GOAWAY = 0x7;
const WINDOW_UPDATE = 0x8;
const CONTINUATION = 0x9;
const END_STREAM = 0x1;
const ACK = 0x1;
const END_HEADERS = 0x4;
const MAX_FRAME_BYTES = 16_384;
const HEAD_BYTES = 9;
const HEADER_TABLE_SIZE = 0x1;

interface Waiting {
  readonly id: number;
  readonly resolve: (answer: WireAnswer) => void;
  status?: number;
  fields: (readonly [string, string])[];
}

export class Http2Wire {
  readonly #socket: Socket;
  readonly #hpack: HpackReader = new HpackReader();
  #received: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #waiting: Waiting | undefined;
  #block: Buffer = Buffer.alloc(0);
  #blockFlags = 0;
  usable = true;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("close", () => this.#end());
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    const noTable = Buffer.alloc(6);
    noTable.writeUInt16BE(HEADER_TABLE_SIZE, 0);
    this.#frame(SETTINGS, 0, 0, noTable);
  }

  /** One exchange; resolves whatever becomes of it. */
  request(headers: readonly string[], body: string | undefined): Promise<WireAnswer> {
    const id = this.#nextId;
    this.#nextId += 2;
    return new Promise((resolve) => {
      this.#waiting = { id, resolve, fields: [] };
      this.#writeHead(id, Buffer.concat(headers.map(part)), body === undefined ? END_STREAM : 0);
      if (body !== undefined) this.#frame(DATA, END_STREAM, id, Buffer.from(body, "latin1"));
    });
  }

  close(): void {
    this.usable = false;
    this.#socket.destroy();
  }

  #writeHead(id: number, block: Buffer, flags: number): void {
    for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME_BYTES) {
      const last = at + MAX_FRAME_BYTES >= block.length ? END_HEADERS : 0;
      this.#frame(at === 0 ? HEADERS : CONTINUATION, at === 0 ? flags | last : last, id, block.subarray(at, at + MAX_FRAME_BYTES));
    }
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    if (this.#socket.writable) this.#socket.write(Buffer.concat([head, payload]));
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= HEAD_BYTES) {
      const length = this.#received.readUIntBE(0, 3);
      if (this.#received.length < HEAD_BYTES + length) return;
      const [type, flags, stream] = [this.#received.readUInt8(3), this.#received.readUInt8(4), this.#received.readUInt32BE(5) & 0x7fffffff];
      const payload = this.#received.subarray(HEAD_BYTES, HEAD_BYTES + length);
      this.#received = this.#received.subarray(HEAD_BYTES + length);
      this.#take(type, flags, stream, payload);
    }
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case SETTINGS:
        if ((flags & ACK) === 0) this.#frame(SETTINGS, ACK, 0, Buffer.alloc(0));
        return;
      case PING:
        if ((flags & ACK) === 0) this.#frame(PING, ACK, 0, payload);
        return;
      case HEADERS:
      case CONTINUATION:
        this.#block = type === HEADERS ? Buffer.from(payload) : Buffer.concat([this.#block, payload]);
        if (type === HEADERS) this.#blockFlags = flags;
        if ((flags & END_HEADERS) !== 0) this.#takeHead(stream);
        return;
      case DATA:
        if (payload.length > 0) this.#giveCredit(stream, payload.length);
        if ((flags & END_STREAM) !== 0) this.#answer(stream, true);
        return;
      case RST_STREAM:
        return this.#answer(stream, false);
      case GOAWAY:
        this.usable = false;
        return;
      default:
    }
  }

  #takeHead(stream: number): void {
    const fields = this.#hpack.read(this.#block);
    const waiting = this.#waiting;
    if (waiting?.id === stream && !((waiting.status ?? 0) >= 200)) {
      waiting.status = Number(fields.find(([name]) => name === ":status")?.[1]);
      waiting.fields = fields;
    }
    if ((this.#blockFlags & END_STREAM) !== 0) this.#answer(stream, true);
  }

  #giveCredit(stream: number, bytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes, 0);
    this.#frame(WINDOW_UPDATE, 0, 0, payload);
    this.#frame(WINDOW_UPDATE, 0, stream, payload);
  }

  #answer(stream: number, whole: boolean): void {
    const waiting = this.#waiting;
    if (waiting?.id !== stream) return;
    this.#waiting = undefined;
    waiting.resolve({ status: waiting.status, fields: waiting.fields, whole });
  }

  #end(): void {
    this.usable = false;
    if (this.#waiting !== undefined) this.#answer(this.#waiting.id, false);
  }
}

function part(text: string, at: number): Buffer {
  return at % 2 === 0 ? Buffer.concat([Buffer.of(0), literal(text)]) : literal(text);
}

/** A string literal without Huffman coding (RFC 7541 sections 5.1 and 5.2). */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length = [Math.min(bytes.length, 127)];
  for (let rest = bytes.length - 127; rest >= 0; rest = rest < 128 ? -1 : rest >> 7) length.push(rest < 128 ? rest : (rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from(length), bytes]);
}
