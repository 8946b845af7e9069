// The steps of `sallyport check`, each as a row: what was looked at, what came of it, what to do. The way to the relay is
// dialled once, as `run` does it; the failing hop is the row that fails, those before it passed, those after were not reached.

import { lookup as systemLookup } from "node:dns/promises";
import { hostname } from "node:os";
import type { Clock } from "@sallyport/shared/clock";
import type { TunnelCredential } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import type { StreamHandler } from "@sallyport/shared/mux/stream";
import { GoawayReason, ResetCode } from "@sallyport/shared/protocol/codes";
import type { ConnectorConfig } from "../config/types.ts";
import type { StreamGate } from "../gate/gate.ts";
import { MAX_CLOCK_SKEW_MS } from "../observe/tunnel-log.ts";
import type { OriginRouter } from "../origin/router.ts";
import { type AcceptStream, connector, type RelayNotice } from "../tunnel/connect.ts";
import { hostPort } from "../tunnel/dial.ts";
import { DialError, type DialStage } from "../tunnel/dial-error.ts";
import { isLocalhostName } from "../tunnel/lookup.ts";
import { chooseProxy, displayProxy, type Environment, type ProxyChoice } from "../tunnel/proxy.ts";

export interface Row {
  readonly name: string;
  readonly state: "ok" | "failed" | "warning" | "skipped";
  readonly detail: string;
  /** What to do; absent when nothing is. */
  readonly remedy?: string;
}

export interface RelayProbe {
  readonly rows: readonly Row[];
  /** The relay refuses this credential for good. */
  readonly refused: boolean;
}

export interface RelayProbeOptions {
  readonly relay: URL;
  readonly config: ConnectorConfig;
  readonly credential: TunnelCredential;
  readonly gate: StreamGate;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly software: string;
}

const STAGES: readonly DialStage[] = ["dns", "proxy", "tcp", "tls", "websocket"];
const STAGE_NAMES: Readonly<Record<DialStage, string>> = { dns: "DNS", proxy: "proxy", tcp: "TCP", tls: "TLS", websocket: "WebSocket" };

/** Dials and authenticates once, then leaves without ever taking a stream. */
export async function probeRelay(options: RelayProbeOptions): Promise<RelayProbe> {
  const proxy = chooseProxy(options.relay, options.config.proxy, options.environment);
  const resolved = await resolveRow(options.relay, proxy);
  const outcome = await authenticateOnce(options, proxy);
  if (outcome.kind === "failed" && outcome.error instanceof DialError) {
    return {
      rows: [...hopRows(options.relay, proxy, resolved, outcome.error), skipped("credential"), skipped("clock")],
      refused: !outcome.error.retryable,
    };
  }
  const hops = hopRows(options.relay, proxy, resolved, undefined);
  if (outcome.kind === "failed")
    return { rows: [...hops, credentialFailed(outcome.error), skipped("clock")], refused: !outcome.error.retryable };
  return { rows: [...hops, ...relayRows(outcome.notice, outcome.keys, options)], refused: false };
}

type Outcome =
  | { readonly kind: "authenticated"; readonly notice: RelayNotice; readonly keys: Row }
  | { readonly kind: "failed"; readonly error: SallyportError };

// No services are announced and every stream is refused unprocessed, so that a check never takes a visitor's request.
async function authenticateOnce(
  { relay, config, credential, gate, software, clock }: RelayProbeOptions,
  proxy: ProxyChoice,
): Promise<Outcome> {
  let notice: RelayNotice | undefined;
  const keys = Promise.withResolvers<Row>();
  const connect = connector({
    credential,
    dial: () => ({ relay, proxy, ca: config.ca }),
    software,
    connectorId: `check-${hostname()}`.slice(0, 64),
    services: () => [],
    accept: refuseStream,
    budget: new BufferBudget(),
    clock,
    news: { onHello: (hello) => (notice = hello), onKeys: (manifest) => keys.resolve(keysRow(gate, manifest)), onFault: () => undefined },
  });
  const gone = Promise.withResolvers<void>();
  try {
    const connection = await connect({ onGoaway: () => undefined, onClosed: () => gone.resolve() }, new AbortController().signal);
    const timer = clock.after(KEYS_WAIT_MS, () =>
      keys.resolve({
        name: "keys",
        state: "failed",
        detail: "the relay sent no key manifest",
        remedy: "see the relay's log: requests would be answered 403",
      }),
    );
    const row = await keys.promise;
    timer.cancel();
    connection.leave(GoawayReason.SHUTDOWN, "check is done");
    await gone.promise;
    return notice === undefined
      ? { kind: "failed", error: new SallyportError("ERR_TUNNEL_HANDSHAKE", "the relay sent no HELLO") }
      : { kind: "authenticated", notice, keys: row };
  } catch (error) {
    if (error instanceof SallyportError) return { kind: "failed", error };
    throw error;
  }
}

/** The manifest follows the relay's HELLO at once. */
const KEYS_WAIT_MS = 5_000;

function keysRow(gate: StreamGate, manifest: string): Row {
  const taken = gate.takeManifest(manifest);
  if (taken.kind === "accepted") {
    return taken.warning === undefined
      ? { name: "keys", state: "ok", detail: `manifest version ${taken.version}, signed by the root in the credential` }
      : { name: "keys", state: "warning", detail: taken.warning, remedy: "let this user write beside the credential file" };
  }
  return {
    name: "keys",
    state: "failed",
    detail: `the key manifest is refused: ${taken.problem}`,
    remedy: "make a new credential on this relay",
  };
}

