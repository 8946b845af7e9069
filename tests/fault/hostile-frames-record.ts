// Valid sessions to mutate: what two real multiplexers said to each other in the exchanges the product has, frame by frame.

import { ManualClock } from "@sallyport/shared/clock";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { MuxConnection } from "@sallyport/shared/mux/connection";
import { memoryTransports, type MemoryTransport } from "@sallyport/shared/mux/memory-transport";
import type { Stream, StreamAcceptor, StreamHandler } from "@sallyport/shared/mux/stream";
import { GoawayReason, ResetCode } from "@sallyport/shared/protocol/codes";
import { encodeFrame, FrameType, readFrames } from "@sallyport/shared/protocol/frame";
import { StreamKind, type OpenHead } from "@sallyport/shared/protocol/head";

/** The frames of one session, one Buffer each, by who receives them; and which streams the relay opened. */
export interface Session {
  readonly title: string;
  readonly toRelay: readonly Buffer[];
  readonly toConnector: readonly Buffer[];
  readonly opens: ReadonlyArray<{ readonly id: number; readonly end: boolean }>;
}

export const GET: OpenHead = {
  kind: StreamKind.HTTP,
  service: "wiki",
  assertion: 0,
  method: "GET",
  path: "/page?x=1",
  authority: "wiki.example.com",
  fields: ["Accept", "*/*", "Accept-Language", "de", "X-Trace", "\xe9"],
  contentLength: undefined,
};

const ignore = (): void => undefined;

/** A handler that consumes at once and leaves the rest to `change`. */
function handler(stream: () => Stream | undefined, change: Partial<StreamHandler> = {}): StreamHandler {
  return { onHead: ignore, onData: (chunk) => stream()?.consume(chunk.length), onEnd: ignore, onReset: ignore, onDrain: ignore, ...change };
}

interface Scene {
  readonly relay: MuxConnection;
  readonly connector: MuxConnection;
  readonly clock: ManualClock;
  turns(count: number): Promise<void>;
  open(change?: Partial<OpenHead>, end?: boolean): Stream;
}

type Scenario = readonly [title: string, accept: StreamAcceptor, play: (scene: Scene) => Promise<void>];

/** Answers with an interim head, a final one, a body of the size in the path, and trailers. */
const answers: StreamAcceptor = (stream, open) => {
  stream.sendHead({ status: 103, fields: ["Link", "</a.css>; rel=preload"] }, false);
  stream.sendHead({ status: 200, fields: ["Content-Type", "text/html", "Set-Cookie", "a=1", "Set-Cookie", "b=2"] }, false);
  const size = Number(/size=(\d+)/.exec(open.path)?.[1] ?? 500);
  for (let sent = 0; sent < size; sent += 3_000) stream.write(Buffer.alloc(Math.min(3_000, size - sent), 0x61));
  stream.end(["Server-Timing", "db;dur=53"]);
  return handler(() => stream);
};

const echoes: StreamAcceptor = (stream, open) => {
  stream.sendHead({ status: open.kind === StreamKind.UPGRADE ? 101 : 200, fields: ["Upgrade", "websocket"] }, false);
  return handler(() => stream, {
    onData: (chunk) => {
      stream.write(Buffer.from(chunk));
      stream.consume(chunk.length);
    },
    onEnd: (trailers) => stream.end(trailers),
  });
};

const resets: StreamAcceptor = (stream) => {
  if (stream.id % 3 === 0) stream.reset(ResetCode.ORIGIN_UNREACHABLE, { text: "ECONNREFUSED" });
  else if (stream.id % 3 === 1) stream.sendHead({ status: 200, fields: [] }, false);
  return handler(() => stream);
};

