// The tunnel endpoint of the auth host: WebSocket upgrade, handshake, and then a connection in the registry. Where
// connectors come in; must not know visitors, routes or policies beyond the grants it hands out.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "@sallyport/shared/clock";
import { ed25519PublicKey } from "@sallyport/shared/credential-file";
import type { Fields } from "@sallyport/shared/http/fields";
import type { BufferBudget } from "@sallyport/shared/mux/budget";
import { DEFAULT_MUX_LIMITS, MuxConnection, type CloseCause } from "@sallyport/shared/mux/connection";
import { wsTransport, WS_LIMITS } from "@sallyport/shared/mux/ws-transport";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { PROTOCOL_V1 } from "@sallyport/shared/protocol/frame";
import { relayHandshake, type Admission, type KnownCredential, type RelayHandshakeResult } from "@sallyport/shared/protocol/handshake";
import { parseConnectorHello, relayHelloJson, type ConnectorHello, type Grant, type RelayHello } from "@sallyport/shared/protocol/hello";
import { WebSocketServer, type WebSocket } from "ws";
import { TunnelConnection } from "./connection.ts";
import { MAX_CONNECTIONS_PER_TUNNEL, type TunnelRegistry } from "./registry.ts";

/** Handshakes under way, in all and per address (R-K9). */
const MAX_PENDING = 1_000;
const MAX_PENDING_PER_ADDRESS = 64;
/** Handshakes admitted per second; more are told to come back (R-L8). */
const MAX_HANDSHAKES_PER_SECOND = 200;

/** A credential as the acceptor reads it. */
export interface TunnelCredentialRecord {
  readonly id: string;
  readonly tunnel: string;
  readonly publicKey: Uint8Array;
  readonly revokedAt: number | undefined;
}

export interface CredentialSource {
  get(id: string): TunnelCredentialRecord | undefined;
  onRevoked(listener: (credential: { readonly id: string }) => void): () => void;
  seen(id: string): void;
}

/** What happens at the tunnel endpoint, for record, log and metrics. */
export type TunnelEvent =
  | { readonly type: "connected"; readonly connection: TunnelConnection }
  /** The connector's configuration changed: it has other services now. */
  | { readonly type: "announced"; readonly connection: TunnelConnection }
  | { readonly type: "disconnected"; readonly connection: TunnelConnection; readonly cause: CloseCause }
  | {
      readonly type: "refused";
      readonly address: string;
      readonly credentialId: string | undefined;
      readonly tunnel: string | undefined;
      readonly reason: string;
      readonly hostname?: string;
    }
  | { readonly type: "fault"; readonly connection: TunnelConnection | undefined; readonly error: unknown };

export interface AcceptorOptions {
  readonly authUrl: string;
  readonly software: string;
  readonly credentials: CredentialSource;
  readonly registry: TunnelRegistry;
  readonly budget: BufferBudget;
  readonly clock: Clock;
  /** What the configuration grants to a tunnel; undefined when there is no such tunnel. */
  grantsOf(tunnel: string): readonly Grant[] | undefined;
  currentManifest(): Uint8Array | undefined;
  onEvent(event: TunnelEvent): void;
}

/** Why an upgrade request is answered without a WebSocket. */
export type TunnelRefusal = { readonly status: 400; readonly detail: string } | { readonly status: 503; readonly retryAfterS: number };

/** The head of the request, as it was received. */
export interface UpgradeRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
}

interface Known extends KnownCredential {
  readonly id: string;
}

