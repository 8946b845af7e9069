// Origins of the tests that are made of node:http: what stands behind a connector when no foreign program does.

import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Origin {
  readonly port: number;
  readonly url: string;
  readonly server: Server;
}

/** An HTTP server on loopback that ends, with all its connections, with the stack. Never times a request out. */
export async function startOrigin(stack: AsyncDisposableStack, listener: RequestListener): Promise<Origin> {
  const server = createServer({ requestTimeout: 0 }, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, server };
}
