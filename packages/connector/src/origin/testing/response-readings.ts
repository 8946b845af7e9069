// Two readings of the same octets as the response to one request: the connector's own, and node:http's client as the
// oracle (llhttp in its strict mode). For the differential and the fuzz tests. Must not know what is compared.

import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

import type { Fields } from "@sallyport/shared/http/fields";

import { ResponseReader } from "../http1-response.ts";
import type { ResponseSink } from "../http1-response.ts";

export type Reading =
  | {
      readonly kind: "whole";
      /** Status codes of interim responses. */
      readonly interim: readonly number[];
      readonly status: number;
      readonly fields: Fields;
      readonly body: string;
      readonly trailers: Fields;
    }
  | { readonly kind: "switched"; readonly fields: Fields; readonly first: string }
  /** Malformed, or cut before its end. */
  | { readonly kind: "refused" };

const REFUSED: Reading = { kind: "refused" };

/** What the engine reads from `pieces`, after which the origin ends the connection. */
export function ownReading(pieces: readonly Buffer[], method: string): Reading {
  const recorder = new Recorder();
  const reader = new ResponseReader(recorder);
  reader.begin(method);
  // Fed from memory that is overwritten at once, like the one that all sockets read into.
  for (const piece of pieces) {
    const { reading } = recorder;
    if (reading.kind === "switched") {
      // What comes behind the head is the new protocol's, in whichever read.
      recorder.reading = { ...reading, first: reading.first + piece.toString("latin1") };
      continue;
    }
    const shared = Buffer.from(piece);
    reader.read(shared);
    shared.fill(0xff);
  }
  reader.end();
  return recorder.reading;
}

class Recorder implements ResponseSink {
  reading: Reading = REFUSED;
  readonly #interim: number[] = [];
  #status = 0;
  #fields: Fields = [];
  #body = "";

  interim(status: number): void {
    this.#interim.push(status);
  }

  switched(fields: Fields, first: Buffer): void {
    this.reading = { kind: "switched", fields, first: first.toString("latin1") };
  }

  head(status: number, fields: Fields): void {
    this.#status = status;
    this.#fields = fields;
  }

  bodyBytes(chunk: Buffer): void {
    this.#body += chunk.toString("latin1");
  }

  complete(trailers: Fields): void {
    this.reading = { kind: "whole", interim: this.#interim, status: this.#status, fields: this.#fields, body: this.#body, trailers };
  }

  malformed(): void {
    this.reading = REFUSED;
  }

  stray(): void {
    // Behind the response; that is for the connection to judge.
  }
}

/** What node:http's client reads from `bytes`, after which the origin ends the connection. */
export function nodeReading(bytes: Buffer, method: string): Promise<Reading> {
  return new Promise((resolve) => {
    const interim: number[] = [];
    const socket = new Scripted(bytes);
    const outgoing = httpRequest({ createConnection: () => socket as unknown as Socket, method, insecureHTTPParser: false });
    const settle = (reading: Reading): void => {
      resolve(reading);
      outgoing.destroy();
      socket.destroy();
    };
    outgoing.on("information", ({ statusCode }) => interim.push(statusCode));
    outgoing.on("upgrade", (incoming, _socket, first: Buffer) =>
      settle({ kind: "switched", fields: incoming.rawHeaders, first: first.toString("latin1") }),
    );
    let answered = false;
    outgoing.on("response", (incoming) => {
      answered = true;
      readBody(incoming, interim, settle);
    });
    // Once there is a response, it says itself how it ended.
    outgoing.on("error", () => answered || settle(REFUSED));
    outgoing.on("close", () => answered || settle(REFUSED));
    outgoing.end();
  });
}

function readBody(incoming: IncomingMessage, interim: readonly number[], settle: (reading: Reading) => void): void {
  let body = "";
  incoming.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
  incoming.on("error", () => settle(REFUSED));
  incoming.on("close", () => settle(REFUSED));
  incoming.on("end", () => {
    const { statusCode: status = 0, rawHeaders: fields, rawTrailers: trailers } = incoming;
    settle(incoming.complete ? { kind: "whole", interim, status, fields, body, trailers } : REFUSED);
  });
}

/** A connection whose other side sends `bytes` once it was written to, and ends. */
class Scripted extends Duplex {
  #bytes: Buffer | undefined;

  constructor(bytes: Buffer) {
    super();
    this.#bytes = bytes;
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    callback();
    const bytes = this.#bytes;
    this.#bytes = undefined;
    if (bytes === undefined) return;
    this.push(bytes);
    this.push(null);
  }

  override _read(): void {
    // All of it is pushed at once.
  }

  // What node:http asks of a socket beyond a Duplex.

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
