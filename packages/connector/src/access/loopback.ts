// The port of this machine where the browser brings the answer of a sign-in (RFC 8252 section 7.3, R-E4): loopback only, one
// answer, only with the state that this command made. Must not know codes or tokens.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { equalInConstantTime } from "@sallyport/shared/secret";

const HOST = "127.0.0.1";
const CALLBACK_PATH = "/callback";
const MAX_CONNECTIONS = 16;

export type LoopbackAnswer = { readonly kind: "code"; readonly code: string } | { readonly kind: "denied" };

export interface Loopback {
  readonly redirectUri: string;
  /** Resolves with the answer; rejects when `signal` aborts. */
  readonly answer: Promise<LoopbackAnswer>;
  close(): void;
}

/** @param state what the answer must carry. @throws what listen() throws */
export async function openLoopback(state: string, signal: AbortSignal): Promise<Loopback> {
  const { promise, resolve, reject } = Promise.withResolvers<LoopbackAnswer>();
  // Nobody may wait for it yet when it is called off.
  promise.catch(() => undefined);
  const server = createServer((request, response) => {
    const answer = read(request, state, (server.address() as AddressInfo | null)?.port ?? 0);
    // Only when the page is on its way: what waits for the answer closes everything.
    response.once("finish", () => answer !== undefined && resolve(answer));
    respond(response, answer);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(0, HOST, listening);
  });
  const close = (): void => {
    server.close();
    // Browsers open connections in advance and keep them: they would keep this process.
    server.closeAllConnections();
  };
  const onAbort = (): void => reject(signal.reason as Error);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return { redirectUri: `http://${HOST}:${(server.address() as AddressInfo).port}${CALLBACK_PATH}`, answer: promise, close };
}

/** Anything but the one answer leaves the command waiting: another page or program must not be able to end a sign-in. */
function read(request: IncomingMessage, state: string, port: number): LoopbackAnswer | undefined {
  const url = URL.parse(request.url ?? "", `http://${HOST}:${port}`);
  // Another name for this address is somebody's DNS (rebinding).
  if (request.method !== "GET" || request.headers.host !== `${HOST}:${port}` || url?.pathname !== CALLBACK_PATH) return undefined;
  const [states, codes, errors] = [url.searchParams.getAll("state"), url.searchParams.getAll("code"), url.searchParams.getAll("error")];
  if (states.length !== 1 || !equalInConstantTime(states[0] as string, state)) return undefined;
  if (codes.length === 1 && errors.length === 0) return { kind: "code", code: codes[0] as string };
  return errors.length === 1 && codes.length === 0 ? { kind: "denied" } : undefined;
}

function respond(response: ServerResponse, answer: LoopbackAnswer | undefined): void {
  const text =
    answer === undefined
      ? "This is not the answer that the command line waits for."
      : answer.kind === "denied"
        ? "Nothing was allowed."
        : "Done.";
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Sallyport</title><p>${text} You can close this page and go back to the command line.</p></html>\n`;
  response.writeHead(answer === undefined ? 400 : 200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    Connection: "close",
  });
  response.end(body);
}
