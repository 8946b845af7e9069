// `sallyport http 3000`: publishes one local address with a credential and nothing else. The relay's grants say which
// hostnames that can be; the only one is taken, otherwise the choice is asked for (T14).

import type { Grant } from "@sallyport/shared/protocol/hello";
import type { ConnectorConfig } from "../config/types.ts";
import { createConnector } from "../connector.ts";
import { createLogger, type Logger, type LogLevel } from "../observe/logger.ts";
import { formatOrigin, parseOriginUrl, serviceOf, type ServiceOptions } from "../origin/options.ts";
import { readAuthorities } from "./authorities.ts";
import { SOFTWARE } from "../version.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { serve } from "./serve.ts";
import { credentialOrExplain } from "./setup.ts";

export interface HttpOptions {
  readonly hostname?: string;
  readonly service?: string;
  readonly credential?: string;
  readonly hostHeader?: string;
  readonly ca?: string;
  readonly http2: boolean;
  readonly insecureSkipVerify: boolean;
  readonly connections: number;
  readonly graceMs: number;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

export async function http(
  address: string,
  options: HttpOptions,
  io: Io,
  logger: Logger = createLogger(options.logLevel, 2),
): Promise<ExitCode> {
  const parsed = parseOriginUrl(address, options.http2);
  if (!parsed.ok) {
    io.err(`error[ERR_USAGE]: ${parsed.problem}`);
    return ExitCode.USAGE;
  }
  const service = serviceOf(parsed.address, { hostHeader: options.hostHeader, insecureSkipVerify: options.insecureSkipVerify });
  const ca = options.ca === undefined ? undefined : readAuthorities(options.ca, io);
  if (ca === "unusable") return ExitCode.USAGE;
  const config: ConnectorConfig = {
    relay: undefined,
    credential: undefined,
    connections: options.connections,
    admin: undefined,
    ca,
    proxy: { kind: "environment" },
    services: options.service === undefined ? new Map() : new Map([[options.service, service]]),
    requirements: new Map(),
  };
  const found = credentialOrExplain(options.credential, config, io);
  if (found === undefined) return ExitCode.USAGE;
  let usage: ExitCode | undefined;
  let told = "";
  const connector = createConnector({
    config,
    credential: found.credential,
    gate: found.gate,
    software: SOFTWARE,
    wantedHostname: options.hostname,
    environment: io.environment,
    logger,
    clock: io.clock,
    onNotice: ({ grants, tunnel }) => {
      const choice = chooseGrants(grants, options);
      if (choice.kind === "ask") {
        io.err(askFor(choice.grants, tunnel, options));
        usage = ExitCode.USAGE;
        connector.close();
        return;
      }
      connector.reload({ ...config, services: new Map([[choice.service, service]]) });
      const text = published(choice, service, options.json);
      if (text !== told) io.out(text);
      told = text;
    },
  });
  const code = await serve(connector, { graceMs: options.graceMs, logger, audience: "person" }, io);
  return usage ?? code;
}

export type GrantChoice =
  | { readonly kind: "chosen"; readonly service: string; readonly urls: readonly string[] }
  /** None fits, or several do: `grants` are those there are. */
  | { readonly kind: "ask"; readonly grants: readonly Grant[] };

/** Takes the only service that the grants name, after --hostname and --service have narrowed them. */
export function chooseGrants(grants: readonly Grant[], wanted: { readonly hostname?: string; readonly service?: string }): GrantChoice {
  const fitting = grants.filter(
    ({ hostname, service }) =>
      (wanted.hostname === undefined || covers(hostname, wanted.hostname)) && (wanted.service === undefined || service === wanted.service),
  );
  const [first] = fitting;
  if (first === undefined || fitting.some(({ service }) => service !== first.service))
    return { kind: "ask", grants: fitting.length > 0 ? fitting : grants };
  return { kind: "chosen", service: first.service, urls: fitting.map(({ url }) => url) };
}

/** A grant's hostname may start with `*.`, which stands for one label. */
function covers(granted: string, wanted: string): boolean {
  const name = wanted.toLowerCase();
  return granted === name || (granted.startsWith("*.") && name.slice(name.indexOf(".")) === granted.slice(1));
}

function published(
  { service, urls }: Extract<GrantChoice, { readonly kind: "chosen" }>,
  { origins }: ServiceOptions,
  json: boolean,
): string {
  const origin = formatOrigin(origins[0]);
  if (json) return JSON.stringify({ service, origin, urls });
  return [`Published ${origin} as service ${service}:`, "", ...urls.map((url) => `  ${url}`), "", "Ctrl+C ends it."].join("\n");
}

function askFor(grants: readonly Grant[], tunnel: string, { hostname, service }: HttpOptions): string {
  if (grants.length === 0) {
    return [
      `error[ERR_HTTP_NO_GRANT]: the relay publishes nothing through the tunnel ${tunnel}`,
      "   = ask the relay's operator to add an application to relay.yaml:",
      "",
      `     applications:`,
      `       - { name: app, hostname: ${hostname ?? "app.example.com"}, tunnel: ${tunnel}, service: ${service ?? "app"}, policies: [ ... ] }`,
    ].join("\n");
  }
  const oneHost = new Set(grants.map((grant) => grant.hostname)).size === 1;
  const choices = grants.map(
    (grant) => `     ${oneHost ? `--service ${grant.service}` : `--hostname ${grant.hostname}`}   (${grant.url}, service ${grant.service})`,
  );
  return [
    `error[ERR_HTTP_CHOOSE]: the tunnel ${tunnel} has several services: say which one this is`,
    "   = add one of",
    "",
    ...choices,
  ].join("\n");
}
