// Visitors who hardly read, three hundred at once, of a gibibyte each (T13, R-L6): what they cost relay and connector is
// bounded and belongs to nobody else. All are held back to the origin, none is cut, whoever reads is served meanwhile, and
// every octet that a slow reader gets is its own: the memory of bodies is used again, and never too early.

import { connect } from "node:net";
import type { Socket } from "node:net";
import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { startConnector } from "../harness/connector.ts";
import { mebibytes, MemorySampler } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay } from "../harness/relay.ts";
import type { Relay } from "../harness/relay.ts";
import { visit } from "../harness/visitor.ts";

const READERS = 300;
const ANSWER_BYTES = 2 ** 30;
const ROUNDS = 12;
const PIECE_BYTES = 65_536;
/** R-L6: 1,000 of them may cost 100 MB. And what the heap takes for other work, of which most is in it before. */
const MAX_GROWTH_BYTES = READERS * 100_000 + 35_000_000;
/** Small answers before anything is measured: a heap grows to some 40 MB more, whatever it begins to do. */
const WARM_UP_ROUNDS = 100;
/** Small answers between two looks at whether everything stands still. */
const VISITS = 20;

/** What the answers repeat, each from a place of its own. The length shares no factor with any size in the programs. */
const PERIOD_BYTES = 65_521;
const period = randomBytes(PERIOD_BYTES);
const twice = Buffer.concat([period, period]);

const phaseOf = (id: number): number => (id * 211) % PERIOD_BYTES;

function answerWithoutEnd(response: ServerResponse, id: number): void {
  const own = twice.subarray(phaseOf(id), phaseOf(id) + PERIOD_BYTES);
  response.writeHead(200, { "content-length": ANSWER_BYTES });
  const fill = (): void => {
    while (response.write(own)) continue;
  };
  response.on("drain", fill);
  fill();
}

class SlowReader {
  readonly #socket: Socket;
  readonly #id: number;
  #headEnded = false;
  #head = "";
  #bodyBytes = 0;
  #wantedBytes = 0;
  #resting: (() => void) | undefined;
  /** The first octet that is not this answer's. */
  wrongAt: number | undefined;
  closed = false;

  constructor(relay: Relay, id: number) {
    this.#id = id;
    this.#socket = connect(relay.port, "127.0.0.1");
    this.#socket.on("data", (chunk: Buffer) => {
      this.#read(chunk);
      if (this.#bodyBytes >= this.#wantedBytes) this.#rest();
    });
    this.#socket.on("close", () => {
      this.closed = true;
      this.#rest();
    });
    this.#socket.on("error", () => {});
    this.#socket.pause();
    this.#socket.write(`GET /${id} HTTP/1.1\r\nHost: ${relay.host("web")}\r\n\r\n`);
  }

  /** Reads that much more, and then nothing. */
  async take(bytes: number): Promise<void> {
    this.#wantedBytes = this.#bodyBytes + bytes;
    await new Promise<void>((resolve) => {
      this.#resting = resolve;
      this.#socket.resume();
    });
  }

  #rest(): void {
    this.#socket.pause();
    this.#resting?.();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#headEnded) return this.#compare(chunk);
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) return;
    this.#headEnded = true;
    if (!this.#head.startsWith("HTTP/1.1 200 ")) throw new Error(this.#head);
    this.#compare(Buffer.from(this.#head.slice(end + 4), "latin1"));
  }

  #compare(body: Buffer): void {
    for (let at = 0; at < body.length;) {
      const from = (phaseOf(this.#id) + this.#bodyBytes) % PERIOD_BYTES;
      const size = Math.min(PERIOD_BYTES, body.length - at);
      if (body.compare(twice, from, from + size, at, at + size) !== 0) this.wrongAt ??= this.#bodyBytes;
      this.#bodyBytes += size;
      at += size;
    }
  }
}

test("300 visitors who hardly read 1 GiB each cost little memory, stay whole, and hold nobody up (R-L6, T13)", async () => {
  await using stack = new AsyncDisposableStack();
  const sockets = new Set<Socket>();
  const origin = await startOrigin(stack, (request, response) => {
    sockets.add(request.socket);
    if (request.url === "/small") response.end("small");
    else answerWithoutEnd(response, Number(request.url?.slice(1)));
  });
  const relay = await startRelay(stack, {
    applications: [{ name: "web" }],
    config: { limits: { connectionsPerAddress: 2 * READERS, streamsPerIdentity: 2 * READERS } },
  });
  const connector = await startConnector(stack, relay, { services: { web: origin.url } });
  const originBytes = (): number => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0);
  const serveOne = async (): Promise<void> => expect((await visit(relay, "web", "/small")).text()).toBe("small");
  const serveOthers = async (): Promise<void> => {
    for (let i = 0; i < VISITS; i++) await serveOne();
  };
  /** Everything that kernels and programs hold is full: nothing moves while others are served. */
  const standstill = async (): Promise<void> => {
    for (let before = -1, now = 0; now - before > VISITS * PIECE_BYTES || before === -1;) {
      before = originBytes();
      await serveOthers();
      now = originBytes();
    }
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await Promise.all(Array.from({ length: VISITS }, serveOne));
  const samplers = [relay, connector].map(({ program }) => ({ name: program.name, sampler: new MemorySampler(program.pid) }));

  const readers = Array.from({ length: READERS }, (_, id) => new SlowReader(relay, id));
  stack.defer(() => {
    for (const reader of readers) reader.destroy();
  });
  await Promise.all(readers.map((reader) => reader.take(PIECE_BYTES)));
  await standstill();
  const heldBack = originBytes();
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([serveOthers(), ...readers.map((reader) => reader.take(PIECE_BYTES))]);
  }
  await standstill();

  console.log(`origins got rid of ${mebibytes(heldBack)} before the first standstill, ${mebibytes(originBytes())} in all`);
  for (const { name, beforeBytes, peakBytes } of samplers.map(({ name, sampler }) => ({ name, ...sampler.stop() }))) {
    console.log(`${name} resident ${mebibytes(beforeBytes)} before, ${mebibytes(peakBytes)} at most`);
    expect(peakBytes - beforeBytes, `growth of the ${name}`).toBeLessThan(MAX_GROWTH_BYTES);
  }
  expect(readers.filter(({ closed }) => closed).length).toBe(0);
  expect(readers.map(({ wrongAt }) => wrongAt).filter((at) => at !== undefined)).toEqual([]);
  expect(await relay.metric("sallyport_buffer_evictions_total")).toBe(0);
  expect(originBytes()).toBeLessThan((READERS * ANSWER_BYTES) / 10);
});