const refuseStream: AcceptStream = (stream) => {
  stream.reset(ResetCode.REFUSED, { text: "check" });
  const ignore = (): void => undefined;
  return { onHead: ignore, onData: ignore, onEnd: ignore, onReset: ignore, onDrain: ignore } satisfies StreamHandler;
};

async function resolveRow(relay: URL, proxy: ProxyChoice): Promise<Row> {
  const host = (proxy.kind === "proxy" ? proxy.url : relay).hostname.replace(/^\[|\]$/g, "");
  if (isLocalhostName(host)) return { name: "DNS", state: "ok", detail: `${host} is this machine` };
  try {
    const addresses = await systemLookup(host, { all: true });
    return { name: "DNS", state: "ok", detail: `${host} is ${addresses.map(({ address }) => address).join(", ")}` };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    return {
      name: "DNS",
      state: "failed",
      detail: `${host} does not resolve (${code})`,
      remedy: "check the spelling of the name and this machine's DNS server",
    };
  }
}

function hopRows(relay: URL, proxy: ProxyChoice, dns: Row, error: DialError | undefined): Row[] {
  const failedAt = error === undefined ? STAGES.length : STAGES.indexOf(error.stage);
  return STAGES.map((stage, index): Row => {
    if (stage === "dns" && error?.stage !== "dns") return dns;
    if (index === failedAt && error !== undefined)
      return { name: STAGE_NAMES[stage], state: "failed", detail: error.message, remedy: error.remedy };
    if (index > failedAt) return skipped(STAGE_NAMES[stage]);
    return { name: STAGE_NAMES[stage], ...passed(stage, relay, proxy) };
  });
}

function passed(stage: DialStage, relay: URL, proxy: ProxyChoice): Pick<Row, "state" | "detail"> {
  const ok = (detail: string): Pick<Row, "state" | "detail"> => ({ state: "ok", detail });
  switch (stage) {
    case "dns":
      return ok("");
    case "proxy":
      return ok(
        proxy.kind === "proxy" ? `${displayProxy(proxy.url)} opens tunnels to ${hostPort(relay)} (${proxy.why})` : `none: ${proxy.why}`,
      );
    case "tcp":
      return ok(`${hostPort(relay)} is reached`);
    case "tls":
      return relay.protocol === "https:" ? ok("certificate and name are verified") : { state: "skipped", detail: "plain http on loopback" };
    case "websocket":
      return ok("the relay speaks sallyport.v1");
  }
}

function relayRows(
  { tunnel, software, grants, clockSkewMs = 0 }: RelayNotice,
  keys: Row,
  { credential, config }: RelayProbeOptions,
): Row[] {
  const skewed = Math.abs(clockSkewMs) > MAX_CLOCK_SKEW_MS;
  const seconds = (clockSkewMs / 1_000).toFixed(1);
  return [
    { name: "credential", state: "ok", detail: `${credential.credentialId} is accepted for the tunnel ${tunnel} by ${software}` },
    keys,
    skewed
      ? {
          name: "clock",
          state: "failed",
          detail: `this machine is ${seconds} s off the relay's time`,
          remedy: "set the clock (NTP): assertions are refused when clocks differ by more than 30 s",
        }
      : { name: "clock", state: "ok", detail: `${seconds} s off the relay's time` },
    ...(grants.length === 0
      ? [
          {
            name: "grants",
            state: "warning",
            detail: "the relay publishes nothing through this tunnel",
            remedy: `add an application with tunnel: ${tunnel} to relay.yaml`,
          } as const,
        ]
      : grants.map(({ url, service }) => grantRow(url, service, config))),
  ];
}

function grantRow(url: string, service: string, { services }: ConnectorConfig): Row {
  if (services.size === 0 || services.has(service)) return { name: "grant", state: "ok", detail: `${url} is the service ${service}` };
  return {
    name: "grant",
    state: "warning",
    detail: `${url} wants the service ${service}, which is not in services`,
    remedy: `add ${service} to services, or correct the application on the relay`,
  };
}

function credentialFailed(error: SallyportError): Row {
  const remedy = error.retryable
    ? "try again; see the relay's log if it stays"
    : "ask the relay's operator for a new credential (`sallyport-relay credential create TUNNEL`)";
  return { name: "credential", state: "failed", detail: error.message, remedy };
}

function skipped(name: string): Row {
  return { name, state: "skipped", detail: "not reached" };
}

/** Asks every origin of every service. */
export async function probeOrigins(services: Iterable<string>, router: OriginRouter): Promise<Row[]> {
  const rows = await Promise.all(
    [...services].map(async (service): Promise<Row[]> =>
      ((await router.probe(service)) ?? []).map((result) =>
        result.ok
          ? {
              name: `origin ${service}`,
              state: "ok",
              detail: `${result.origin} answers${result.status === undefined ? "" : ` ${result.status}`} in ${Math.round(result.durationMs)} ms`,
            }
          : {
              name: `origin ${service}`,
              state: "failed",
              detail: `${result.origin}: ${result.text === "" ? `code ${result.code}` : result.text}`,
              remedy: originRemedy(result.code),
            },
      ),
    ),
  );
  return rows.flat();
}

function originRemedy(code: ResetCode): string {
  switch (code) {
    case ResetCode.ORIGIN_UNREACHABLE:
      return "start the service, or correct its address in services";
    case ResetCode.ORIGIN_CONNECT_TIMEOUT:
      return "check the address and any firewall between here and the service";
    case ResetCode.ORIGIN_TLS:
      return "give the authority of its certificate with ca, or the name in it with serverName";
    case ResetCode.ORIGIN_HEADER_TIMEOUT:
      return "the service accepts connections but does not answer: see its own log";
    default:
      return "the service does not answer in HTTP: check that the address is that of an HTTP port (and http2 where it is one)";
  }
}
