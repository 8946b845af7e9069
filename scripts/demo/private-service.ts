// The sample private service of `npm start`: an HTTP API on loopback that says what it was sent. Knows nothing of
// relays or tunnels.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Greeting {
  readonly method: string;
  readonly path: string;
  /** Names and values as they arrived. */
  readonly headers: readonly string[];
  readonly bodyBytes: number;
  readonly bodySha256: string;
}

async function describe(request: IncomingMessage): Promise<Greeting> {
  const hash = createHash("sha256");
  let bodyBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bodyBytes += chunk.length;
  }
  const { method = "", url = "", rawHeaders } = request;
  return { method, path: url, headers: rawHeaders, bodyBytes, bodySha256: hash.digest("hex") };
}

/** Starts the service on a free port of loopback; it ends with the stack. */
export async function startPrivateService(stack: AsyncDisposableStack): Promise<number> {
  const server = createServer((request, response) => {
    describe(request).then(
      (greeting) => response.writeHead(200, { "content-type": "application/json" }).end(`${JSON.stringify(greeting, null, 2)}\n`),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}
