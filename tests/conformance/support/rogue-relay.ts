// A relay that fell into wrong hands, in front of a real connector: it has the tunnel and may say whatever the protocol
// can carry, with assertions of any make. What the connector then does is what R-D3, R-K4 and R-K5 are about.

import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createConnector, type Connector } from "@sallyport/connector/connector";
import { parseConfig } from "@sallyport/connector/config/load";
import { createGate, type StreamGate } from "@sallyport/connector/gate/gate";
import { createLogger } from "@sallyport/relay/commands/logger";
import { systemClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair } from "@sallyport/shared/credential-file";
import { MANIFEST_LIFETIME_MS, signManifest, type KeyManifest, type ManifestJwk } from "@sallyport/shared/key-manifest";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { DEFAULT_MUX_LIMITS, MuxConnection, type CloseCause } from "@sallyport/shared/mux/connection";
import type { Transport } from "@sallyport/shared/mux/transport";
import { wsTransport } from "@sallyport/shared/mux/ws-transport";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import type { Goaway } from "@sallyport/shared/protocol/control";
import { relayHandshake } from "@sallyport/shared/protocol/handshake";
import { StreamKind, type OpenHead } from "@sallyport/shared/protocol/head";
import { stringify } from "yaml";
import { WebSocketServer } from "ws";
import { eventually, within } from "../../harness/scratch.ts";

export type Outcome =
  | { readonly reset: string; readonly text: string }
  | { readonly status: number; readonly fields: readonly string[]; readonly body: string };
