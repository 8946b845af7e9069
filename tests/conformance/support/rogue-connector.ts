// A connector in wrong hands: it speaks the handshake of a real credential, or a bad one, and then sends whatever frames
// it likes to a real relay.

import { connectorHandshake, type ConnectorHandshakeOptions } from "@sallyport/shared/protocol/handshake";
import { encodeFrame, FrameType, PROTOCOL_V1, readFrames, TUNNEL_PATH } from "@sallyport/shared/protocol/frame";
import { readGoaway } from "@sallyport/shared/protocol/control";
import { prepareHead, writeHead, readOpen, type OpenHead, type ResponseHead } from "@sallyport/shared/protocol/head";
import type { ConnectorHello, RelayHello } from "@sallyport/shared/protocol/hello";
import { DEFAULT_MUX_LIMITS } from "@sallyport/shared/mux/connection";
import { wsTransport } from "@sallyport/shared/mux/ws-transport";
import type { Transport } from "@sallyport/shared/mux/transport";
import type { TunnelCredential } from "@sallyport/shared/credential-file";
import { WebSocket } from "ws";
import { within } from "../../harness/scratch.ts";
import { AUTH_HOST, AUTH_URL, type Bed } from "./bed.ts";

export interface Frame {
  readonly type: number;
  readonly end: boolean;
  readonly stream: number;
  readonly payload: Buffer;
}

/** An open WebSocket to the tunnel endpoint, not authenticated. */
export async function dialTunnel(bed: Bed, options: { readonly protocols?: string[]; readonly host?: string } = {}): Promise<WebSocket> {
  const { protocols = [PROTOCOL_V1], host = AUTH_HOST } = options;
  // As a variable: the types of ws do not know servername, which it hands on to tls.
  const tls = { ca: bed.ca, servername: AUTH_HOST, headers: { Host: host }, perMessageDeflate: false };
  const socket = new WebSocket(`${bed.tunnelUrl}${TUNNEL_PATH}`, protocols, tls);
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  return socket;
}

export function helloOf(change: Partial<ConnectorHello> = {}): ConnectorHello {
  return {
    software: "rogue/1",
    limits: DEFAULT_MUX_LIMITS,
    capabilities: [],
    connectorId: "rogue",
    hostname: "rogue-host",
    services: [{ name: "open", kind: "http" }],
    ...change,
  };
}

export class RogueConnector implements AsyncDisposable {
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly hello: RelayHello;
  /** Called with each OPEN. */
  onOpen: (stream: number, head: OpenHead) => void = () => {};
  readonly #socket: WebSocket;
  readonly #transport: Transport;

  private constructor(socket: WebSocket, transport: Transport, hello: RelayHello) {
    this.#socket = socket;
    this.#transport = transport;
    this.hello = hello;
    this.closed = new Promise((resolve) => socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() })));
    transport.setReceiver({
      onMessage: (message) =>
        readFrames(message, {
          onFrame: (type, end, stream, bytes, start, stop) =>
            this.#frame({ type, end, stream, payload: Buffer.from(bytes.subarray(start, stop)) }),
        }),
      onInvalidMessage: () => {},
      onDrain: () => {},
      onClose: () => {},
    });
  }

  static async connect(
    bed: Bed,
    credential: TunnelCredential,
    change: Partial<ConnectorHello> = {},
    handshake: Partial<ConnectorHandshakeOptions> = {},
  ): Promise<RogueConnector> {
    const socket = await dialTunnel(bed);
    const transport = wsTransport(socket);
    const { credentialId, privateKey } = credential;
    try {
      const hello = await connectorHandshake({
        transport,
        authUrl: AUTH_URL,
        credentialId,
        privateKey,
        hello: helloOf(change),
        ...handshake,
      });
      return new RogueConnector(socket, transport, hello);
    } catch (error) {
      socket.terminate();
      throw error;
    }
  }

  send(type: number, stream: number, payload: Uint8Array = Buffer.alloc(0), end = false): void {
    this.#transport.send(encodeFrame(type, stream, payload, end));
  }

  /** Any bytes as one message. */
  sendRaw(message: Uint8Array): void {
    this.#transport.send(message);
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  answer(stream: number, head: ResponseHead, body?: string): void {
    const { text, payloadBytes } = prepareHead(head);
    const payload = Buffer.alloc(payloadBytes);
    writeHead(head, text, payload, 0);
    this.send(FrameType.HEAD, stream, payload, body === undefined);
    if (body !== undefined) this.send(FrameType.DATA, stream, Buffer.from(body, "latin1"), true);
  }

  /** How the relay ended it. */
  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    return await within(15_000, "the relay to close the connection", this.closed);
  }

  get goaway(): ReturnType<typeof readGoaway> | undefined {
    const frame = this.frames.find(({ type }) => type === FrameType.GOAWAY);
    return frame && readGoaway(frame.payload, 0, frame.payload.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    await this.closed;
  }

  #frame(frame: Frame): void {
    this.frames.push(frame);
    if (frame.type === FrameType.PING) this.send(FrameType.PONG, 0, frame.payload);
    if (frame.type === FrameType.OPEN) this.onOpen(frame.stream, readOpen(frame.payload, 0, frame.payload.length));
  }
}
