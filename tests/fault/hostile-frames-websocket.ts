// The same over real WebSockets: the relay's side of a tunnel endpoint as it is wired in the product, and connectors that
// authenticate and then misbehave; text and oversized messages only exist here. After each one a good connector is served.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { MuxConnection, type CloseCause } from "@sallyport/shared/mux/connection";
import { wsTransport, WS_LIMITS } from "@sallyport/shared/mux/ws-transport";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { MAX_MESSAGE_BYTES } from "@sallyport/shared/protocol/frame";
import { connectorHandshake, relayHandshake } from "@sallyport/shared/protocol/handshake";
import type { ViolationCode } from "@sallyport/shared/protocol/violation";
import { WebSocket, WebSocketServer } from "ws";
import { ANSWER, AUTH_URL, CREDENTIAL, DECOY_KEY, HELLO, KEYS } from "./hostile-frames-handshake.ts";
import { inMessages, mutate } from "./hostile-frames-mutate.ts";
import type { Random } from "./hostile-frames-random.ts";
import { GET, type Session } from "./hostile-frames-record.ts";

export interface Survivors {
  /** Good connectors that were served, one after each attack. */
  readonly served: number;
  /** Anything reported that is not the end of a connection. */
  readonly unexpected: readonly unknown[];
}

type Ended = (cause: CloseCause) => void;

class Relay {
  readonly #server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...WS_LIMITS });
  readonly budget = new BufferBudget();
  readonly unexpected: unknown[] = [];
  onEnded: Ended = () => undefined;
  onAnswer: () => void = () => undefined;

  constructor() {
    this.#server.on("connection", (socket) => {
      this.#serve(socket).catch((error: unknown) => this.unexpected.push(error));
    });
  }

  async url(): Promise<string> {
    await once(this.#server, "listening");
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(socket: WebSocket): Promise<void> {
    const transport = wsTransport(socket);
    const lookup = (): typeof CREDENTIAL => CREDENTIAL;
    const result = await relayHandshake({ transport, authUrl: AUTH_URL, lookup, decoyKey: DECOY_KEY, admit: () => ({ hello: ANSWER }) });
    if (result.kind !== "admitted") return void this.unexpected.push(result);
    const mux = new MuxConnection({
      role: "relay",
      transport,
      budget: this.budget,
      peerLimits: result.hello.limits,
      handler: { onFault: (error) => this.unexpected.push(error), onClosed: (cause) => this.onEnded(cause) },
    });
    for (let i = 0; i < 10; i++) {
      const stream = mux.openStream(GET, true, {
        onHead: () => this.onAnswer(),
        onData: (chunk) => stream?.consume(chunk.length),
        onEnd: () => undefined,
        onReset: () => undefined,
        onDrain: () => undefined,
      });
    }
  }
}

/** Authenticates, and leaves the WebSocket to the caller. */
async function authenticated(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, WS_LIMITS);
  socket.on("error", () => undefined);
  const transport = wsTransport(socket);
  await once(socket, "open");
  await connectorHandshake({ transport, authUrl: AUTH_URL, credentialId: "known", privateKey: KEYS.privateKey, hello: HELLO });
  transport.setReceiver({
    onMessage: () => undefined,
    onInvalidMessage: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  });
  return socket;
}

function misbehave(socket: WebSocket, sessions: readonly Session[], random: Random): void {
  const choice = random.below(10);
  if (choice === 0) socket.send("text");
  else if (choice === 1) socket.send(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
  for (const { message } of inMessages(mutate(random.pick(sessions).toRelay, random), random)) socket.send(message);
  if (random.once(3)) socket.terminate();
  else socket.close();
}

/** A connector as it should be: opens are answered. */
async function beServed(url: string, relay: Relay): Promise<void> {
  const socket = new WebSocket(url, WS_LIMITS);
  const transport = wsTransport(socket);
  await once(socket, "open");
  const hello = await connectorHandshake({
    transport,
    authUrl: AUTH_URL,
    credentialId: "known",
    privateKey: KEYS.privateKey,
    hello: HELLO,
  });
  const answered = new Promise<void>((resolve) => (relay.onAnswer = resolve));
  const ended = new Promise<void>((resolve) => (relay.onEnded = () => resolve()));
  const mux = new MuxConnection({
    role: "connector",
    transport,
    budget: new BufferBudget(),
    peerLimits: hello.limits,
    handler: {
      acceptStream: (stream) => {
        stream.sendHead({ status: 204, fields: [] }, true);
        return {
          onHead: () => undefined,
          onData: () => undefined,
          onEnd: () => undefined,
          onReset: () => undefined,
          onDrain: () => undefined,
        };
      },
      onClosed: () => undefined,
    },
  });
  await answered;
  mux.close(GoawayReason.SHUTDOWN, "done");
  await ended;
}

export async function attackWebSockets(
  sessions: readonly Session[],
  count: number,
  random: Random,
  hits: Map<ViolationCode, number>,
): Promise<Survivors> {
  const relay = new Relay();
  const url = await relay.url();
  let served = 0;
  for (let i = 0; i < count; i++) {
    const ended = new Promise<CloseCause>((resolve) => (relay.onEnded = resolve));
    misbehave(await authenticated(url), sessions, random);
    const cause = await ended;
    if (cause.kind === "violation") hits.set(cause.violation.code, (hits.get(cause.violation.code) ?? 0) + 1);
    await beServed(url, relay);
    served++;
  }
  await relay.close();
  if (relay.budget.heldBytes !== 0) relay.unexpected.push(`${relay.budget.heldBytes} bytes held`);
  return { served, unexpected: relay.unexpected };
}
