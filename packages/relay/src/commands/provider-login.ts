// One sign-in with one provider, without a relay: what `provider test` does. The browser comes back either to a listener
// on loopback, or to the relay's own callback, from where the person copies the address. Must not know command lines.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SallyportError } from "@sallyport/shared/errors";
import type { LoginResult, PinProvider, RedirectProvider } from "../authn/provider.ts";

/** What the person at the terminal sees and is asked. */
export interface Terminal {
  say(text: string): void;
  ask(question: string): Promise<string>;
}

const MAX_ADDRESS_LENGTH = 16_384;
const CLIENT_ADDRESS = "127.0.0.1";

/** The redirect URI is the relay's: nothing has to be registered for the test. */
export async function loginByPasting(provider: RedirectProvider, redirectUri: string, terminal: Terminal): Promise<LoginResult> {
  const attempt = newAttempt();
  const url = await provider.begin(attempt, redirectUri);
  terminal.say(
    `Open this address in a browser and sign in:\n\n  ${url}\n\nThe browser ends at ${redirectUri}?... with a page of the relay, or an error.\n`,
  );
  const text = (await terminal.ask("Paste the whole address from the browser here: ")).trim();
  const callback = URL.canParse(text) && text.length <= MAX_ADDRESS_LENGTH ? new URL(text) : undefined;
  if (callback === undefined || callback.origin + callback.pathname !== redirectUri)
    throw new SallyportError("ERR_PROVIDER_TEST", `that is not an address that starts with ${redirectUri}?`);
  return await provider.finish(attempt, callback);
}

export interface LoopbackOptions {
  /** 0: the system chooses. */
  readonly port: number;
  readonly timeoutMs: number;
}

/** `http://127.0.0.1:PORT/callback/NAME` has to be registered at the provider too. @throws ERR_PROVIDER_TEST when nobody comes */
export async function loginOnLoopback(provider: RedirectProvider, options: LoopbackOptions, terminal: Terminal): Promise<LoginResult> {
  const path = `/callback/${provider.name}`;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const server = createServer({ maxHeaderSize: MAX_ADDRESS_LENGTH }, (request, response) => {
    const mine = request.method === "GET" && request.url?.startsWith(`${path}?`) === true;
    const text = mine ? "Done: go back to the terminal.\n" : "Nothing here.\n";
    response.writeHead(mine ? 200 : 404, { "content-type": "text/plain", connection: "close" }).end(text, () => {
      if (mine) resolve(request.url ?? "");
    });
  });
  server.once("error", reject);
  server.listen(options.port, CLIENT_ADDRESS);
  const timer = setTimeout(() => reject(new SallyportError("ERR_PROVIDER_TEST", "nobody signed in in time")), options.timeoutMs);
  try {
    await new Promise<void>((listening) => server.once("listening", listening));
    const origin = `http://${CLIENT_ADDRESS}:${(server.address() as AddressInfo).port}`;
    const attempt = newAttempt();
    terminal.say(`Open this address in a browser on this machine and sign in:\n\n  ${await provider.begin(attempt, origin + path)}\n\n`);
    return await provider.finish(attempt, new URL(origin + (await promise)));
  } finally {
    clearTimeout(timer);
    server.closeAllConnections();
    server.close();
  }
}

/** Asks until the code is right, or no try is left. */
export async function loginByPin(provider: PinProvider, terminal: Terminal): Promise<LoginResult> {
  const sending = await provider.send((await terminal.ask("Mail address: ")).trim(), CLIENT_ADDRESS);
  if (sending.kind === "limited") throw new SallyportError("ERR_PROVIDER_TEST", `too many codes; wait ${sending.retryAfterS} s`);
  for (;;) {
    const checking = provider.check(sending.challengeId, (await terminal.ask("Code: ")).trim(), CLIENT_ADDRESS);
    if (checking.kind === "login") return checking;
    if (checking.kind === "over")
      return { kind: "problem", problem: "refused-by-provider", detail: "too many wrong codes, or the code is too old" };
    const said = checking.kind === "early" ? "That was too soon" : `That is not the code; ${checking.triesLeft} left`;
    terminal.say(`${said}. Wait ${checking.retryAfterS} s before the next.\n`);
  }
}

function newAttempt(): { readonly state: string; readonly nonce: string; readonly codeVerifier: string } {
  const random = (): string => randomBytes(32).toString("base64url");
  return { state: random(), nonce: random(), codeVerifier: random() };
}
