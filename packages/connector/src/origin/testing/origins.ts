// Real origins on loopback for tests of the origin side, and routers to reach them. Everything a test starts is
// closed after it. Must not know what is tested.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { RequestListener, Server as HttpServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "@sallyport/shared/clock";
import type { Clock } from "@sallyport/shared/clock";
import { onTestFinished } from "vitest";

import type { OriginLogger } from "../logger.ts";
import { DEFAULT_ORIGIN_OPTIONS, parseOriginUrl } from "../options.ts";
import type { OriginAddress, OriginOptions, ServiceOptions } from "../options.ts";
import { createOriginRouter } from "../router.ts";
import type { OriginRouter } from "../router.ts";

export interface Line {
  readonly level: "info" | "warn";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function memoryLogger(): OriginLogger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const add = (level: Line["level"]) => (fields: object, message: string) => void lines.push({ level, fields: { ...fields }, message });
  return { lines, info: add("info"), warn: add("warn") };
}

export function address(url: string, http2: boolean = false): OriginAddress {
  const parsed = parseOriginUrl(url, http2);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.address;
}

type ServiceTest = Partial<OriginOptions> & Pick<Partial<ServiceOptions>, "healthCheck">;

export function service(origins: readonly OriginAddress[], { healthCheck, ...options }: ServiceTest = {}): ServiceOptions {
  return { origins: origins as [OriginAddress], options: { ...DEFAULT_ORIGIN_OPTIONS, ...options }, healthCheck };
}

export interface TestRouter extends OriginRouter {
  readonly lines: Line[];
}

/** A router with the one service `app`. */
export function routerTo(
  origins: readonly OriginAddress[] | OriginAddress,
  options: ServiceTest = {},
  clock: Clock = systemClock,
): TestRouter {
  const list = Array.isArray(origins) ? (origins as readonly OriginAddress[]) : [origins as OriginAddress];
  const logger = memoryLogger();
  const router = createOriginRouter(new Map([["app", service(list, options)]]), { logger, clock });
  onTestFinished(() => router.close());
  return { ...router, lines: logger.lines };
}

/** Listens on a free loopback port (or a socket path) and closes after the test, open connections included. */
export async function listening<S extends Server>(
  server: S,
  path?: string,
): Promise<S & { readonly port: number; readonly sockets: Set<Socket>; accepted: number }> {
  const sockets = new Set<Socket>();
  const counted = Object.assign(server, { sockets, accepted: 0, port: 0 });
  server.on("connection", (socket: Socket) => {
    counted.accepted++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => (path === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(path, resolve)));
  counted.port = path === undefined ? (server.address() as AddressInfo).port : 0;
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return counted;
}

export type HttpOrigin = HttpServer & { readonly port: number; readonly sockets: Set<Socket>; accepted: number };

export function httpOrigin(listener: RequestListener): Promise<HttpOrigin> {
  return listening(createHttpServer(listener));
}

/** An origin that speaks raw bytes; `answer` gets each request head (and what follows it) as text. */
export function rawOrigin(answer: (socket: Socket, request: string, count: number) => void): ReturnType<typeof listening<Server>> {
  let count = 0;
  return listening(
    createTcpServer((socket) => {
      let text = "";
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        const end = text.indexOf("\r\n\r\n");
        if (end === -1) return;
        const request = text;
        text = "";
        answer(socket, request, ++count);
      });
    }),
  );
}

/** A port on which nobody listens: it was free a moment ago and stays bound to nobody. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A self-signed certificate for one name, made now. */
export function certificateFor(name: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cert-"));
  try {
    const key = join(folder, "key.pem");
    const cert = join(folder, "cert.pem");
    const san = /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`;
    const options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    execFileSync("openssl", [...options, "-subj", `/CN=${name}`, "-addext", `subjectAltName=${san}`, "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A folder for socket files; removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