export type Claims = Readonly<Record<string, unknown>>;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export class RogueRelay {
  readonly key = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly root = generateTunnelKeyPair();
  readonly logLines: Record<string, unknown>[] = [];
  readonly manifestVerdicts: string[] = [];
  readonly connections: MuxConnection[] = [];
  /** How connections ended, in order. */
  readonly causes: CloseCause[] = [];
  /** What the connector said when it went away, in order. */
  readonly goaways: Goaway[] = [];
  /** Below {@link connections}, for frames that no multiplexer would send. */
  readonly transports: Transport[] = [];
  firstStreamId = 1;
  url = "";
  connector!: Connector;
  #number = 0;

  get mux(): MuxConnection {
    const mux = this.connections.at(-1);
    if (mux === undefined) throw new Error("no connection");
    return mux;
  }

  get jwk(): ManifestJwk {
    return { ...this.key.publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256" } as unknown as ManifestJwk;
  }

  manifest(change: Partial<KeyManifest> = {}, root: KeyObject = this.root.privateKey): string {
    const nowMs = Date.now();
    return signManifest(
      { version: 5, issuedAt: nowMs, expiresAt: nowMs + MANIFEST_LIFETIME_MS, keys: [this.jwk], nextRoot: undefined, ...change },
      root,
    );
  }

  /** What a relay in good health would assert. */
  claims(change: Claims = {}): Claims {
    const nowS = Math.floor(Date.now() / 1000);
    return {
      tunnel: "office",
      service: "open",
      kind: "service",
      sub: "st_x",
      iss: this.url,
      aud: "https://app.example.test",
      jti: "j",
      iat: nowS,
      nbf: nowS,
      exp: nowS + 300,
      ...change,
    };
  }

  token(claims: Claims = this.claims(), header: Claims = {}, key: KeyObject = this.key.privateKey): string {
    const input = `${encode({ alg: "ES256", typ: "sallyport-assertion+jwt", kid: "k1", ...header })}.${encode(claims)}`;
    return `${input}.${sign("SHA256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }

  /** Signed with the public key's bytes as an HMAC secret, as a confused verifier would accept it. */
  hmacToken(): string {
    const input = `${encode({ alg: "HS256", typ: "sallyport-assertion+jwt", kid: "k1" })}.${encode(this.claims())}`;
    const secret = this.key.publicKey.export({ format: "pem", type: "spki" });
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  }

  head(change: Partial<OpenHead> = {}): OpenHead {
    return {
      kind: StreamKind.HTTP,
      service: "open",
      assertion: 0,
      method: "GET",
      path: "/x",
      authority: "app.example.test",
      fields: [],
      contentLength: undefined,
      ...change,
    };
  }

  /** Opens one stream. `token` undefined: without an assertion. A lost connection is an outcome too. */
  async open(
    change: Partial<OpenHead> = {},
    options: { readonly token?: string | undefined; readonly body?: string } = { token: this.token() },
  ): Promise<Outcome> {
    const { mux } = this;
    let assertion = 0;
    if (options.token !== undefined) mux.defineAssertion((assertion = (this.#number++ % 4_096) + 1), options.token);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    let status = 0;
    let fields: readonly string[] = [];
    let body = "";
    const done = (): void => resolve({ status, fields, body });
    const stream = mux.openStream({ ...this.head(change), assertion }, options.body === undefined, {
      onHead: (head, end) => {
        ({ status, fields } = head);
        if (end) done();
      },
      onData: (chunk) => {
        body += Buffer.from(chunk).toString("latin1");
        stream?.consume(chunk.length);
      },
      onEnd: done,
      onReset: (code, { text }) => resolve({ reset: nameOf(code), text }),
      onDrain: () => {},
    });
    if (stream === undefined) throw new Error("the connection takes no streams");
    if (options.body !== undefined) {
      stream.write(Buffer.from(options.body, "latin1"));
      stream.end();
    }
    return await within(10_000, "the stream to end", promise);
  }
}

function nameOf(code: ResetCode): string {
  return Object.entries(ResetCode).find(([, value]) => value === code)?.[0] ?? String(code);
}

export interface RogueOptions {
  /** Id of the first stream of the first connection. Default 1. */
  readonly firstStreamId?: number;
  /** How far its clock is ahead. Default 0. */
  readonly clockAheadMs?: number;
  /** Signs the manifest of each new connection. Default: the root key of the credential. */
  readonly manifestKey?: KeyObject;
}

export async function startRogueRelay(
  stack: AsyncDisposableStack,
  services: Readonly<Record<string, unknown>>,
  options: RogueOptions = {},
): Promise<RogueRelay> {
  const rogue = new RogueRelay();
  rogue.firstStreamId = options.firstStreamId ?? 1;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  rogue.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = generateTunnelKeyPair();
  const publicKey = createPublicKey(privateKey);
  const sockets = new WebSocketServer({ server, handleProtocols: () => "sallyport.v1" });
  sockets.on("connection", (socket) => void admit(rogue, wsTransport(socket), publicKey, options));
  const loaded = parseConfig("connector.yaml", stringify({ connections: 1, services }), {});
  if (loaded.kind !== "loaded") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const credential = {
    relayUrl: rogue.url,
    tunnel: "office",
    credentialId: `cred_${"A".repeat(22)}`,
    privateKey,
    rootKey: rogue.root.publicKey,
  };
  const gate = createGate(credential, undefined, systemClock);
  const watched: StreamGate = {
    check: (token, open) => gate.check(token, open),
    takeManifest: (manifest) => {
      const verdict = gate.takeManifest(manifest);
      rogue.manifestVerdicts.push(verdict.kind === "accepted" ? `accepted ${verdict.version}` : verdict.problem);
      return verdict;
    },
  };
  const write = (line: string): void => void rogue.logLines.push(JSON.parse(line) as Record<string, unknown>);
  const logger = createLogger({ level: "info", format: "json", write });
  rogue.connector = createConnector({
    config: loaded.config,
    credential,
    gate: watched,
    software: "sallyport/conformance",
    environment: {},
    logger,
    clock: systemClock,
    // No wait before the next attempt: cases in which the connector hangs up follow one another.
    random: () => 0,
  });
  await rogue.connector.start();
  stack.defer(async () => {
    rogue.connector.close();
    await rogue.connector.ended;
    for (const client of sockets.clients) client.terminate();
    sockets.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  await eventually(() => rogue.connections.length > 0 && rogue.manifestVerdicts.length > 0, {
    what: "the connector to connect",
    context: () => JSON.stringify(rogue.logLines),
  });
  return rogue;
}

async function admit(
  rogue: RogueRelay,
  transport: ReturnType<typeof wsTransport>,
  publicKey: KeyObject,
  { clockAheadMs = 0, manifestKey = rogue.root.privateKey }: RogueOptions,
): Promise<void> {
  const hello = {
    software: "rogue/1",
    limits: DEFAULT_MUX_LIMITS,
    capabilities: [],
    time: Date.now() + clockAheadMs,
    connectionId: "c",
    tunnel: "office",
    grants: [],
  };
  const result = await relayHandshake({
    transport,
    authUrl: rogue.url,
    lookup: () => ({ tunnel: "office", publicKey, revoked: false }),
    decoyKey: publicKey,
    admit: () => ({ hello }),
  });
  if (result.kind !== "admitted") return;
  const mux = new MuxConnection({
    role: "relay",
    transport,
    budget: new BufferBudget(),
    peerLimits: result.hello.limits,
    firstStreamId: rogue.firstStreamId,
    handler: { onGoaway: (goaway) => void rogue.goaways.push(goaway), onClosed: (cause) => void rogue.causes.push(cause) },
  });
  rogue.firstStreamId = 1;
  mux.sendKeys(rogue.manifest({}, manifestKey));
  rogue.transports.push(transport);
  rogue.connections.push(mux);
}
