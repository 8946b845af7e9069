// Sends one request of the corpus as a visitor does, over HTTP/1.1 or HTTP/2, and says what came back. Must not know what
// the answer should have been.

import { connect, type TLSSocket } from "node:tls";
import { RawClient } from "../../../harness/raw-client.ts";
import { within } from "../../../harness/scratch.ts";
import type { Bed } from "../bed.ts";
import { fill, request, type CorpusRequest, type Filling } from "../corpus/corpus-request.ts";
import { readResponses, type WireResponse } from "../wire.ts";
import { Http2Wire, type WireAnswer } from "./http2-wire.ts";

/** What a visitor got; the first final answer counts. */
export interface Got {
  /** undefined: the connection or stream ended without an answer. */
  readonly status: number | undefined;
  /** Code in Sallyport-Error; undefined when the origin answered. */
  readonly error: string | undefined;
  /** Final answers on the connection, the pipelined next request's included. */
  readonly answers: number;
  /** The answer was said to be whole. */
  readonly whole: boolean;
  /** Neither answered nor ended in time: bytes were taken for the beginning of something that never came. */
  readonly hangs: boolean;
}

const WAIT_MS = 5_000;

/** Value of X-Case of the sound request that is pipelined behind. */
export function nextMarker(marker: string): string {
  return `${marker}-next`;
}

/**
 * Over HTTP/1.1 on a connection of its own. Behind it stands one more, sound request, to see whether the bytes of the first
 * end where they should; a body that never ends well is ended with the connection instead.
 */
export async function visitHttp1(bed: Bed, one: CorpusRequest, filling: Filling): Promise<Got> {
  using client = await RawClient.connect({ port: bed.port });
  const bytes = fill(one.template, filling);
  if (one.fate.kind === "cut") {
    client.send(bytes);
    client.end();
  } else {
    const next = request({ target: "/next", lines: ["Host: {host}", "X-Case: {case}", "Connection: close"] });
    client.send(bytes + fill(next, { host: filling.host, marker: nextMarker(filling.marker) }));
  }
  const hangs = await client.untilClosed(WAIT_MS).then(
    () => false,
    () => true,
  );
  const method = /^\s*([A-Z]+) /.exec(one.template)?.[1] ?? "GET";
  return summarise(readResponses(client.received, [method]), hangs);
}

function summarise(responses: readonly WireResponse[], hangs: boolean): Got {
  const finals = responses.filter(({ status }) => status >= 200);
  const [first] = finals;
  return {
    status: first?.status,
    error: first?.value("sallyport-error"),
    answers: finals.length,
    whole: first?.complete ?? false,
    hangs,
  };
}

/** A visitor over HTTP/2: one connection as long as the relay keeps it, then another. */
export class Http2Visitor implements Disposable {
  readonly #bed: Bed;
  readonly #host: string;
  #wire: Http2Wire | undefined;

  constructor(bed: Bed, host: string) {
    this.#bed = bed;
    this.#host = host;
  }

  async visit(headers: readonly string[], body: string | undefined, filling: Filling): Promise<Got> {
    const filled = headers.map((text) => fill(text, filling));
    const wire = await this.#open();
    const answer = await within(WAIT_MS, "an answer over HTTP/2", wire.request(filled, body));
    return summariseHttp2(answer);
  }

  [Symbol.dispose](): void {
    this.#wire?.close();
  }

  async #open(): Promise<Http2Wire> {
    if (this.#wire?.usable === true) return this.#wire;
    this.#wire?.close();
    const { tlsPort, ca } = this.#bed;
    const socket: TLSSocket = connect({ host: "127.0.0.1", port: tlsPort, servername: this.#host, ca, ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", () => resolve());
      socket.once("close", () => reject(new Error("no TLS connection")));
    });
    this.#wire = new Http2Wire(socket);
    return this.#wire;
  }
}

function summariseHttp2({ status, fields, whole }: WireAnswer): Got {
  const error = fields.find(([name]) => name === "sallyport-error")?.[1];
  return { status, error, answers: status === undefined ? 0 : 1, whole, hangs: false };
}
