import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair } from "@sallyport/shared/credential-file";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { DEFAULT_MUX_LIMITS } from "@sallyport/shared/mux/connection";
import type { Transport } from "@sallyport/shared/mux/transport";
import { wsTransport } from "@sallyport/shared/mux/ws-transport";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { FrameType, PROTOCOL_V1 } from "@sallyport/shared/protocol/frame";
import { connectorHandshake, type HandshakeError } from "@sallyport/shared/protocol/handshake";
import type { RelayHello } from "@sallyport/shared/protocol/hello";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { TunnelAcceptor, type TunnelCredentialRecord, type TunnelEvent } from "./acceptor.ts";
import { TunnelRegistry } from "./registry.ts";

const AUTH_URL = "https://auth.example";
const ID = "cred_1";

const stack: Array<() => void> = [];
afterEach(() => {
  for (const end of stack.splice(0).toReversed()) end();
});

interface Endpoint {
  readonly registry: TunnelRegistry;
  readonly events: TunnelEvent[];
  /** As an operator does it. */
  revoke(): void;
  /** Resolves when the relay has believed a proof. */
  readonly proven: Promise<void>;
  connect(hold: (send: () => void) => void): Promise<RelayHello>;
}

async function startEndpoint(): Promise<Endpoint> {
  const { publicKey, privateKey } = generateTunnelKeyPair();
  let record: TunnelCredentialRecord = { id: ID, tunnel: "office", publicKey, revokedAt: undefined };
  let onRevoked: (credential: { readonly id: string }) => void = () => {};
  const proven = Promise.withResolvers<void>();
  let lookups = 0;
  const registry = new TunnelRegistry();
  const events: TunnelEvent[] = [];
  const acceptor = new TunnelAcceptor({
    authUrl: AUTH_URL,
    software: "test/1",
    credentials: {
      // Once for the key, once more when the signature has verified.
      get: (id) => {
        if (++lookups === 2) proven.resolve();
        return id === ID ? record : undefined;
      },
      onRevoked: (listener) => {
        onRevoked = listener;
        return () => {};
      },
      seen: () => {},
    },
    registry,
    budget: new BufferBudget(),
    clock: systemClock,
    grantsOf: () => [],
    currentManifest: () => undefined,
    onEvent: (event) => void events.push(event),
  });
  const server = createServer().listen(0, "127.0.0.1");
  server.on("upgrade", ({ method = "", url: target = "", rawHeaders: fields }, socket) =>
    acceptor.upgrade({ method, target, fields }, socket, "127.0.0.1"),
  );
  await once(server, "listening");
  stack.push(
    () => server.close(),
    () => acceptor.close(),
  );
  const { port } = server.address() as AddressInfo;
  return {
    registry,
    events,
    proven: proven.promise,
    revoke: () => {
      record = { ...record, revokedAt: 1 };
      onRevoked(record);
    },
    connect: async (hold) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, [PROTOCOL_V1], { perMessageDeflate: false });
      stack.push(() => socket.terminate());
      // Before it is open: the challenge may come with the answer to the upgrade.
      const transport = holdHello(wsTransport(socket), hold);
      await once(socket, "open");
      const hello = { software: "t/1", limits: DEFAULT_MUX_LIMITS, capabilities: [], connectorId: "c", hostname: "h", services: [] };
      return await connectorHandshake({ transport, authUrl: AUTH_URL, credentialId: ID, privateKey, hello });
    },
  };
}

/** A connector that takes its time between its proof and its HELLO. */
function holdHello(transport: Transport, hold: (send: () => void) => void): Transport {
  return new Proxy(transport, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property !== "send") return value.bind(target) as unknown;
      return (message: Uint8Array): void => (message[0] === FrameType.HELLO ? hold(() => target.send(message)) : target.send(message));
    },
  });
}

describe("TunnelAcceptor", () => {
  it("admits a connector whose credential is good", async () => {
    const endpoint = await startEndpoint();
    await expect(endpoint.connect((send) => send())).resolves.toMatchObject({ tunnel: "office" });
    expect(endpoint.registry.count("office")).toBe(1);
  });

  it("refuses a credential that is revoked between its proof and its HELLO (R-K9)", async () => {
    const endpoint = await startEndpoint();
    const refusal = await endpoint
      .connect((send) => {
        void endpoint.proven.then(() => {
          endpoint.revoke();
          send();
        });
      })
      .catch((error: unknown) => error as HandshakeError);
    expect(refusal).toMatchObject({ retryable: false, goaway: { reason: GoawayReason.CREDENTIAL_REVOKED } });
    expect(endpoint.registry.count("office")).toBe(0);
    expect(endpoint.events).toMatchObject([{ type: "refused", credentialId: ID, reason: "credential-revoked" }]);
  });
});