const SCENARIOS: readonly Scenario[] = [
  [
    "downloads with trailers",
    answers,
    async ({ open, turns }) => {
      for (let i = 0; i < 12; i++) open({ path: `/page?size=${i * 2_500}` });
      await turns(30);
    },
  ],
  [
    "many small answers at once",
    answers,
    async ({ open, turns }) => {
      for (let i = 0; i < 40; i++) open({ path: `/page?size=${i}` });
      await turns(10);
    },
  ],
  [
    "uploads with trailers",
    echoes,
    async ({ open, turns }) => {
      const streams = Array.from({ length: 4 }, () => open({ method: "POST", contentLength: 60_000 }, false));
      for (let sent = 0; sent < 20; sent++) {
        for (const stream of streams) stream.write(Buffer.alloc(3_000, sent));
        await turns(1);
      }
      for (const stream of streams) stream.end(["X-Checksum", "1"]);
      await turns(20);
    },
  ],
  [
    "upgrades and TCP with half-close",
    echoes,
    async ({ open, turns }) => {
      const streams = [open({ kind: StreamKind.UPGRADE }, false), open({ kind: StreamKind.TCP, method: "", path: "", fields: [] }, false)];
      for (let i = 0; i < 25; i++) {
        for (const stream of streams) stream.write(Buffer.from(`message ${i}`));
        await turns(1);
      }
      for (const stream of streams) stream.end();
      await turns(5);
    },
  ],
  [
    "resets from both sides",
    resets,
    async ({ open, turns }) => {
      const streams = Array.from({ length: 15 }, () => open({ method: "PUT" }, false));
      await turns(3);
      for (const stream of streams) stream.write(Buffer.alloc(700));
      await turns(3);
      for (const stream of streams) stream.reset(ResetCode.CANCEL, { http2Code: 8 });
      await turns(3);
    },
  ],
  [
    "assertions, keys, grants and pings",
    answers,
    async ({ relay, open, clock, turns }) => {
      relay.sendKeys("header.payload.signature");
      for (let i = 1; i <= 10; i++) {
        relay.defineAssertion(1 + (i % 4), `token-${i}`);
        open({ assertion: 1 + (i % 4) });
        clock.advance(3_000);
        await turns(2);
      }
      relay.sendHello('{"later":"grants"}');
      await turns(3);
    },
  ],
  [
    "a connector that drains",
    resets,
    async ({ connector, open, turns }) => {
      const streams = Array.from({ length: 10 }, () => open({}, false));
      await turns(3);
      connector.goaway(GoawayReason.SHUTDOWN, 1_000, "restarting");
      for (const stream of streams) stream.end();
      await turns(3);
      for (const stream of streams) stream.reset(ResetCode.CANCEL);
      await turns(5);
    },
  ],
  [
    "a relay that drains",
    echoes,
    async ({ relay, open, turns }) => {
      const streams = Array.from({ length: 10 }, () => open({}, false));
      await turns(3);
      relay.goaway(GoawayReason.SHUTDOWN, 0, "restarting");
      for (const stream of streams) {
        stream.write(Buffer.alloc(2_000));
        stream.end();
      }
      await turns(6);
    },
  ],
];

/** Notes every frame that leaves through a transport. */
function tap(transport: MemoryTransport): Buffer[] {
  const frames: Buffer[] = [];
  const send = transport.send.bind(transport);
  transport.send = (message) => {
    readFrames(Buffer.from(message), {
      onFrame: (type, end, id, bytes, start, stop) => frames.push(encodeFrame(type, id, bytes.subarray(start, stop), end)),
    });
    send(message);
  };
  return frames;
}

async function play([title, accept, run]: Scenario): Promise<Session> {
  const [relayEnd, connectorEnd] = memoryTransports();
  const toConnector = tap(relayEnd);
  const toRelay = tap(connectorEnd);
  const clock = new ManualClock();
  const budget = new BufferBudget();
  const causes: string[] = [];
  const onClosed = (cause: { readonly kind: string }): void => void causes.push(cause.kind);
  const relay = new MuxConnection({ role: "relay", transport: relayEnd, budget, clock, handler: { onClosed } });
  const connector = new MuxConnection({
    role: "connector",
    transport: connectorEnd,
    budget,
    clock,
    handler: { acceptStream: accept, onClosed },
  });
  await run({
    relay,
    connector,
    clock,
    turns: async (count) => {
      for (let i = 0; i < count * 3; i++) await new Promise((resolve) => setImmediate(resolve));
    },
    open: (change = {}, end = true) => {
      const made: { stream?: Stream | undefined } = {};
      made.stream = relay.openStream(
        { ...GET, ...change },
        end,
        handler(() => made.stream),
      );
      if (made.stream === undefined) throw new Error(`${title}: the relay takes no stream`);
      return made.stream;
    },
  });
  if (causes.includes("violation") || causes.includes("dead")) throw new Error(`${title}: not a valid session (${causes.join()})`);
  relayEnd.cut();
  const opens = toConnector
    .filter((frame) => frame[0] === FrameType.OPEN)
    .map((frame) => ({ id: frame.readUInt32BE(4) & 0x7fff_ffff, end: (frame[4] as number) > 127 }));
  return { title, toRelay, toConnector, opens };
}

export async function recordSessions(): Promise<readonly Session[]> {
  const sessions: Session[] = [];
  for (const scenario of SCENARIOS) sessions.push(await play(scenario));
  return sessions;
}
