// The built-in test service `hello`: shows a request as an origin sees it, streams server-sent events at /sse and
// echoes a WebSocket at /ws. Behaves like any origin behind the connector. Must not know the tunnel.

import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

import type { Clock, Timer } from "@sallyport/shared/clock";

import { HELLO_POLICY, helloPage } from "./hello-page.ts";
import type { SeenRequest } from "./hello-page.ts";
import { echoWebSocket } from "./websocket-echo.ts";

const SSE_INTERVAL_MS = 1_000;

/** Fields whose values let somebody act as the visitor: shown by name and length only. */
const SECRET = /^(?:authorization|cookie|.*(?:assertion|token|secret|password).*)$/i;

/** Not listening anywhere: connections are handed to it with `emit("connection", duplex)`. */
export function createHelloServer(clock: Clock): Server {
  const server = createServer((request, response) => answer(request, response, clock));
  server.on("upgrade", (request, socket, first) => {
    if (pathOf(request) === "/ws") echoWebSocket(request, socket, first);
    else socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  return server;
}

function answer(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  // The body is not needed, but an unread one would stop the connection.
  request.resume();
  response.setHeader("Cache-Control", "no-store");
  switch (pathOf(request)) {
    case "/sse":
      return streamEvents(response, clock);
    case "/request":
      return send(response, 200, "application/json", `${JSON.stringify(seen(request), undefined, 2)}\n`);
    case "/ws":
      response.setHeader("Upgrade", "websocket");
      return send(response, 426, "text/plain; charset=utf-8", "This is a WebSocket.\n");
    default:
      response.setHeader("Content-Security-Policy", HELLO_POLICY);
      return send(response, 200, "text/html; charset=utf-8", helloPage(seen(request)));
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body), "X-Content-Type-Options": "nosniff" });
  response.end(body);
}

function streamEvents(response: ServerResponse, clock: Clock): void {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  let count = 0;
  let timer: Timer;
  const tick = (): void => {
    response.write(`id: ${++count}\ndata: ${new Date(clock.now()).toISOString()}\n\n`);
    timer = clock.after(SSE_INTERVAL_MS, tick);
  };
  tick();
  response.on("close", () => timer.cancel());
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").replace(/\?.*$/s, "");
}

function seen(request: IncomingMessage): SeenRequest {
  const fields: [string, string][] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] as string;
    const value = request.rawHeaders[i + 1] as string;
    fields.push([name, SECRET.test(name) ? `(not shown, ${value.length} characters)` : value]);
  }
  return { method: request.method ?? "GET", path: request.url ?? "/", fields };
}
