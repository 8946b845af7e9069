// What happens to tunnels, told to log, record and metrics. Logs on a change of state only.

import { LogField } from "@sallyport/shared/log-fields";
import type { CloseCause } from "@sallyport/shared/mux/connection";
import type { Logger } from "pino";
import type { TunnelEvent } from "../tunnel/acceptor.ts";
import type { TunnelConnection } from "../tunnel/connection.ts";
import type { TunnelRegistry } from "../tunnel/registry.ts";
import type { Metrics } from "./metrics.ts";
import type { Recorder } from "./record.ts";
import { connectorsOf } from "./relay-status.ts";

export interface TunnelObserverOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly recorder: Recorder;
  readonly registry: TunnelRegistry;
  /** Names of the configured tunnels: what the `tunnel` label may say. */
  tunnels(): readonly string[];
}

export function observeTunnels(options: TunnelObserverOptions): (event: TunnelEvent) => void {
  const { logger, metrics, recorder } = options;
  const counts = { connected: 0, refused: 0 };
  registerGauges(options);
  metrics.read(
    "counter",
    "sallyport_tunnel_connects_total",
    "Connections admitted so far; reconnects count again.",
    () => counts.connected,
  );
  metrics.read("counter", "sallyport_tunnel_refusals_total", "Handshakes refused so far.", () => counts.refused);

  return (event) => {
    switch (event.type) {
      case "connected":
        counts.connected++;
        logger.info(connectionFields(event.connection), "connector connected");
        return recorder.event("connector.connected", "relay", recordFields(event.connection));
      case "announced":
        return logger.info(
          { ...connectionFields(event.connection), services: [...event.connection.services] },
          "connector has other services now",
        );
      case "disconnected": {
        const reason = causeText(event.cause);
        logger.info({ ...connectionFields(event.connection), [LogField.reason]: reason }, "connector disconnected");
        return recorder.event("connector.disconnected", "relay", { ...recordFields(event.connection), reason });
      }
      case "refused": {
        counts.refused++;
        const { address, credentialId = "", tunnel = "", reason, hostname = "" } = event;
        logger.warn(
          { [LogField.peer]: address, [LogField.credentialId]: credentialId, [LogField.tunnel]: tunnel, [LogField.reason]: reason },
          "connector refused",
        );
        return recorder.event("connector.refused", "relay", { sourceIp: address, credentialId, tunnel, reason, hostname });
      }
      case "fault":
        return logger.error(
          { err: event.error, [LogField.connectionId]: event.connection?.info.connectionId },
          "fault in a tunnel connection",
        );
    }
  };
}

/** Per tunnel, so that an alert can say "one connector more than there should be" (R-K2) or "none". */
function registerGauges({ metrics, registry, tunnels }: TunnelObserverOptions): void {
  const gauge = (name: `sallyport_${string}`, help: string, value: (connections: readonly TunnelConnection[]) => number): void =>
    metrics.read("gauge", name, help, () => tunnels().map((tunnel) => ({ labels: { tunnel }, value: value(registry.list(tunnel)) })));
  gauge("sallyport_tunnel_connectors", "Connector processes that are connected.", (connections) => connectorsOf(connections).length);
  gauge("sallyport_tunnel_connections", "Connections of connectors.", (connections) => connections.length);
  gauge("sallyport_tunnel_streams", "Open streams of all connections.", (connections) =>
    connections.reduce((sum, connection) => sum + connection.outstanding, 0),
  );
}

function connectionFields({ info }: TunnelConnection): Record<string, unknown> {
  return {
    [LogField.tunnel]: info.tunnel,
    [LogField.connectionId]: info.connectionId,
    [LogField.connectorId]: info.connectorId,
    [LogField.credentialId]: info.credentialId,
    [LogField.peer]: info.address,
    software: info.software,
  };
}

function recordFields({ info }: TunnelConnection): {
  readonly tunnel: string;
  readonly connectionId: string;
  readonly connectorId: string;
  readonly credentialId: string;
  readonly sourceIp: string;
  readonly version: string;
} {
  const { tunnel, connectionId, connectorId, credentialId, address, software } = info;
  return { tunnel, connectionId, connectorId, credentialId, sourceIp: address, version: software };
}

function causeText(cause: CloseCause): string {
  switch (cause.kind) {
    case "closed":
      return "closed";
    case "dead":
      return "silent";
    case "violation":
      return cause.violation.code;
    case "lost":
      return `lost (${cause.code})`;
  }
}
