// The composition root of the connector: joins the tunnel (connections to the relay) with the origins (services next to
// us), the gate between them, the log, the metrics and the admin listener. Must not know argv, signals or exit codes.

import { randomBytes } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import type { TunnelCredential } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import { LogField } from "@sallyport/shared/log-fields";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import type { StreamHandler } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { type OpenHead, StreamKind } from "@sallyport/shared/protocol/head";
import type { ConnectorConfig } from "./config/types.ts";
import type { StreamGate, Verdict } from "./gate/gate.ts";
import { unmetDemand } from "./gate/require.ts";
import { type AdminListener, listenAdmin } from "./observe/admin.ts";
import { errorFields, type Logger } from "./observe/logger.ts";
import { Metrics } from "./observe/metrics.ts";
import { TunnelLog } from "./observe/tunnel-log.ts";
import { createOriginRouter, type OriginRouter } from "./origin/router.ts";
import { type AcceptStream, connector, type RelayNotice } from "./tunnel/connect.ts";
import { allAddresses, watchNetwork } from "./tunnel/network.ts";
import { chooseProxy, type Environment } from "./tunnel/proxy.ts";
import { Supervisor, type TunnelEnd, type TunnelStatus } from "./tunnel/supervise.ts";

export interface ConnectorOptions {
  readonly config: ConnectorConfig;
  readonly credential: TunnelCredential;
  /** Decides whether a stream may reach an origin. */
  readonly gate: StreamGate;
  /** Name and version, for the relay and the log. */
  readonly software: string;
  /** The hostname asked for with `--hostname`; the relay refuses for good when it is not granted. */
  readonly wantedHostname?: string | undefined;
  /** For the proxy variables. */
  readonly environment: Environment;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Uniform in [0, 1). Default Math.random. */
  readonly random?: () => number;
  /** Told of each HELLO of the relay. */
  readonly onNotice?: (notice: RelayNotice) => void;
}

export interface ConnectorStatus {
  readonly tunnel: TunnelStatus;
  /** At least one authenticated connection takes streams. */
  readonly ready: boolean;
  readonly relay: string;
  readonly connectorId: string;
}

export interface Connector {
  /** Opens the admin listener and starts connecting. @throws SallyportError ERR_ADMIN_LISTEN */
  start(): Promise<void>;
  /** Settles when the tunnel is over; never rejects. */
  readonly ended: Promise<TunnelEnd>;
  /** Puts another configuration in force; streams under way keep what they started with. */
  reload(config: ConnectorConfig): void;
  /** Records that a changed configuration cannot be used: what runs stays in force. */
  rejectReload(fields: Readonly<Record<string, unknown>>): void;
  /** Takes no new streams and ends when those in flight have finished, or after `graceMs`. */
  drain(graceMs: number): void;
  close(): void;
  status(): ConnectorStatus;
  /** Where the admin listener listens; undefined when there is none. */
  readonly adminPort: number | undefined;
}

/**
 * The URL to dial. `relay:` may name another port of the credential's host, not another host: the signature names the
 * credential's relay, and only the host name in the certificate ties that to whom we speak with.
 * @throws SallyportError ERR_CONNECTOR_WRONG_RELAY
 */
export function relayUrl(config: ConnectorConfig, credential: TunnelCredential): URL {
  const pinned = new URL(credential.relayUrl);
  if (config.relay === undefined) return pinned;
  const url = new URL(config.relay);
  if (url.hostname === pinned.hostname) return url;
  throw new SallyportError(
    "ERR_CONNECTOR_WRONG_RELAY",
    `the configuration names the relay ${url.origin}, but the credential belongs to ${pinned.origin}: use a credential made by that relay, or correct \`relay\``,
  );
}

/** Makes a connector; nothing runs until start(). */
export function createConnector(options: ConnectorOptions): Connector {
  return new RunningConnector(options);
}

