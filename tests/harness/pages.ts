// The pages for people on a loopback port, with the headers they are answered with, so that a browser applies their policy.

import { createServer } from "node:http";
import type { Browser } from "playwright-core";
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

export const VIEWS = {
  light: { colorScheme: "light", viewport: { width: 960, height: 720 }, deviceScaleFactor: 1 },
  dark: { colorScheme: "dark", viewport: { width: 960, height: 720 }, deviceScaleFactor: 1 },
  phone: { colorScheme: "light", viewport: { width: 390, height: 700 }, deviceScaleFactor: 1.5 },
} as const;

export type View = keyof typeof VIEWS;

export interface Photograph {
  readonly png: Buffer;
  /** What the browser refused or missed. */
  readonly complaints: readonly string[];
}

/** The whole page, as tall as it is. */
export async function photograph(browser: Browser, url: string, view: View): Promise<Photograph> {
  const complaints: string[] = [];
  await using context = await browser.newContext(VIEWS[view]);
  const page = await context.newPage();
  page.on("console", (message) => complaints.push(`${url}: ${message.text()}`));
  page.on("requestfailed", (request) => complaints.push(`${url}: ${request.url()} failed`));
  await page.goto(url);
  const png = await page.screenshot({ fullPage: true, animations: "disabled", caret: "hide" });
  return { png, complaints };
}
