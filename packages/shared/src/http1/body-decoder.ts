// The body of one HTTP/1.1 message after another on a connection: how many of the octets that arrive belong to it, and
// when it is whole (RFC 9112 section 6.3). Made once for a connection, not for each message. Must not know heads or sockets.

import { NO_FIELDS, type Fields } from "../http/fields.ts";
import { ChunkedDecoder, type BodySink } from "./chunked-decoder.ts";

export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  /** Until the peer ends the connection: responses only. */
  | { readonly kind: "until-close" };

export class BodyDecoder {
  #kind: BodyFraming["kind"] = "none";
  #left = 0;
  #chunked: ChunkedDecoder | undefined;

  /** The body is whole. One that lasts until the connection ends never is. */
  get done(): boolean {
    switch (this.#kind) {
      case "none":
        return true;
      case "length":
        return this.#left === 0;
      case "chunked":
        return (this.#chunked as ChunkedDecoder).done;
      case "until-close":
        return false;
    }
  }

  /** Trailers of a chunked body that is {@link done}. */
  get trailers(): Fields {
    return this.#kind === "chunked" ? (this.#chunked as ChunkedDecoder).trailers : NO_FIELDS;
  }

  begin(framing: BodyFraming): void {
    this.#kind = framing.kind;
    if (framing.kind === "length") this.#left = framing.length;
    else if (framing.kind === "chunked") (this.#chunked ??= new ChunkedDecoder()).reset();
  }

  /**
   * Hands the octets of `chunk` from `at` that belong to the body to `sink`.
   * @returns index of the first octet behind the body; -1 when the framing is broken: nothing more can be told apart
   */
  push(chunk: Buffer, at: number, sink: BodySink): number {
    switch (this.#kind) {
      case "none":
        return at;
      case "length":
        return this.#pushLength(chunk, at, sink);
      case "chunked":
        return (this.#chunked as ChunkedDecoder).push(chunk, at, sink);
      case "until-close":
        if (at < chunk.length) sink.bodyBytes(at === 0 ? chunk : chunk.subarray(at));
        return chunk.length;
    }
  }

  #pushLength(chunk: Buffer, at: number, sink: BodySink): number {
    const end = Math.min(chunk.length, at + this.#left);
    if (end === at) return at;
    this.#left -= end - at;
    sink.bodyBytes(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    return end;
  }
}
