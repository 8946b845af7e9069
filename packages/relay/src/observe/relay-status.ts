// What `sallyport-relay status` shows of the running relay: connectors as they are, not as they were (R-K2).

import type { ConnectorStatus, RelayStatus } from "../admin/status.ts";
import type { RelayConfig } from "../config/types.ts";
import type { ConnectionInfo, TunnelConnection } from "../tunnel/connection.ts";
import type { TunnelRegistry } from "../tunnel/registry.ts";
import type { Health } from "./health.ts";
import type { Recorder } from "./record.ts";

export interface RelayStatusInput {
  readonly config: RelayConfig;
  readonly version: string;
  readonly startedAt: number;
  readonly configLoadedAt: number;
  readonly registry: TunnelRegistry;
  readonly health: Health;
  readonly recorder: Recorder;
}

export function relayStatus(input: RelayStatusInput): RelayStatus {
  const { config, registry, recorder } = input;
  const { ready, problems } = input.health.report();
  const { written, dropped } = recorder.counts();
  return {
    version: input.version,
    authUrl: config.authUrl.origin,
    startedAt: input.startedAt,
    configFile: config.source.file,
    configHash: config.source.hash,
    configLoadedAt: input.configLoadedAt,
    tunnels: config.tunnels.map(({ name }) => ({ name, connectors: connectorsOf(registry.list(name)) })),
    applications: config.applications.length,
    publicApplications: publicApplications(config),
    ready,
    problems,
    record: { written, dropped, failing: recorder.failing },
  };
}

/** One entry per connector process, however many connections it holds. */
export function connectorsOf(connections: readonly TunnelConnection[]): readonly ConnectorStatus[] {
  const byConnector = new Map<string, ConnectorStatus>();
  for (const { info, outstanding } of connections) {
    const key = connectorKey(info);
    const known = byConnector.get(key);
    byConnector.set(key, {
      connectorId: info.connectorId,
      credentialId: info.credentialId,
      hostname: info.connectorHostname,
      version: info.software,
      address: info.address,
      connectedAt: Math.min(info.connectedAt, known?.connectedAt ?? info.connectedAt),
      connections: (known?.connections ?? 0) + 1,
      streams: (known?.streams ?? 0) + outstanding,
    });
  }
  return [...byConnector.values()];
}

/**
 * A connector chooses its own id, so whoever stole a credential can copy that too: two with one id count as one only where
 * everything else about them is the same as well (R-K2).
 */
export function connectorKey({ connectorId, credentialId, address, connectorHostname, software }: ConnectionInfo): string {
  return JSON.stringify([connectorId, credentialId, address, connectorHostname, software]);
}

function publicApplications({ applications, policies }: RelayConfig): readonly string[] {
  const bypass = new Set(policies.filter(({ action }) => action === "bypass").map(({ name }) => name));
  return applications.filter((application) => application.policies.some((policy) => bypass.has(policy))).map(({ name }) => name);
}
