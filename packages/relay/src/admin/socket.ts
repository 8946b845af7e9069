// The admin socket: HTTP/1.1 and JSON over a unix socket (mode 0600) in the state folder. Who may open that socket is who
// may read the state; there is no other authentication, and nothing of it is reachable from the network.
//
//   POST /v1/<operation>   {...}  ->  200 {...} | 400 | 404 | 500 {"error": code, "message": text}

import { chmodSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { SallyportError } from "@sallyport/shared/errors";
import type { AdminHandlers } from "./api.ts";

export const ADMIN_SOCKET_FILE = "admin.sock";
export const ADMIN_PATH_PREFIX = "/v1/";
/** sun_path of Linux, less the final NUL; macOS has four bytes less, so this is the bound everywhere. */
export const MAX_SOCKET_PATH_BYTES = 103;
export const MAX_ADMIN_BODY_BYTES = 1_048_576;
const REQUEST_TIMEOUT_MS = 30_000;

export interface AdminSocket {
  readonly path: string;
  /** Stops listening, ends what is open and removes the socket. */
  close(): Promise<void>;
}

export interface AdminSocketOptions {
  /** State folder. The caller holds the state's lock, so a socket that lies there belongs to a relay that is dead. */
  readonly folder: string;
  readonly handlers: AdminHandlers;
  /** Told of handlers that failed by a fault; never of input that was refused. */
  readonly onError?: (error: unknown) => void;
}

/** @throws ERR_ADMIN_SOCKET when the path is too long or cannot be used. */
export async function createAdminSocket(options: AdminSocketOptions): Promise<AdminSocket> {
  const path = adminSocketPath(options.folder);
  removeStaleSocket(path);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      options.onError?.(error);
      response.destroy();
    });
  });
  await listen(server, path);
  return {
    path,
    async close() {
      server.closeAllConnections();
      // Node removes the socket file itself when its server closes.
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** @throws ERR_ADMIN_SOCKET when the path does not fit into a socket address. */
export function adminSocketPath(folder: string): string {
  const path = join(folder, ADMIN_SOCKET_FILE);
  const length = Buffer.byteLength(path);
  if (length <= MAX_SOCKET_PATH_BYTES) return path;
  throw new SallyportError(
    "ERR_ADMIN_SOCKET",
    `The path of the admin socket, ${path}, has ${length} bytes; a unix socket takes ${MAX_SOCKET_PATH_BYTES}. Set \`state\` to a shorter path.`,
  );
}

function removeStaleSocket(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new SallyportError("ERR_ADMIN_SOCKET", `${path} is not a socket; move it out of the way.`);
  rmSync(path);
}

function listen(server: Server, path: string): Promise<void> {
  // The mode is set at creation, not after it: between the two anybody could connect.
  const before = process.umask(0o177);
  return new Promise<void>((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(new SallyportError("ERR_ADMIN_SOCKET", `The admin socket ${path} cannot be opened.`, { cause }));
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      chmodSync(path, 0o600);
      resolve();
    });
    // listen() binds a path before it returns, so the old mask holds again for everything else.
    process.umask(before);
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, options: AdminSocketOptions): Promise<void> {
  const operation = request.url?.startsWith(ADMIN_PATH_PREFIX) === true ? request.url.slice(ADMIN_PATH_PREFIX.length) : "";
  if (request.method !== "POST" || !Object.hasOwn(options.handlers, operation)) {
    return send(response, 404, {
      error: "ERR_ADMIN_OPERATION",
      message: "This relay has no such operation; the command may be of a newer version.",
    });
  }
  const body = await readBody(request);
  if (body === undefined)
    return send(response, 413, { error: "ERR_ADMIN_INPUT", message: `The input is over ${MAX_ADMIN_BODY_BYTES} bytes.` });
  try {
    const result = await options.handlers[operation]?.(JSON.parse(body));
    send(response, 200, result ?? null);
  } catch (error) {
    send(response, ...describe(error, options));
  }
}

function describe(error: unknown, options: AdminSocketOptions): [number, object] {
  if (error instanceof SyntaxError) return [400, { error: "ERR_ADMIN_INPUT", message: "The input is not JSON." }];
  if (error instanceof SallyportError) {
    if (error.code.startsWith("ERR_STATE_")) options.onError?.(error);
    return [400, { error: error.code, message: error.message }];
  }
  options.onError?.(error);
  return [500, { error: "ERR_ADMIN_FAULT", message: "The relay failed at this; its log says why." }];
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ADMIN_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(body));
}
