// The TCP admin listener: metrics and health, nothing else, never on the public listener (R-L11). A web page must not be
// able to read it through the browser of somebody on this machine: other names in Host (DNS rebinding) and requests
// that a page of another origin made are refused.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isIP } from "node:net";
import { SallyportError } from "@sallyport/shared/errors";
import type { Health } from "../observe/health.ts";
import type { Metrics } from "../observe/metrics.ts";

const MAX_CONNECTIONS = 64;
const TIMEOUT_MS = 10_000;

export interface AdminListenerOptions {
  /** Name or literal to listen on; a name that is configured here is accepted in Host. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly onError?: (error: unknown) => void;
}

export interface AdminListener {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws ERR_ADMIN_LISTEN when the address cannot be used. */
export async function createAdminListener(options: AdminListenerOptions): Promise<AdminListener> {
  const server = createServer(
    { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        options.onError?.(error);
        response.destroy();
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(
        new SallyportError(
          "ERR_ADMIN_LISTEN",
          `The admin listener cannot use ${options.host}:${options.port}; set \`admin.address\` to a free one.`,
          {
            cause,
          },
        ),
      );
    server.once("error", fail);
    server.listen(options.port, options.host, () => {
      server.off("error", fail);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: AdminListenerOptions): Promise<void> {
  if (!hostAllowed(request, options.host)) return send(response, 421, "Use the address of this listener, not another name for it.\n");
  const site = request.headers["sec-fetch-site"];
  if (request.headers.origin !== undefined || (site !== undefined && site !== "same-origin" && site !== "none")) {
    return send(response, 403, "Not for pages of other origins.\n");
  }
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, "Only GET and HEAD.\n", { allow: "GET, HEAD" });
  switch (request.url?.split("?", 1)[0]) {
    case "/metrics":
      return send(response, 200, await options.metrics.expose(), { "content-type": options.metrics.contentType });
    case "/healthz":
      return send(response, 200, "ok\n");
    case "/readyz": {
      const { ready, problems } = options.health.report();
      const lines = Object.entries(problems).map(([name, problem]) => `${name}: ${problem}\n`);
      return send(response, ready ? 200 : 503, ready ? "ok\n" : lines.join(""));
    }
    default:
      return send(response, 404, "Here are /metrics, /healthz and /readyz.\n");
  }
}

// An address cannot be rebound, and neither can localhost; any other name could be pointed here by whoever owns it.
function hostAllowed(request: IncomingMessage, configured: string): boolean {
  if (request.rawHeaders.filter((_, i) => i % 2 === 0 && request.rawHeaders[i]?.toLowerCase() === "host").length !== 1) return false;
  const host = request.headers.host ?? "";
  const name = /^(\[[0-9a-fA-F:.]+\]|[^:\]]+)(?::\d{1,5})?$/.exec(host)?.[1]?.toLowerCase() ?? "";
  return name === "localhost" || name === configured.toLowerCase() || isIP(name.replace(/^\[|\]$/g, "")) !== 0;
}

function send(response: ServerResponse, status: number, body: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}
