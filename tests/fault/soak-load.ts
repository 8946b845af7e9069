// Mixed visitors of a soak run: small requests, large bodies with checksums, event streams and WebSockets, each in a loop until
// told to stop. Every exchange is checked; a failure keeps what it was, when, and why.

import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { receiveBulk, sendBulk } from "../harness/bulk.ts";
import type { Relay } from "../harness/relay.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";
import { nextMessage, openWebSocket } from "../harness/websocket.ts";

const LARGE_BYTES = 4 << 20;
const EVENTS = 5;
const EVENT_GAP_MS = 100;
const MAX_FAILURES = 10_000;

export interface Failure {
  readonly kind: string;
  readonly why: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What stands behind the connectors for everything but WebSockets. */
export const serveSoak: RequestListener = (request, response) => {
  const path = request.url ?? "";
  if (path === "/large" && request.method === "GET") {
    const body = Buffer.alloc(LARGE_BYTES, Math.random().toString());
    response.setHeader("X-Sha256", createHash("sha256").update(body).digest("hex"));
    return void response.end(body);
  }
  if (path === "/large") return void receiveBulk(request).then(({ sha256 }) => response.end(sha256), ignore);
  request.resume();
  if (path !== "/events") return void request.on("end", () => response.end(path));
  response.setHeader("Content-Type", "text/event-stream");
  let event = 0;
  const timer = setInterval(() => {
    response.write(`data: ${++event}\n\n`);
    if (event < EVENTS) return;
    clearInterval(timer);
    response.end();
  }, EVENT_GAP_MS);
  response.on("close", () => clearInterval(timer));
};

export class SoakLoad {
  readonly counts = new Map<string, number>();
  readonly failures: Failure[] = [];
  readonly #relay: Relay;
  readonly #work: Promise<void>[];
  #stopping = false;

  /** @param socketUrl path and application of an echoing WebSocket */
  constructor(relay: Relay, application: string, echo: string) {
    this.#relay = relay;
    const small = (number: number): Promise<void> => this.#loop("small", () => this.#small(application, number));
    this.#work = [
      ...Array.from({ length: 4 }, (_, number) => small(number)),
      this.#loop("download", () => this.#download(application)),
      this.#loop("upload", () => this.#upload(application)),
      this.#loop("events", () => this.#events(application)),
      this.#loop("websocket", () => this.#webSocket(echo)),
    ];
  }

  get exchanges(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#work);
  }

  async #loop(kind: string, exchange: () => Promise<string | undefined>): Promise<void> {
    while (!this.#stopping) {
      const fromMs = performance.now();
      const why = await exchange().catch((error: unknown) => String(error));
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      if (why === undefined) continue;
      if (this.failures.length < MAX_FAILURES) this.failures.push({ kind, why, fromMs, toMs: performance.now() });
      // No busy loop against a relay that is not there.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #small(application: string, number: number): Promise<string | undefined> {
    const path = `/small/${number}`;
    const { status, body } = await visit(this.#relay, application, path);
    return status === 200 && body.toString() === path ? undefined : `${status} ${body.toString().slice(0, 200)}`;
  }

  async #download(application: string): Promise<string | undefined> {
    const request = openVisit(this.#relay, application, "/large");
    request.end();
    const response = await answer(request);
    const { bytes, sha256 } = await receiveBulk(response);
    if (response.statusCode !== 200) return `${response.statusCode}`;
    return bytes === LARGE_BYTES && sha256 === response.headers["x-sha256"] ? undefined : `${bytes} bytes, or a wrong checksum`;
  }

  async #upload(application: string): Promise<string | undefined> {
    const request = openVisit(this.#relay, application, "/large", { method: "POST" });
    const answered = answer(request);
    const [sent, response] = await Promise.all([sendBulk(request, LARGE_BYTES), answered]);
    let told = "";
    for await (const chunk of response) told += String(chunk);
    return told === sent ? undefined : `${response.statusCode} ${told.slice(0, 200)}`;
  }

  async #events(application: string): Promise<string | undefined> {
    const { status, body } = await visit(this.#relay, application, "/events");
    const whole = Array.from({ length: EVENTS }, (_, i) => `data: ${i + 1}\n\n`).join("");
    return status === 200 && body.toString() === whole ? undefined : `${status} ${body.toString().slice(0, 200)}`;
  }

  async #webSocket(echo: string): Promise<string | undefined> {
    const socket = await openWebSocket(this.#relay, echo, "/");
    socket.on("error", ignore);
    try {
      for (let i = 0; i < EVENTS; i++) {
        const back = nextMessage(socket);
        socket.send(`message ${i}`);
        const text = (await back).toString();
        if (text !== `message ${i}`) return text;
        await new Promise((resolve) => setTimeout(resolve, EVENT_GAP_MS));
      }
      return undefined;
    } finally {
      socket.terminate();
    }
  }
}

function ignore(): void {}