/** What an origin reads and verifies with the relay's public JWKS. */
const ASSERTION_FIELD = "Sallyport-Jwt-Assertion";
const ASSERTION_FIELD_LOWER: string = ASSERTION_FIELD.toLowerCase();

/** Once a stream is reset there is nothing to be told. */
const DEAF: StreamHandler = { onHead: ignore, onData: ignore, onEnd: ignore, onReset: ignore, onDrain: ignore };

class RunningConnector implements Connector {
  readonly #options: ConnectorOptions;
  readonly #connectorId = randomBytes(12).toString("base64url");
  readonly #router: OriginRouter;
  readonly #supervisor: Supervisor;
  readonly #metrics: Metrics;
  readonly #log: TunnelLog;
  #config: ConnectorConfig;
  #admin: AdminListener | undefined;
  #stopWatching: () => void = ignore;
  #grants = "";

  constructor(options: ConnectorOptions) {
    const { config, credential, logger, clock, software } = options;
    this.#options = options;
    this.#config = config;
    relayUrl(config, credential);
    const budget = new BufferBudget();
    this.#router = createOriginRouter(config.services, { logger, clock });
    this.#log = new TunnelLog(logger, () => this.#metrics);
    this.#supervisor = new Supervisor({
      connections: config.connections,
      connect: this.#connect(budget),
      clock,
      random: options.random ?? Math.random,
      observer: this.#log,
    });
    this.#metrics = new Metrics(
      {
        tunnel: () => this.#supervisor.status(),
        health: () => this.#router.health(),
        durations: () => this.#router.durations(),
        bufferedBytes: () => budget.heldBytes,
        bytes: () => this.#supervisor.traffic(),
      },
      software,
    );
  }

  get ended(): Promise<TunnelEnd> {
    return this.#supervisor.ended;
  }

  get adminPort(): number | undefined {
    return this.#admin?.address.port;
  }

  async start(): Promise<void> {
    const { clock, logger, credential, software } = this.#options;
    if (this.#config.admin !== undefined)
      this.#admin = await listenAdmin(this.#config.admin, {
        metrics: () => this.#metrics.render(),
        ready: () => this.status().ready,
        status: () => this.status(),
      });
    logger.info(
      {
        [LogField.tunnel]: credential.tunnel,
        [LogField.credentialId]: credential.credentialId,
        [LogField.connectorId]: this.#connectorId,
        software,
        services: [...this.#config.services.keys()],
      },
      "connector starts",
    );
    this.#stopWatching = watchNetwork(clock, () => {
      logger.info("network changed or machine woke up: waits end now");
      this.#supervisor.networkChanged(allAddresses());
    });
    void this.#supervisor.ended.then(() => this.#cleanUp());
    this.#supervisor.start();
  }

  reload(config: ConnectorConfig): void {
    const { logger, credential } = this.#options;
    relayUrl(config, credential);
    for (const key of ["connections", "admin", "credential"] as const) {
      if (JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]))
        logger.warn({ key }, "this key changes at the next start only");
    }
    const before = [...this.#config.services.keys()];
    const said = JSON.stringify(this.#router.services());
    this.#router.reload(config.services);
    this.#config = config;
    if (JSON.stringify(this.#router.services()) !== said) this.#supervisor.announce();
    const after = [...config.services.keys()];
    logger.info(
      { added: after.filter((name) => !before.includes(name)), removed: before.filter((name) => !after.includes(name)) },
      "configuration reloaded",
    );
    this.#metrics.reloaded("applied");
  }

  rejectReload(fields: Readonly<Record<string, unknown>>): void {
    this.#options.logger.error(fields, "configuration not reloaded: what ran before stays in force");
    this.#metrics.reloaded("refused");
  }

  drain(graceMs: number): void {
    this.#supervisor.drain(graceMs);
  }

  close(): void {
    this.#supervisor.close();
  }

  status(): ConnectorStatus {
    const tunnel = this.#supervisor.status();
    const ready = tunnel.slots.some(({ state }) => state === "serving");
    return { tunnel, ready, relay: relayUrl(this.#config, this.#options.credential).origin, connectorId: this.#connectorId };
  }

  #connect(budget: BufferBudget): ReturnType<typeof connector> {
    const { credential, software, clock, environment, wantedHostname, gate, logger } = this.#options;
    return connector({
      credential,
      dial: () => {
        const relay = relayUrl(this.#config, credential);
        return { relay, proxy: chooseProxy(relay, this.#config.proxy, environment), ca: this.#config.ca };
      },
      software,
      connectorId: this.#connectorId,
      services: () => this.#router.services(),
      wantedHostname,
      accept: this.#accept,
      budget,
      clock,
      news: {
        onHello: (notice) => this.#noticed(notice),
        onKeys: (manifest) => {
          const taken = gate.takeManifest(manifest);
          if (taken.kind === "refused")
            logger.error(
              { [LogField.reason]: taken.problem },
              "key manifest refused: the keys known before stay in force until they expire",
            );
          else if (taken.warning !== undefined) logger.warn({ [LogField.reason]: taken.warning }, "key manifest accepted");
        },
        onFault: (error) => logger.error(errorFields(error), "a stream failed by a fault of this connector"),
      },
    });
  }

  readonly #accept: AcceptStream = (stream, open, end, assertion) => {
    const verdict = this.#judge(assertion, open);
    const known = this.#config.services.has(open.service) ? open.service : "unknown";
    this.#metrics.streamOpened(known, verdict.kind === "allowed" ? "accepted" : "refused");
    if (verdict.kind === "allowed") {
      const token = verdict.claims.kind === "bypass" ? undefined : assertion;
      return this.#router.accept(stream, withAssertion(open, token), end);
    }
    // The local audit line of R-K5: this machine's own record that somebody tried.
    this.#options.logger.warn(
      { [LogField.service]: open.service, [LogField.streamId]: stream.id, [LogField.reason]: verdict.reason },
      "assertion refused",
    );
    stream.reset(ResetCode.ASSERTION_REFUSED, { text: verdict.reason });
    return DEAF;
  };

  /** The relay's proof first, then what whoever runs this connector demands beside it (T16). */
  #judge(assertion: string | undefined, open: OpenHead): Verdict {
    const verdict = this.#options.gate.check(assertion, open);
    if (verdict.kind === "refused") return verdict;
    for (const requirement of this.#config.requirements.get(open.service) ?? []) {
      const unmet = unmetDemand(requirement, verdict.claims);
      if (unmet !== undefined) return { kind: "refused", reason: `local require: ${unmet}` };
    }
    return verdict;
  }

  #noticed(notice: RelayNotice): void {
    this.#log.clock(notice);
    this.#options.onNotice?.(notice);
    // Every connection brings the same grants: told once, and again when they change.
    const grants = JSON.stringify(notice.grants);
    if (grants === this.#grants) return;
    this.#grants = grants;
    this.#log.grants(notice, this.#config.services);
  }

  #cleanUp(): void {
    this.#stopWatching();
    this.#router.close();
    this.#admin?.close();
    this.#metrics.close();
  }
}

/** The origin gets exactly one assertion, the one verified here, and none for a bypass (R-C3, R-K5). */
function withAssertion(open: OpenHead, token: string | undefined): OpenHead {
  if (open.kind === StreamKind.TCP) return open;
  const fields: string[] = [];
  for (let i = 0; i < open.fields.length; i += 2) {
    const name = open.fields[i] as string;
    if (name.length !== ASSERTION_FIELD.length || name.toLowerCase() !== ASSERTION_FIELD_LOWER)
      fields.push(name, open.fields[i + 1] as string);
  }
  if (token !== undefined) fields.push(ASSERTION_FIELD, token);
  return { ...open, fields };
}

function ignore(): void {}
