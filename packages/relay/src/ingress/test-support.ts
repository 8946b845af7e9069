// For the tests of this folder: a server on a free loopback port, a raw visitor that speaks bytes, a recorder of what
// an exchange tells its owner, and certificates made on the spot.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { systemClock } from "@sallyport/shared/clock";
import { Secret } from "@sallyport/shared/secret";
import type { IngressExchange, IngressHandler } from "./exchange.ts";
import type { RefusalCode } from "./refusals.ts";
import { createIngressServer, type IngressServer, type IngressServerOptions } from "./server.ts";
import type { Certificate } from "./tls.ts";

/** A self-signed certificate for `names`; the key exists only for this run. */
export function makeCertificate(...names: readonly string[]): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cert-"));
  try {
    const key = join(folder, "key.pem");
    const cert = join(folder, "cert.pem");
    const alternatives = names.map((name) => `DNS:${name}`).join(",");
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", [...request, "-subj", "/CN=test", "-addext", `subjectAltName=${alternatives}`, "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    return { certPem: readFileSync(cert, "utf8"), keyPem: new Secret(readFileSync(key, "utf8")) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const running = new Set<IngressServer>();

/** One plain listener on a free port of loopback unless `options` says otherwise; {@link stopServers} ends it. */
export async function startServer(
  options: Partial<IngressServerOptions> & Pick<IngressServerOptions, "onExchange">,
): Promise<{ server: IngressServer; port: number }> {
  const server = createIngressServer({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    clock: systemClock,
    newRequestId: () => "r-test",
    ...options,
  });
  const [address] = await server.start();
  running.add(server);
  return { server, port: address?.port ?? 0 };
}

export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.close({ graceMs: 0 })));
  running.clear();
}

/** A visitor that writes bytes and collects what comes back, as latin1 text. */
export class RawVisitor {
  readonly socket: Socket;
  received = "";
  error: NodeJS.ErrnoException | undefined;
  readonly closed: Promise<void>;

  /** `reads: false` never takes a byte; `endsBack: false` keeps its own half open when the other side ends. */
  constructor(port: number, options: { readonly reads?: boolean; readonly endsBack?: boolean } = {}) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    if (options.reads !== false) this.socket.on("data", (chunk) => (this.received += chunk.toString("latin1")));
    this.socket.on("error", (error) => (this.error = error));
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
    if (options.endsBack !== false) this.socket.on("end", () => this.socket.end());
  }

  send(text: string | Uint8Array): this {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
    return this;
  }

  /** Resolves when what was received matches; rejects when the connection closes first. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.socket.destroyed) throw new Error(`closed before ${String(pattern)}: ${this.received}`);
      await Promise.race([once(this.socket, "data"), this.closed]);
    }
    return this.received;
  }

  /** Everything received until the connection closed. */
  async all(): Promise<string> {
    await this.closed;
    return this.received;
  }
}

/** Records what an exchange says, and lets a test wait for it. */
export class Recorder implements IngressHandler {
  readonly requestId: string = "id-of-the-owner";
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  readonly #waiting = new Set<() => void>();

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.#note("data");
  }

  onEnd(): void {
    this.#note("end");
  }

  onRefused(code: RefusalCode): void {
    this.#note(`refused ${code}`);
  }

  onAbort(http2Code: number): void {
    this.#note(`abort ${http2Code}`);
  }

  onDrain(): void {
    this.#note("drain");
  }

  onClose(): void {
    this.#note("close");
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  saw(event: string): Promise<void> {
    return this.until(() => this.events.includes(event));
  }

  #note(event: string): void {
    this.events.push(event);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

/** An `onExchange` that keeps exchanges with a recorder each, and lets a test wait for the next one. */
export class Exchanges {
  readonly list: { readonly exchange: IngressExchange; readonly recorder: Recorder }[] = [];
  readonly #waiting = new Set<() => void>();

  readonly onExchange = (exchange: IngressExchange): void => {
    const recorder = new Recorder();
    exchange.setHandler(recorder);
    this.list.push({ exchange, recorder });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  };

  async at(index: number): Promise<{ readonly exchange: IngressExchange; readonly recorder: Recorder }> {
    for (;;) {
      const found = this.list[index];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }
}

/** Answers with a small text at once. */
export function answer(exchange: IngressExchange, text = "ok", status = 200): void {
  const body = Buffer.from(text, "latin1");
  exchange.sendHead(status, ["Content-Length", String(body.length)], false);
  exchange.write(body);
  exchange.end();
}

/** An HTTP/2 client that writes frames itself: for what node:http2's client would never send, or not in that order. */
export class RawHttp2 {
  readonly socket: TLSSocket;
  #received: Buffer = Buffer.alloc(0);
  readonly frames: { readonly type: number; readonly flags: number; readonly stream: number; readonly payload: Buffer }[] = [];
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = tlsConnect({ port, host: "127.0.0.1", servername: "app.test", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.closed = new Promise((resolve) => void this.socket.once("close", () => resolve()));
    this.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(0));
  }

  frame(type: number, flags: number, stream: number, payload: Uint8Array): this {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.socket.write(Buffer.concat([head, payload]));
    return this;
  }

  /** `POST /` with an open body: three fields of the static table and a literal authority (RFC 7541 appendix A). */
  post(stream: number, contentLength?: string): this {
    const length = contentLength === undefined ? [] : [Buffer.from([0x0f, 0x0d, contentLength.length]), Buffer.from(contentLength)];
    return this.frame(
      FrameType.HEADERS,
      END_HEADERS,
      stream,
      Buffer.concat([Buffer.from([0x83, 0x84, 0x87, 0x41, 8]), Buffer.from("app.test"), ...length]),
    );
  }

  reset(stream: number, code: number): this {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code);
    return this.frame(FrameType.RST_STREAM, 0, stream, payload);
  }

  /** The error code of the GOAWAY that came before the connection closed. */
  async goaway(): Promise<number | undefined> {
    await this.closed;
    return this.frames.find(({ type }) => type === FrameType.GOAWAY)?.payload.readUInt32BE(4);
  }

  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 9) {
      const length = this.#received.readUIntBE(0, 3);
      if (this.#received.length < 9 + length) return;
      const payload = this.#received.subarray(9, 9 + length);
      this.frames.push({
        type: this.#received.readUInt8(3),
        flags: this.#received.readUInt8(4),
        stream: this.#received.readUInt32BE(5),
        payload,
      });
      this.#received = this.#received.subarray(9 + length);
    }
  }
}

const END_HEADERS = 0x4;
export const END_STREAM = 0x1;
/** RFC 9113 section 6. */
export const FrameType = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8 } as const;
