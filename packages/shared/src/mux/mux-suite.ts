// The contract of the multiplexer as an exported suite, run over memory and over real WebSockets.

import { createHash, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { NO_FIELDS, type Fields } from "../http/fields.ts";
import { GoawayReason, ResetCode } from "../protocol/codes.ts";
import { StreamKind, type OpenHead, type ResponseHead } from "../protocol/head.ts";
import { BufferBudget } from "./budget.ts";
import { MuxConnection, type CloseCause } from "./connection.ts";
import type { Goaway } from "../protocol/control.ts";
import type { Stream, StreamAcceptor, StreamHandler } from "./stream.ts";
import type { Transport } from "./transport.ts";

export interface MuxSuiteOptions {
  pair(): Promise<{ readonly relay: Transport; readonly connector: Transport; close(): Promise<void> }>;
}

const GET: OpenHead = {
  kind: StreamKind.HTTP,
  service: "wiki",
  assertion: 0,
  method: "GET",
  path: "/a?b=\xe9",
  authority: "wiki.example.com",
  fields: ["X-One", "1", "x-one", "2", "Empty", ""],
  contentLength: undefined,
};

/** Collects what a handler is told, and consumes at once unless told otherwise. */
class Collector implements StreamHandler {
  readonly heads: ResponseHead[] = [];
  readonly chunks: Buffer[] = [];
  trailers: Fields | undefined;
  reset: ResetCode | undefined;
  resetText = "";
  stream: Stream | undefined;
  autoConsume = true;
  drains = 0;
  readonly #waiting: Array<{ readonly test: () => boolean; readonly resolve: () => void }> = [];

  onHead(head: ResponseHead, end = false): void {
    this.heads.push(head);
    if (end) this.trailers = NO_FIELDS;
    this.#settle();
  }

  onData(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk));
    if (this.autoConsume) this.stream?.consume(chunk.length);
    this.#settle();
  }

  onEnd(trailers: Fields): void {
    this.trailers = trailers;
    this.#settle();
  }

  onReset(code: ResetCode, detail: { readonly text: string }): void {
    this.reset = code;
    this.resetText = detail.text;
    this.#settle();
  }

  onDrain(): void {
    this.drains++;
    this.#settle();
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  get ended(): Promise<void> {
    return this.until(() => this.trailers !== undefined || this.reset !== undefined);
  }

  until(test: () => boolean): Promise<void> {
    if (test()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  #settle(): void {
    for (const waiter of this.#waiting.splice(0)) {
      if (waiter.test()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }
}

interface Rig {
  readonly relay: MuxConnection;
  readonly connector: MuxConnection;
  readonly relayClosed: Promise<CloseCause>;
  readonly connectorClosed: Promise<CloseCause>;
  readonly relayGoaway: Promise<Goaway>;
  readonly connectorGoaway: Promise<Goaway>;
  readonly budget: BufferBudget;
  close(): Promise<void>;
}

function side(role: "relay" | "connector", transport: Transport, budget: BufferBudget, acceptStream?: StreamAcceptor, firstStreamId = 1) {
  const closed = Promise.withResolvers<CloseCause>();
  const goaway = Promise.withResolvers<Goaway>();
  const connection = new MuxConnection({
    role,
    transport,
    budget,
    firstStreamId,
    handler: { ...(acceptStream === undefined ? {} : { acceptStream }), onGoaway: goaway.resolve, onClosed: closed.resolve },
  });
  return { connection, closed: closed.promise, goaway: goaway.promise };
}

/** Answers with the request's body. */
const echo: StreamAcceptor = (stream) => {
  let paused = 0;
  return {
    onHead: () => undefined,
    onData: (chunk) => {
      if (stream.write(chunk)) stream.consume(chunk.length);
      else paused += chunk.length;
    },
    onEnd: (trailers) => stream.end(trailers),
    onReset: () => undefined,
    onDrain: () => {
      stream.consume(paused);
      paused = 0;
    },
  };
};

const echoWithHead: StreamAcceptor = (stream, open, end) => {
  stream.sendHead({ status: 200, fields: ["Path", open.path, ...open.fields] }, end);
  return echo(stream, open, end);
};

export function muxSuite(options: MuxSuiteOptions): void {
  async function rig(acceptStream: StreamAcceptor = echoWithHead, firstStreamId = 1): Promise<Rig> {
    const { relay, connector, close } = await options.pair();
    const budget = new BufferBudget();
    const connectorSide = side("connector", connector, budget, acceptStream);
    const relaySide = side("relay", relay, budget, undefined, firstStreamId);
    return {
      relay: relaySide.connection,
      connector: connectorSide.connection,
      relayClosed: relaySide.closed,
      connectorClosed: connectorSide.closed,
      relayGoaway: relaySide.goaway,
      connectorGoaway: connectorSide.goaway,
      budget,
      close: async () => {
        relaySide.connection.close(GoawayReason.SHUTDOWN, "test over");
        await close();
      },
    };
  }

  function open(relay: MuxConnection, head: Partial<OpenHead> = {}, end = true): Collector {
    const collector = new Collector();
    collector.stream = relay.openStream({ ...GET, ...head }, end, collector);
    return collector;
  }

  it("carries heads byte for byte: order, case, duplicates, empty values, latin1", async () => {
    const { relay, close } = await rig();
    const answer = open(relay);
    await answer.ended;
    expect(answer.heads).toEqual([{ status: 200, fields: ["Path", "/a?b=\xe9", "X-One", "1", "x-one", "2", "Empty", ""] }]);
    expect(answer.trailers).toBe(NO_FIELDS);
    await close();
  });

  it("carries interim heads, a final head, a body and trailers in order", async () => {
    const { relay, close } = await rig((stream) => {
      stream.sendHead({ status: 103, fields: ["Link", "</a.css>"] }, false);
      stream.sendHead({ status: 200, fields: [] }, false);
      stream.write(Buffer.from("body"));
      stream.end(["Grpc-Status", "0"]);
      return new Collector();
    });
    const answer = open(relay);
    await answer.ended;
    expect(answer.heads.map((head) => head.status)).toEqual([103, 200]);
    expect(Buffer.concat(answer.chunks).toString()).toBe("body");
    expect(answer.trailers).toEqual(["Grpc-Status", "0"]);
    await close();
  });

  it("echoes 32 MiB with equal checksums, within the windows", async () => {
    const { relay, budget, close } = await rig();
    const answer = open(relay, { method: "POST" }, false);
    const sent = createHash("sha256");
    const block = randomBytes(1 << 16);
    for (let i = 0; i < 512; i++) {
      block.writeUInt32BE(i, 0);
      const chunk = Buffer.from(block);
      sent.update(chunk);
      const drains = answer.drains;
      if (answer.stream?.write(chunk) === false) await answer.until(() => answer.drains > drains);
    }
    answer.stream?.end();
    await answer.ended;
    expect(answer.bytes).toBe(512 << 16);
    expect(createHash("sha256").update(Buffer.concat(answer.chunks)).digest("hex")).toBe(sent.digest("hex"));
    expect(budget.heldBytes).toBe(0);
    await close();
  });

  it("keeps one stalled reader from blocking others, and its bytes within its window", async () => {
    const { relay, budget, close } = await rig((stream) => {
      stream.sendHead({ status: 200, fields: [] }, false);
      const block = Buffer.alloc(1 << 16);
      const handler = new Collector();
      const pump = (): void => {
        while (stream.open && stream.write(block)) continue;
      };
      handler.onDrain = pump;
      if (stream.id === 1) pump();
      else {
        stream.write(Buffer.from("small"));
        stream.end();
      }
      return handler;
    });
    const stalled = new Collector();
    stalled.autoConsume = false;
    stalled.stream = relay.openStream(GET, true, stalled);
    await stalled.until(() => stalled.bytes >= 65_536);
    const others = Array.from({ length: 200 }, () => open(relay));
    for (const other of others) await other.ended;
    expect(others.every((other) => Buffer.concat(other.chunks).toString() === "small")).toBe(true);
    expect(stalled.bytes).toBe(65_536);
    expect(budget.heldBytes).toBe(65_536);
    stalled.stream?.reset(ResetCode.CANCEL);
    expect(budget.heldBytes).toBe(0);
    await close();
  });

  it("half-closes: the answer goes on after the request ended, and the request after the answer ended", async () => {
    const late = Promise.withResolvers<string>();
    const { relay, close } = await rig((stream) => {
      const handler = new Collector();
      stream.sendHead({ status: 200, fields: [] }, false);
      stream.write(Buffer.from("early"));
      stream.end();
      handler.stream = stream;
      void handler.ended.then(() => late.resolve(Buffer.concat(handler.chunks).toString()));
      return handler;
    });
    const answer = open(relay, {}, false);
    await answer.ended;
    expect(answer.stream?.open).toBe(true);
    answer.stream?.write(Buffer.from("late"));
    answer.stream?.end();
    expect(await late.promise).toBe("late");
    expect(answer.stream?.open).toBe(false);
    await close();
  });

  it("tells a reset with its code, HTTP/2 code and text, in both directions", async () => {
    const told = new Collector();
    const { relay, close } = await rig((stream) => {
      if (stream.id === 1) stream.reset(ResetCode.ORIGIN_UNREACHABLE, { http2Code: 7, text: "ECONNREFUSED" });
      return told;
    });
    const refused = open(relay);
    await refused.ended;
    expect([refused.reset, refused.resetText]).toEqual([ResetCode.ORIGIN_UNREACHABLE, "ECONNREFUSED"]);
    const cancelled = open(relay, {}, false);
    cancelled.stream?.reset(ResetCode.CANCEL);
    await told.ended;
    expect(told.reset).toBe(ResetCode.CANCEL);
    expect(relay.streamCount).toBe(0);
    await close();
  });

  it("drains: streams in flight finish after GOAWAY, later ones are refused to the opener, then the connection closes", async () => {
    const started = Promise.withResolvers<Stream>();
    const { relay, connector, relayGoaway, relayClosed, close } = await rig((stream) => {
      started.resolve(stream);
      return new Collector();
    });
    const inFlight = open(relay);
    const stream = await started.promise;
    connector.goaway(GoawayReason.SHUTDOWN, 500, "restarting");
    const crossing = open(relay);
    expect(await relayGoaway).toMatchObject({ reason: GoawayReason.SHUTDOWN, delayMs: 500, text: "restarting", lastStreamId: 1 });
    expect(crossing.reset).toBe(ResetCode.REFUSED);
    expect(relay.openStream(GET, true, new Collector())).toBeUndefined();
    stream.sendHead({ status: 200, fields: [] }, false);
    stream.write(Buffer.from("finished"));
    stream.end();
    await inFlight.ended;
    expect(Buffer.concat(inFlight.chunks).toString()).toBe("finished");
    expect((await relayClosed).kind).not.toBe("violation");
    await close();
  });

  it("resets every stream with CONNECTION_LOST when the connection ends", async () => {
    const { relay, connector, close } = await rig((stream) => {
      stream.sendHead({ status: 200, fields: [] }, false);
      return new Collector();
    });
    const answers = Array.from({ length: 5 }, () => open(relay));
    for (const answer of answers) await answer.until(() => answer.heads.length === 1);
    connector.close(GoawayReason.SHUTDOWN, "gone");
    for (const answer of answers) await answer.ended;
    expect(answers.map((answer) => answer.reset)).toEqual(Array(5).fill(ResetCode.CONNECTION_LOST));
    await close();
  });

  it("drains to a new connection when ids are nearly used up, and never reuses one (R-K8)", async () => {
    const { relay, connectorGoaway, close } = await rig(echoWithHead, 0x7fff_ffff - 1_002);
    const ids: number[] = [];
    const answers: Collector[] = [];
    for (let i = 0; i < 5; i++) {
      const answer = open(relay);
      if (answer.stream === undefined) break;
      ids.push(answer.stream.id);
      answers.push(answer);
    }
    expect(ids).toEqual([0x7fff_ffff - 1_002, 0x7fff_ffff - 1_001, 0x7fff_ffff - 1_000]);
    expect((await connectorGoaway).reason).toBe(GoawayReason.EXHAUSTED);
    for (const answer of answers) await answer.ended;
    expect(answers.every((answer) => answer.heads.length === 1)).toBe(true);
    await close();
  });

  it("sends an assertion once and lets many streams refer to it", async () => {
    const seen: Array<string | undefined> = [];
    const connectorOf: { connection?: MuxConnection } = {};
    const made = await rig((stream, head) => {
      seen.push(connectorOf.connection?.assertion(head.assertion));
      stream.sendHead({ status: 204, fields: [] }, true);
      return new Collector();
    });
    connectorOf.connection = made.connector;
    made.relay.defineAssertion(7, "token-one");
    const first = [open(made.relay, { assertion: 7 }), open(made.relay, { assertion: 7 })];
    made.relay.defineAssertion(7, "token-two");
    for (const answer of [...first, open(made.relay, { assertion: 7 })]) await answer.ended;
    expect(seen).toEqual(["token-one", "token-one", "token-two"]);
    await made.close();
  });

  it("survives a handler that throws: its stream is reset, others go on", async () => {
    const { relay, close } = await rig((stream, head, end) => {
      if (head.path === "/throws") throw new Error("handler fault");
      return echoWithHead(stream, head, end);
    });
    const broken = open(relay, { path: "/throws" });
    await broken.ended;
    expect(broken.reset).toBe(ResetCode.INTERNAL);
    const fine = open(relay);
    await fine.ended;
    expect(fine.heads[0]?.status).toBe(200);
    await close();
  });
}
