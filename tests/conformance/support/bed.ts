// One relay, one connector and recording origins, composed in this process from the same parts that the command lines
// compose, with configuration files as an operator writes them. Every stream that reaches the connector is kept, so that
// "the connector never heard of it" is an observation, not a guess.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig as loadConnectorConfig } from "@sallyport/connector/config/load";
import { createConnector, type Connector } from "@sallyport/connector/connector";
import { createGate } from "@sallyport/connector/gate/gate";
import type { IdentityProvider } from "@sallyport/relay/authn/provider";
import type { ProviderNetwork } from "@sallyport/relay/authn/provider-fetch";
import { generateServiceToken, digestSecret } from "@sallyport/relay/authn/service-token-format";
import { createLogger } from "@sallyport/relay/commands/logger";
import { loadConfig as loadRelayConfig } from "@sallyport/relay/config/load";
import { createRelay, type Relay } from "@sallyport/relay/relay";
import { openState, type State } from "@sallyport/relay/state/state";
import { type Clock, systemClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair, type TunnelCredential } from "@sallyport/shared/credential-file";
import type { OpenHead } from "@sallyport/shared/protocol/head";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { canaries, filesBelow } from "../../harness/canary.ts";
import { eventually, freePort, scratchFolder } from "../../harness/scratch.ts";
import { createAuthority } from "../../harness/tls.ts";
import { stringify } from "yaml";
import { RecordingOrigin } from "./origin.ts";
import { startPortForward } from "./port-forward.ts";

export const AUTH_HOST = "auth.example.test";
/** Port 443 is the public one: listeners stand behind a port forwarding, as they often do. */
export const AUTH_URL = "https://auth.example.test";

export interface Token {
  readonly clientId: string;
  readonly secret: string;
  /** The two field lines. */
  readonly fields: readonly string[];
}

export interface BedOptions {
  /** Added to the applications below. */
  readonly applications?: readonly Readonly<Record<string, unknown>>[];
  readonly policies?: readonly Readonly<Record<string, unknown>>[];
  readonly relay?: Readonly<Record<string, unknown>>;
  /** Puts people's sessions and the like into the state, before the relay opens it. */
  readonly seed?: (state: State) => void | Promise<void>;
  /** Of relay and connector. Default: the system's. */
  readonly clock?: Clock;
  readonly providers?: ReadonlyMap<string, IdentityProvider>;
  /** How the relay finds and trusts external evaluators. Default: as the system does. */
  readonly evaluatorNetwork?: ProviderNetwork;
  /** Options of the service `open` besides its URL. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** Further services of the connector. */
  readonly services?: Readonly<Record<string, unknown>>;
}

/** Credentials of the tunnels that the configuration has. */
type Credentials = Readonly<Record<"office" | "lab" | "revoked", TunnelCredential>>;

export class Bed {
  readonly open = new RecordingOrigin();
  readonly admin = new RecordingOrigin();
  /** Streams that the connector was asked for, in order. */
  readonly opened: OpenHead[] = [];
  /** What the connector's gate said of each. */
  readonly verdicts: string[] = [];
  readonly logLines: Record<string, unknown>[] = [];
  /** As they were written; tests may take lines out of {@link logLines}. */
  readonly allLogLines: string[] = [];
  folder = "";
  port = 0;
  tlsPort = 0;
  ca = "";
  token!: Token;
  otherToken!: Token;
  credentials!: Credentials;
  relay!: Relay;
  connector!: Connector;
  #fences = 0;

  get tunnelUrl(): string {
    return `wss://127.0.0.1:${this.tlsPort}`;
  }

  /** Waits until everything sent before has gone through relay and connector: one more request, on the same tunnel connection. */
  async fence(visit: (target: string) => Promise<unknown>): Promise<void> {
    const target = `/fence-${++this.#fences}`;
    await visit(target);
    const drop = <T>(list: T[], match: (entry: T) => boolean): void => {
      const at = list.findIndex(match);
      if (at < 0) throw new Error(`the fence ${target} did not arrive`);
      list.splice(at, 1);
    };
    drop(this.opened, ({ path }) => path === target);
    drop(this.open.requests, (request) => request.target === target);
  }

