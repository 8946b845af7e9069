// The pages for people on a loopback port, with the headers they are answered with, so that a browser applies their policy.

import { createServer } from "node:http";
import { createLook, NO_BRANDING } from "@sallyport/relay/pages/look";
import { renderSamples } from "@sallyport/relay/pages/test-support";

export interface PageServer {
  readonly origin: string;
  /** `http://127.0.0.1:PORT/NAME`, one page each. */
  readonly names: readonly string[];
}

/** Serves every page as the auth host does; closes with the stack. */
export async function servePages(stack: AsyncDisposableStack, branding: Partial<typeof NO_BRANDING> = {}): Promise<PageServer> {
  const look = createLook({ ...NO_BRANDING, ...branding });
  const pages = renderSamples(look);
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const asset = look.assets.get(path);
    const page = pages.get(path.slice(1));
    if (asset !== undefined) response.writeHead(200, [...asset.headers]).end(asset.body);
    else if (page !== undefined) response.writeHead(200, [...page.fields]).end(page.body);
    else response.writeHead(404).end();
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject).listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { origin: `http://127.0.0.1:${address.port}`, names: [...pages.keys()] };
}
