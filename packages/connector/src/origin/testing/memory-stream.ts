// A stream of the tunnel in memory, for tests of the origin side: plays the relay, with credit and a bounded
// queue like the multiplexer's. Must not know origins.

import { NO_FIELDS } from "@sallyport/shared/http/fields";
import type { Fields } from "@sallyport/shared/http/fields";
import type { ResetDetail, Stream, StreamAcceptor, StreamHandler } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { StreamKind } from "@sallyport/shared/protocol/head";
import type { OpenHead, ResponseHead } from "@sallyport/shared/protocol/head";

const WINDOW_BYTES = 65_536;

export type Outcome =
  | { readonly kind: "end"; readonly trailers: Fields }
  | { readonly kind: "reset"; readonly code: ResetCode; readonly detail: Partial<ResetDetail> };

export interface MemoryStreamOptions {
  /** The relay reads nothing until {@link MemoryStream.read}: write() returns false once 64 KiB are queued. */
  readonly stalled?: boolean;
  /** Forget body bytes after counting them. */
  readonly discard?: boolean;
}

let nextId = 1;

export class MemoryStream implements Stream {
  readonly id: number = nextId++;
  readonly interim: ResponseHead[] = [];
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  onBytes: ((chunk: Uint8Array) => void) | undefined;
  consumed = 0;
  sent = 0;
  final: { readonly head: ResponseHead; readonly end: boolean } | undefined;
  outcome: Outcome | undefined;
  #handler: StreamHandler | undefined;
  #stalled: boolean;
  readonly #discard: boolean;
  #queuedBytes = 0;
  #refusedWrite = false;
  #visitorEnded = false;
  #watchers: (() => void)[] = [];

  constructor(options: MemoryStreamOptions = {}) {
    this.#stalled = options.stalled ?? false;
    this.#discard = options.discard ?? false;
  }

  get open(): boolean {
    return this.outcome === undefined || (this.outcome.kind === "end" && !this.#visitorEnded);
  }

  // The connector's half.

  sendHead(head: ResponseHead, end: boolean): void {
    if (this.final !== undefined) throw new Error("second final head");
    if (head.status < 200 && head.status !== 101) this.interim.push(head);
    else this.final = { head, end };
    if (end) this.#settle({ kind: "end", trailers: NO_FIELDS });
    this.#changed();
  }

  write(chunk: Uint8Array): boolean {
    if (this.outcome !== undefined) return true;
    if (this.final === undefined) throw new Error("body before head");
    this.bytes += chunk.length;
    // Its memory is used again when this returns.
    if (!this.#discard) this.chunks.push(Buffer.from(chunk));
    this.onBytes?.(chunk);
    if (this.#stalled) this.#queuedBytes += chunk.length;
    this.#changed();
    if (this.#queuedBytes < WINDOW_BYTES) return true;
    this.#refusedWrite = true;
    return false;
  }

  end(trailers: Fields = NO_FIELDS): void {
    if (this.final === undefined) throw new Error("end before head");
    this.#settle({ kind: "end", trailers });
  }

  reset(code: ResetCode, detail: Partial<ResetDetail> = {}): void {
    this.#settle({ kind: "reset", code, detail });
  }

  consume(bytes: number): void {
    this.consumed += bytes;
    if (this.consumed > this.sent) throw new Error("consumed more than was sent");
    this.#changed();
  }

  #settle(outcome: Outcome): void {
    this.outcome ??= outcome;
    this.#changed();
  }

  // The relay's half.

  attach(handler: StreamHandler): this {
    this.#handler = handler;
    return this;
  }

  send(chunk: Uint8Array | string): void {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk;
    this.sent += bytes.length;
    this.#handler?.onData(bytes);
  }

  /** Sends, as credit comes back. */
  async upload(chunk: Uint8Array): Promise<void> {
    await this.until(() => this.outcome?.kind === "reset" || this.sent - this.consumed + chunk.length <= WINDOW_BYTES);
    if (this.outcome?.kind !== "reset") this.send(chunk);
  }

  finish(): void {
    this.#visitorEnded = true;
    this.#handler?.onEnd(NO_FIELDS);
  }

  cancel(code: ResetCode = ResetCode.CANCEL, http2Code: number = 0): void {
    this.#handler?.onReset(code, { http2Code, text: "" });
  }

  /** The relay reads on after having been stalled. */
  read(): void {
    this.#stalled = false;
    this.#queuedBytes = 0;
    if (!this.#refusedWrite) return;
    this.#refusedWrite = false;
    setImmediate(() => this.#handler?.onDrain());
  }

  // Waiting.

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async head(): Promise<ResponseHead> {
    await this.until(() => this.final !== undefined || this.outcome !== undefined);
    if (this.final === undefined) throw new Error(`no head: ${JSON.stringify(this.outcome)}`);
    return this.final.head;
  }

  async done(): Promise<Outcome> {
    await this.until(() => this.outcome !== undefined);
    return this.outcome as Outcome;
  }

  /** The reset code, or an error when the stream ended well. */
  async failure(): Promise<{ readonly code: string; readonly text: string; readonly http2Code: number }> {
    const outcome = await this.done();
    if (outcome.kind === "end") throw new Error("stream ended without a reset");
    return { code: resetName(outcome.code), text: outcome.detail.text ?? "", http2Code: outcome.detail.http2Code ?? 0 };
  }

  async text(): Promise<string> {
    const outcome = await this.done();
    if (outcome.kind === "reset") throw new Error(`reset: ${resetName(outcome.code)} ${outcome.detail.text ?? ""}`);
    return this.received;
  }

  get received(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  get trailers(): Fields {
    return this.outcome?.kind === "end" ? this.outcome.trailers : NO_FIELDS;
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}

function resetName(code: ResetCode): string {
  return Object.entries(ResetCode).find(([, value]) => value === code)?.[0] ?? String(code);
}

export type OpenRequest = Partial<OpenHead> &
  MemoryStreamOptions & {
    /** No body follows. Default true. */
    readonly end?: boolean;
  };

/** Opens a stream as the relay would, of the service `app` unless it says otherwise. */
export function openStream(accept: StreamAcceptor, request: OpenRequest = {}): MemoryStream {
  const { end = true, stalled = false, discard = false, ...head } = request;
  const stream = new MemoryStream({ stalled, discard });
  const open: OpenHead = {
    kind: StreamKind.HTTP,
    service: "app",
    assertion: 0,
    method: "GET",
    path: "/",
    authority: "app.example.com",
    fields: NO_FIELDS,
    contentLength: undefined,
    ...head,
  };
  return stream.attach(accept(stream, open, end));
}
