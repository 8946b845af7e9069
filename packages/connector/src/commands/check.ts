// `sallyport check`: everything between here and the relay, and between here and the services, as a table with a remedy
// for each line that fails (T17).

import { existsSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/errors";
import { relayUrl } from "../connector.ts";
import type { ConnectorConfig } from "../config/types.ts";
import { createOriginRouter } from "../origin/router.ts";
import { SOFTWARE } from "../version.ts";
import { readAuthorities } from "./authorities.ts";
import { probeOrigins, probeRelay, type Row } from "./check-probe.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { credentialOrExplain, DEFAULT_CONFIG_FILE, loadOrExplain } from "./setup.ts";

export interface CheckOptions {
  /** Undefined: connector.yaml when there is one, else only the way to the relay. */
  readonly config?: string;
  readonly credential?: string;
  readonly ca?: string;
  readonly json: boolean;
}

const NO_SERVICES: ConnectorConfig = {
  relay: undefined,
  credential: undefined,
  connections: 1,
  admin: undefined,
  ca: undefined,
  proxy: { kind: "environment" },
  services: new Map(),
  requirements: new Map(),
};

export async function check(options: CheckOptions, io: Io): Promise<ExitCode> {
  const prepared = prepare(options, io);
  if (prepared === undefined) return ExitCode.USAGE;
  const { config, rows: first } = prepared;
  const found = credentialOrExplain(options.credential, config, io);
  if (found === undefined) return ExitCode.USAGE;
  const done = io.keepAlive();
  const silent = { info: (): void => undefined, warn: (): void => undefined };
  const router = createOriginRouter(config.services, { logger: silent, clock: io.clock });
  try {
    const relay = relayUrl(config, found.credential);
    const [tunnel, origins] = await Promise.all([
      probeRelay({ relay, config, ...found, environment: io.environment, clock: io.clock, software: SOFTWARE }),
      probeOrigins(config.services.keys(), router),
    ]);
    const rows = [...first, ...tunnel.rows, ...origins];
    io.out(options.json ? JSON.stringify({ relay: relay.origin, ok: !rows.some(failed), rows }) : table(rows));
    if (tunnel.refused) return ExitCode.REFUSED;
    return rows.some(failed) ? ExitCode.FAILED : ExitCode.OK;
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    io.err(`error[${error.code}]: ${error.message}`);
    return ExitCode.FAILED;
  } finally {
    router.close();
    done();
  }
}

function prepare(options: CheckOptions, io: Io): { readonly config: ConnectorConfig; readonly rows: readonly Row[] } | undefined {
  const ca = options.ca === undefined ? undefined : readAuthorities(options.ca, io);
  if (ca === "unusable") return undefined;
  const file = options.config ?? (existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined);
  if (file === undefined) {
    return {
      config: { ...NO_SERVICES, ca },
      rows: [{ name: "config", state: "skipped", detail: `there is no ${DEFAULT_CONFIG_FILE} here: only the way to the relay is checked` }],
    };
  }
  const loaded = loadOrExplain(file, options.json, io);
  if (loaded === undefined) return undefined;
  const warnings = loaded.warnings.map((warning): Row => ({
    name: "config",
    state: "warning",
    detail: `${warning.path}: ${warning.message}`,
    remedy: warning.remedy,
  }));
  const summary: Row = { name: "config", state: "ok", detail: `${file}: ${loaded.config.services.size} services` };
  return { config: ca === undefined ? loaded.config : { ...loaded.config, ca }, rows: [summary, ...warnings] };
}

function failed({ state }: Row): boolean {
  return state === "failed";
}

const MARKS: Readonly<Record<Row["state"], string>> = { ok: "ok", failed: "FAIL", warning: "warn", skipped: "-" };

/** One line per row; below a failed one what to do. */
export function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows
    .flatMap(({ name, state, detail, remedy }) => [
      `${MARKS[state].padEnd(4)}  ${name.padEnd(width)}  ${detail}`,
      ...(remedy === undefined ? [] : [`${" ".repeat(6 + width)}  = ${remedy}`]),
    ])
    .join("\n");
}