export class TunnelAcceptor {
  readonly #options: AcceptorOptions;
  readonly #server = new WebSocketServer({ noServer: true, clientTracking: false, handleProtocols: () => PROTOCOL_V1, ...WS_LIMITS });
  readonly #decoyKey = generateKeyPairSync("ed25519").publicKey;
  readonly #pendingByAddress = new Map<string, number>();
  readonly #unsubscribe: () => void;
  #pending = 0;
  #second = 0;
  #admittedThisSecond = 0;
  #stopping = false;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#unsubscribe = options.credentials.onRevoked(({ id }) => this.#revoked(id));
  }

  /** Judges an upgrade request before any byte is answered. Undefined: {@link upgrade} may take it. */
  judge(address: string, protocols: string | undefined): TunnelRefusal | undefined {
    const offered = (protocols ?? "").split(",").map((protocol) => protocol.trim());
    if (!offered.includes(PROTOCOL_V1))
      return { status: 400, detail: `this relay speaks ${PROTOCOL_V1}; upgrade the older of the two programs` };
    const full = this.#pending >= MAX_PENDING || (this.#pendingByAddress.get(address) ?? 0) >= MAX_PENDING_PER_ADDRESS;
    if (full || this.#stopping || !this.#admit()) return { status: 503, retryAfterS: 1 + Math.floor(Math.random() * 10) };
    return undefined;
  }

  /** Takes over the socket of a judged upgrade request. */
  upgrade(request: UpgradeRequest, socket: Duplex, address: string): void {
    this.#pending++;
    this.#pendingByAddress.set(address, (this.#pendingByAddress.get(address) ?? 0) + 1);
    let counted = true;
    const done = (): void => {
      if (!counted) return;
      counted = false;
      this.#pending--;
      const left = (this.#pendingByAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#pendingByAddress.delete(address);
      else this.#pendingByAddress.set(address, left);
    };
    socket.on("close", done);
    this.#server.handleUpgrade(asMessage(request), socket, Buffer.alloc(0), (webSocket) => {
      this.#handshake(webSocket, address)
        .catch((error: unknown) => this.#options.onEvent({ type: "fault", connection: undefined, error }))
        .finally(done);
    });
  }

  /** Tells connectors changed grants, and those of removed tunnels or hostnames to go. */
  configurationChanged(): void {
    for (const { info, hello, mux } of this.#options.registry.list()) {
      const { tunnel, credentialId, address, connectionId } = info;
      const grants = this.#options.grantsOf(tunnel);
      if (grants === undefined) {
        mux.close(GoawayReason.TUNNEL_REMOVED, `the relay's configuration has no tunnel ${tunnel} any more`);
        continue;
      }
      const refusal = wantedRefusal(hello.wantedHostname, tunnel, grants);
      if (refusal === undefined) mux.sendHello(relayHelloJson(this.#answer(connectionId, tunnel, grants)));
      else {
        // What was granted at the handshake is checked at every change (R-K1); one record for each connection that goes.
        this.#options.onEvent({
          type: "refused",
          address,
          credentialId,
          tunnel,
          reason: "hostname-not-granted",
          hostname: refusal.hostname,
        });
        mux.close(GoawayReason.HOSTNAME_NOT_GRANTED, refusal.text);
      }
    }
  }

  /** The key manifest changed. */
  manifestChanged(): void {
    const manifest = this.#options.currentManifest();
    if (manifest === undefined) return;
    const text = Buffer.from(manifest).toString("latin1");
    for (const connection of this.#options.registry.list()) connection.mux.sendKeys(text);
  }

  /** Asks every connector to come back after a delay; streams under way finish. */
  drain(delayMs: number): void {
    this.#stopping = true;
    for (const connection of this.#options.registry.list())
      connection.mux.goaway(GoawayReason.SHUTDOWN, delayMs, "the relay is restarting");
  }

  close(): void {
    this.#stopping = true;
    this.#unsubscribe();
    for (const connection of this.#options.registry.list()) connection.mux.close(GoawayReason.SHUTDOWN, "the relay is stopping");
    this.#server.close();
  }

  async #handshake(webSocket: WebSocket, address: string): Promise<void> {
    const { authUrl, clock } = this.#options;
    const transport = wsTransport(webSocket, clock);
    const connectionId = randomUUID();
    const result = await relayHandshake<Known>({
      transport,
      authUrl,
      clock,
      decoyKey: this.#decoyKey,
      lookup: (id) => this.#lookup(id),
      admit: (credential, hello) => this.#admitConnector(credential, hello, connectionId),
    });
    if (result.kind !== "admitted") return this.#refused(address, result);
    // Revoked, or the relay stopped, between the signature and here: both happen in this turn only by a command.
    this.#connect(result, transport, address, connectionId);
  }

  #connect(
    result: Extract<RelayHandshakeResult<Known>, { kind: "admitted" }>,
    transport: ReturnType<typeof wsTransport>,
    address: string,
    connectionId: string,
  ): void {
    const { registry, clock, budget, onEvent, credentials } = this.#options;
    let { hello } = result;
    // Assigned below, seen by the handler of the multiplexer that it is made of.
    let connection: TunnelConnection | undefined = undefined as TunnelConnection | undefined;
    const mux = new MuxConnection({
      role: "relay",
      transport,
      clock,
      budget,
      peerLimits: hello.limits,
      handler: {
        onFault: (error) => onEvent({ type: "fault", connection, error }),
        // Of a later HELLO only the services count: who it is was settled with the first.
        onHello: (json) => {
          const { services } = parseConnectorHello(json);
          hello = { ...hello, services };
          connection?.announced(services);
          if (connection !== undefined) onEvent({ type: "announced", connection });
        },
        onClosed: (cause) => {
          if (connection === undefined) return;
          registry.remove(connection);
          onEvent({ type: "disconnected", connection, cause });
        },
      },
    });
    if (mux.closed) return;
    connection = new TunnelConnection(
      {
        connectionId,
        tunnel: result.credential.tunnel,
        credentialId: result.credentialId,
        connectorId: hello.connectorId,
        connectorHostname: hello.hostname,
        software: hello.software,
        address,
        connectedAt: clock.now(),
      },
      hello,
      mux,
    );
    registry.add(connection);
    credentials.seen(result.credentialId);
    const manifest = this.#options.currentManifest();
    if (manifest !== undefined) mux.sendKeys(Buffer.from(manifest).toString("latin1"));
    onEvent({ type: "connected", connection });
  }

  #lookup(id: string): Known | undefined {
    const record = this.#options.credentials.get(id);
    if (record === undefined) return undefined;
    return { id, tunnel: record.tunnel, publicKey: ed25519PublicKey(record.publicKey), revoked: record.revokedAt !== undefined };
  }

  #admitConnector(credential: Known, hello: ConnectorHello, connectionId: string): Admission {
    const { tunnel, id } = credential;
    // Looked up when it was proven, and revoked while its HELLO was awaited: nothing would close this connection later (R-K9).
    if (this.#lookup(id)?.revoked !== false) {
      return { refuse: GoawayReason.CREDENTIAL_REVOKED, text: "this credential was revoked; ask the relay's operator for a new one" };
    }
    const grants = this.#options.grantsOf(tunnel);
    if (grants === undefined) {
      return {
        refuse: GoawayReason.TUNNEL_REMOVED,
        text: `the relay's configuration has no tunnel ${tunnel}; ask its operator to add it under tunnels:`,
      };
    }
    if (this.#options.registry.count(tunnel) >= MAX_CONNECTIONS_PER_TUNNEL) {
      return {
        refuse: GoawayReason.OVERLOAD,
        text: `tunnel ${tunnel} has ${MAX_CONNECTIONS_PER_TUNNEL} connections already`,
        delayMs: 30_000,
      };
    }
    const refusal = wantedRefusal(hello.wantedHostname, tunnel, grants);
    if (refusal !== undefined) return { refuse: GoawayReason.HOSTNAME_NOT_GRANTED, text: refusal.text };
    return { hello: this.#answer(connectionId, tunnel, grants) };
  }

  #answer(connectionId: string, tunnel: string, grants: readonly Grant[]): RelayHello {
    const { software, clock } = this.#options;
    return { software, limits: DEFAULT_MUX_LIMITS, capabilities: [], time: clock.now(), connectionId, tunnel, grants };
  }

  #refused(address: string, result: Exclude<RelayHandshakeResult<Known>, { kind: "admitted" }>): void {
    if (result.kind === "failed") {
      this.#options.onEvent({ type: "refused", address, credentialId: undefined, tunnel: undefined, reason: result.why });
      return;
    }
    const { credentialId, credential, reason } = result;
    const hostname = /^hostname (\S+) is not granted/.exec(result.text)?.[1];
    const name = Object.entries(GoawayReason).find(([, value]) => value === reason)?.[0] ?? "unknown";
    const refusal = {
      type: "refused",
      address,
      credentialId,
      tunnel: credential.tunnel,
      reason: name.toLowerCase().replaceAll("_", "-"),
    } as const;
    this.#options.onEvent(hostname === undefined ? refusal : { ...refusal, hostname });
  }

  #revoked(credentialId: string): void {
    for (const connection of this.#options.registry.list()) {
      if (connection.info.credentialId !== credentialId) continue;
      connection.mux.close(GoawayReason.CREDENTIAL_REVOKED, "this credential was revoked; ask the relay's operator for a new one");
    }
  }

  /** A bounded number of handshakes per second, so that a restart is no stampede. */
  #admit(): boolean {
    const second = Math.floor(this.#options.clock.monotonic() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#admittedThisSecond = 0;
    }
    return ++this.#admittedThisSecond <= MAX_HANDSHAKES_PER_SECOND;
  }
}

/** `ws` looks at the method, the target and the fields of the handshake, which the canonical reading has judged before. */
function asMessage({ method, target, fields }: UpgradeRequest): IncomingMessage {
  const headers = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2) headers.set((fields[i] as string).toLowerCase(), fields[i + 1] as string);
  return { method, url: target, headers: Object.fromEntries(headers) } as IncomingMessage;
}

/** Why a connector that asked for a hostname cannot have it; undefined when it asked for none, or has it. */
function wantedRefusal(
  wanted: string | undefined,
  tunnel: string,
  grants: readonly Grant[],
): { readonly hostname: string; readonly text: string } | undefined {
  if (wanted === undefined || grants.some(({ hostname }) => hostname === wanted)) return undefined;
  const granted = grants.map(({ hostname }) => hostname);
  const list = granted.length === 0 ? "nothing" : granted.slice(0, 10).join(", ");
  return { hostname: wanted, text: `hostname ${wanted} is not granted to tunnel ${tunnel}; the relay grants it ${list}` };
}