  logger(program: string): ReturnType<typeof createLogger> {
    const write = (line: string): void => {
      this.allLogLines.push(line);
      this.logLines.push({ program, ...(JSON.parse(line) as Record<string, unknown>) });
    };
    return createLogger({ level: "info", format: "json", write });
  }
}

const everyone = [{ everyone: true }];

function relayYaml(bed: Bed, options: BedOptions, certificate: { certificateFile: string; privateKeyFile: string }): unknown {
  const app = { hostname: "app.example.test", tunnel: "office" };
  const open = { tunnel: "office", service: "open", policies: ["public"] };
  return {
    authUrl: AUTH_URL,
    listen: [
      { address: `127.0.0.1:${bed.port}` },
      {
        address: `127.0.0.1:${bed.tlsPort}`,
        tls: { cert: { file: certificate.certificateFile }, key: { file: certificate.privateKeyFile } },
      },
    ],
    admin: { address: "127.0.0.1:0" },
    state: join(bed.folder, "state"),
    tunnels: [{ name: "office" }, { name: "lab" }],
    policies: [
      { name: "public", action: "bypass", include: everyone },
      { name: "programs", action: "service", include: [{ serviceToken: "robot" }] },
      { name: "staff", action: "allow", include: [{ emailDomain: "example.com" }] },
      { name: "readers", action: "bypass", include: everyone, require: [{ method: ["GET"] }] },
      ...(options.policies ?? []),
    ],
    applications: [
      { name: "app", ...app, service: "open", policies: ["public"] },
      { name: "admin", ...app, path: "/admin", service: "admin", policies: ["programs"] },
      { name: "staff", ...app, path: "/staff", service: "admin", policies: ["staff"] },
      { name: "stripped", ...app, path: "/files", service: "stripped", policies: ["public"] },
      { name: "wild", hostname: "*.wild.example.test", ...open },
      { name: "underscore", hostname: "underscore.example.test", ...open, keepUnderscoreHeaders: true },
      {
        name: "basic",
        hostname: "basic.example.test",
        tunnel: "office",
        service: "open",
        policies: ["programs"],
        serviceTokens: { basic: true },
      },
      {
        name: "json",
        hostname: "json.example.test",
        tunnel: "office",
        service: "open",
        policies: ["programs"],
        serviceTokens: { jsonHeader: "X-Token" },
      },
      { name: "small", hostname: "small.example.test", ...open, limits: { maxRequestBody: "10B" } },
      { name: "readonly", hostname: "readonly.example.test", ...open, policies: ["readers"] },
      { name: "lab", hostname: "lab.example.test", tunnel: "lab", service: "open", policies: ["public"] },
      { name: "unserved", hostname: "unserved.example.test", tunnel: "office", service: "no-such-service", policies: ["public"] },
      ...(options.applications ?? []),
    ],
    ...options.relay,
  };
}

/** Credentials and tokens, made while the relay does not run yet. */
async function seedState(bed: Bed, folder: string, { seed, clock = systemClock }: BedOptions): Promise<void> {
  const state = openState({ folder, clock });
  const rootKey = state.keys.rootPublicKey;
  const credential = (tunnel: string): TunnelCredential => {
    const { privateKey, publicKey } = generateTunnelKeyPair();
    const { id } = state.credentials.create({ tunnel, publicKey, label: "" });
    canaries.add(`the private key of a credential of ${tunnel}`, privateKey.export({ format: "jwk" }).d);
    return { relayUrl: AUTH_URL, tunnel, credentialId: id, privateKey, rootKey };
  };
  const token = (name: string): Token => {
    const { clientId, secret } = generateServiceToken();
    canaries.add(`the service token ${name}`, secret);
    state.serviceTokens.create({ clientId, name, secretHash: digestSecret(secret), expiresAt: Date.now() + 86_400_000 });
    return { clientId, secret, fields: [`Sallyport-Client-Id: ${clientId}`, `Sallyport-Client-Secret: ${secret}`] };
  };
  bed.credentials = { office: credential("office"), lab: credential("lab"), revoked: credential("lab") };
  state.credentials.revoke(bed.credentials.revoked.credentialId);
  bed.token = token("robot");
  bed.otherToken = token("stranger");
  await seed?.(state);
  state.close();
}

