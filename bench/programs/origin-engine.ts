// The connector's HTTP/1.1 engine by itself: what one exchange with an origin costs this process, without tunnel, relay or
// visitors. Not a row of `pnpm bench`: for whoever changes the engine. The origin is a child process that answers each read.
//
//   pnpm build && pnpm exec node bench/programs/origin-engine.ts [exchanges at once] [bytes per answer] [GET or POST]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

import type { OriginExchange, OriginFailure, OriginHandler, OriginRequest } from "@sallyport/connector/origin/exchange";
import { createHttp1Engine } from "@sallyport/connector/origin/http1-engine";
import { DEFAULT_ORIGIN_OPTIONS } from "@sallyport/connector/origin/options";
import { systemClock } from "@sallyport/shared/clock";

const ROUND_MS = 3_000;
const ROUNDS = 5;
const POOL_IDLE_MS = 4_000;
const UPLOAD = Buffer.alloc(512, "y");
const FIELDS = [
  ...["User-Agent", "Mozilla/5.0 (X11; Linux x86_64)", "Accept", "text/html,application/xhtml+xml", "Accept-Encoding", "gzip, br"],
  ...["Accept-Language", "en-US,en;q=0.9", "X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https", "Cookie", "a=b; c=d"],
  ...["Sallyport-Jwt-Assertion", "e".repeat(700)],
];

function serve(bytes: number): void {
  const head = `HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nETag: "abc-123"\r\nVary: Accept-Encoding\r\nContent-Length: ${bytes}\r\n\r\n`;
  const answer = Buffer.concat([Buffer.from(head, "latin1"), Buffer.alloc(bytes, "x")]);
  // Requests come in one write, so a read of a loopback socket is a request.
  const server = createServer((socket) => socket.on("error", () => socket.destroy()).on("data", () => socket.write(answer)));
  server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
}

class Exchange implements OriginHandler {
  readonly #over: () => void;
  exchange: OriginExchange | undefined;

  constructor(over: () => void) {
    this.#over = over;
  }

  ready(): void {
    this.exchange?.write(UPLOAD);
    this.exchange?.end();
  }
  head(status: number): void {
    if (status !== 200) throw new Error(`status ${status}`);
  }
  complete(): void {
    this.#over();
  }
  failed(failure: OriginFailure): void {
    throw new Error(failure.text);
  }
  interim(): void {}
  switched(): undefined {}
  body(): void {}
  writable(): void {}
}

async function measure(port: number, atOnce: number, method: string): Promise<void> {
  const address = { kind: "http", host: "127.0.0.1", port, secure: false, http2: false } as const;
  const engine = createHttp1Engine({ address, options: DEFAULT_ORIGIN_OPTIONS, clock: systemClock }, POOL_IDLE_MS);
  const body: OriginRequest["body"] = method === "POST" ? { kind: "length", bytes: UPLOAD.length } : { kind: "none" };
  const rest = { path: "/some/path?x=1", authority: "app.example.com", fields: FIELDS, expectContinue: false, upgrade: false };
  const request: OriginRequest = { method, body, ...rest };
  let answered = 0;
  const next = (): void => {
    const visitor = new Exchange(() => {
      answered++;
      next();
    });
    visitor.exchange = engine.open(request, visitor);
  };
  for (let i = 0; i < atOnce; i++) next();
  for (let round = 0; round < ROUNDS; round++) {
    const before = { answered, cpu: process.cpuUsage(), atMs: performance.now() };
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    const count = answered - before.answered;
    const { user, system } = process.cpuUsage(before.cpu);
    const perSecond = Math.round((count / (performance.now() - before.atMs)) * 1_000);
    const figures = [user + system, user, system].map((us) => (us / count).toFixed(1));
    process.stdout.write(`${perSecond}/s, CPU per exchange ${figures[0]} us (user ${figures[1]}, system ${figures[2]})\n`);
  }
}

const [first = "64", bytes = "1024", method = "GET"] = process.argv.slice(2);
if (first === "origin") serve(Number(bytes));
else {
  const origin = spawn(process.execPath, [import.meta.filename, "origin", bytes], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = (await once(origin.stdout, "data")) as [Buffer];
  await measure(Number(String(port)), Number(first), method);
  origin.kill();
  process.exit(0);
}
