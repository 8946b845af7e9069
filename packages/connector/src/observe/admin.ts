// The optional listener for metrics and health (O4, R-L11): loopback by default, off by default, and nothing on it that
// changes anything. Must not know the tunnel; asks whoever made it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SallyportError } from "@sallyport/shared/errors";
import type { SocketAddress } from "../config/values.ts";
import { isLoopbackHost } from "../tunnel/lookup.ts";

export interface AdminSources {
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Ready: at least one authenticated connection takes streams. */
  readonly ready: () => boolean;
  /** JSON value for /readyz, for people. */
  readonly status: () => unknown;
}

export interface AdminListener {
  readonly address: AddressInfo;
  close(): void;
}

/** @throws SallyportError ERR_ADMIN_LISTEN when the address cannot be listened on. */
export async function listenAdmin(address: SocketAddress, sources: AdminSources): Promise<AdminListener> {
  const server = createServer((request, response) => {
    answer(address, sources, request, response).catch(() => response.destroy());
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  server.maxConnections = 64;
  await listening(server, address);
  return {
    address: server.address() as AddressInfo,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(address: SocketAddress, sources: AdminSources, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!hostAllowed(address, request.headers.host)) return send(response, 421, "text/plain", "ask for this listener by its address\n");
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, "text/plain", "GET only\n");
  switch (request.url) {
    case "/healthz":
      return send(response, 200, "text/plain", "ok\n");
    case "/readyz":
      return send(response, sources.ready() ? 200 : 503, "application/json", `${JSON.stringify(sources.status())}\n`);
    case "/metrics": {
      const { contentType, body } = await sources.metrics();
      return send(response, 200, contentType, body);
    }
    default:
      return send(response, 404, "text/plain", "there are /metrics, /healthz and /readyz\n");
  }
}

// A web page that had its name rebound to 127.0.0.1 sends its own name as Host: only addresses and localhost pass.
function hostAllowed(address: SocketAddress, host: string | undefined): boolean {
  if (!isLoopbackHost(address.host)) return true;
  return host !== undefined && isLoopbackHost(host.replace(/:\d+$/, ""));
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "Content-Type": contentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" }).end(body);
}

function listening(server: Server, { host, port }: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void =>
      reject(
        new SallyportError(
          "ERR_ADMIN_LISTEN",
          `the admin listener cannot listen on ${host}:${port} (${cause.code ?? "unknown"}): choose another admin.address`,
          { cause },
        ),
      );
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve();
    });
  });
}