async function startRelay(bed: Bed, options: BedOptions): Promise<void> {
  const authority = await createAuthority(bed.folder);
  const names = [AUTH_HOST, "*.example.test", "*.wild.example.test"];
  const certificate = await authority.issue("relay", names);
  bed.ca = readFileSync(authority.caFile, "utf8");
  const file = join(bed.folder, "relay.yaml");
  writeFileSync(file, stringify(relayYaml(bed, options, certificate), { aliasDuplicateObjects: false }), { mode: 0o600 });
  const loaded = await loadRelayConfig({ file, env: {}, clock: systemClock });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  await seedState(bed, loaded.config.state, options);
  const { clock = systemClock, providers = new Map(), evaluatorNetwork } = options;
  const logger = bed.logger("relay");
  bed.relay = createRelay({ config: loaded.config, logger, clock, createProviders: () => providers, evaluatorNetwork });
  await bed.relay.start();
}

async function startConnector(bed: Bed, options: BedOptions, forward: string): Promise<void> {
  const caFile = join(bed.folder, "ca.crt");
  const document = {
    relay: AUTH_URL,
    // One connection: what was sent before is seen before.
    connections: 1,
    ca: { file: caFile },
    proxy: forward,
    services: {
      open: { url: bed.open.url, ...options.service },
      admin: { url: bed.admin.url },
      stripped: { url: bed.open.url, stripPrefix: "/files" },
      ...options.services,
    },
  };
  const file = join(bed.folder, "connector.yaml");
  writeFileSync(file, stringify(document, { aliasDuplicateObjects: false }), { mode: 0o600 });
  const loaded = loadConnectorConfig(file, {});
  if (loaded.kind !== "loaded") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const credential = bed.credentials.office;
  const { clock = systemClock } = options;
  const gate = createGate(credential, undefined, clock);
  bed.connector = createConnector({
    config: loaded.config,
    credential,
    gate: {
      takeManifest: (manifest) => gate.takeManifest(manifest),
      check: (token, head) => {
        const verdict = gate.check(token, head);
        bed.opened.push(head as OpenHead);
        bed.verdicts.push(verdict.kind === "allowed" ? `allowed forward=${verdict.claims.kind !== "bypass"}` : verdict.reason);
        return verdict;
      },
    },
    software: "sallyport/conformance",
    environment: {},
    logger: bed.logger("connector"),
    clock,
  });
  await bed.connector.start();
  await eventually(() => bed.connector.status().ready, {
    what: "the connector to be ready",
    context: () => JSON.stringify(bed.logLines.slice(-5)),
  });
}

/** What relay and connector logged, recorded and stored holds none of the secrets that the tests used (R-M2). */
function searchForSecrets(bed: Bed): void {
  for (const line of bed.allLogLines) canaries.look("the log", line);
  for (const text of filesBelow(join(bed.folder, "state"))) canaries.look("the state and the records of the relay", text);
}

/** A running bed that ends with the stack. */
export async function createBed(stack: AsyncDisposableStack, options: BedOptions = {}): Promise<Bed> {
  const bed = new Bed();
  bed.folder = scratchFolder(stack, "sallyport-conformance");
  // Both programs have ended by then, and their files are still there.
  stack.defer(() => searchForSecrets(bed));
  mkdirSync(join(bed.folder, "state"), { mode: 0o700 });
  bed.port = await freePort();
  bed.tlsPort = await freePort();
  for (const origin of [bed.open, bed.admin]) {
    await origin.listen();
    stack.defer(() => origin.close());
  }
  await startRelay(bed, options);
  stack.defer(() => bed.relay.close("end of test", 0));
  await startConnector(bed, options, await startPortForward(stack, bed.tlsPort));
  stack.defer(async () => {
    bed.connector.close();
    await bed.connector.ended;
  });
  return bed;
}

/** The bed of a test file: made before its first test, ended after its last, the answers of the origins reset for each. */
export function useBed(options: BedOptions = {}): () => Bed {
  const stack = new AsyncDisposableStack();
  let bed: Bed | undefined;
  beforeAll(async () => {
    bed = await createBed(stack, options);
  });
  beforeEach(() => {
    bed?.open.reset();
    bed?.admin.reset();
  });
  afterAll(() => stack.disposeAsync());
  return () => {
    if (bed === undefined) throw new Error("the bed is made in beforeAll");
    return bed;
  };
}
