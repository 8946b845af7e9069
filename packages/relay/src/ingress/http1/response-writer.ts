// One HTTP/1.1 response as bytes: status line, fields, and the body in the framing that the visitor's version allows
// (RFC 9112 sections 4, 6 and 7). It holds the sender to the length it declared (R-D2). Must not know the socket or the request's body.

import { STATUS_CODES } from "node:http";
import type { Fields } from "@sallyport/shared/http/fields";
import type { IngressRequest } from "../exchange.ts";
import { hasNoBody, prepareHead, prepareTrailers } from "../outgoing.ts";
import type { OutgoingBytes } from "./outgoing-bytes.ts";

export interface ResponseCircumstances {
  readonly httpVersion: IngressRequest["httpVersion"];
  readonly method: string;
  /** Wall clock, for Date. */
  readonly nowMs: number;
  /** The connection ends after this response. */
  readonly closing: boolean;
}

/** How the visitor finds the end of the body. */
type Framing = "no-body" | "length" | "chunked" | "until-close";

export class ResponseWriter {
  readonly #out: OutgoingBytes;
  #framing: Framing = "no-body";
  /** Octets still owed under the declared Content-Length. */
  #owedBytes = 0;

  constructor(out: OutgoingBytes) {
    this.#out = out;
  }

  /** Only the end of the connection ends the body. */
  get untilClose(): boolean {
    return this.#framing === "until-close";
  }

  /** An interim response; 101 too. @throws SallyportError ERR_INGRESS_FIELD_INVALID, before anything is written. */
  interim(status: number, fields: Fields, own: string = ""): void {
    this.#out.text(`${statusLine(status)}${own}${fieldLines(prepareHead(status, fields, false).fields)}\r\n`);
  }

  /**
   * @param end neither body nor trailers follow
   * @returns whether the connection must close after this response
   * @throws SallyportError ERR_INGRESS_FIELD_INVALID, before anything is written.
   */
  head(status: number, fields: Fields, end: boolean, circumstances: ResponseCircumstances): boolean {
    const { fields: out, declaredLength } = prepareHead(status, fields, false);
    const { httpVersion, method, nowMs } = circumstances;
    let own = "";
    if (method === "HEAD" || hasNoBody(status)) this.#framing = "no-body";
    else if (declaredLength !== undefined) this.#framing = "length";
    else if (end) {
      this.#framing = "no-body";
      own = "Content-Length: 0\r\n";
    } else if (httpVersion === "1.0") this.#framing = "until-close";
    else {
      this.#framing = "chunked";
      own = "Transfer-Encoding: chunked\r\n";
    }
    this.#owedBytes = declaredLength ?? 0;
    const closing = circumstances.closing || this.#framing === "until-close";
    if (closing) own += "Connection: close\r\n";
    else if (httpVersion === "1.0") own += "Connection: keep-alive\r\n";
    this.#out.text(`${statusLine(status)}${fieldLines(out)}${hasDate(out) ? "" : dateLine(nowMs)}${own}\r\n`);
    return closing;
  }

  /** @returns false when this is more than was declared: nothing of it is written */
  body(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return true;
    switch (this.#framing) {
      case "no-body":
        return true;
      case "length":
        if (chunk.length > this.#owedBytes) return false;
        this.#owedBytes -= chunk.length;
        break;
      case "chunked":
        this.#out.text(`${chunk.length.toString(16)}\r\n`);
        this.#out.bytes(chunk);
        this.#out.text("\r\n");
        return true;
      case "until-close":
        break;
    }
    this.#out.bytes(chunk);
    return true;
  }

  /** @returns false when less was written than was declared: only a cut tells the visitor */
  end(trailers: Fields | undefined): boolean {
    if (this.#framing === "length") return this.#owedBytes === 0;
    if (this.#framing !== "chunked") return true;
    const lines = trailers === undefined || trailers.length === 0 ? "" : fieldLines(prepareTrailers(trailers, false));
    this.#out.text(`0\r\n${lines}\r\n`);
    return true;
  }
}

const STATUS_LINES: readonly string[] = Array.from({ length: 600 }, (_, status) => {
  const reason = STATUS_CODES[status] ?? (status < 200 ? "Interim" : "Unknown");
  return `HTTP/1.1 ${status} ${reason}\r\n`;
});

function statusLine(status: number): string {
  return STATUS_LINES[status] as string;
}

function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
}

function hasDate(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === 4 && name.toLowerCase() === "date") return true;
  }
  return false;
}

let dateSecond = -1;
let dateText = "";

function dateLine(nowMs: number): string {
  const second = Math.floor(nowMs / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = `Date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return dateText;
}
