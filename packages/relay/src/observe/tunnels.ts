// What happens to tunnels, told to log, record and metrics. Logs on a change of state only.

import { LogField } from "@sallyport/shared/log-fields";
import type { CloseCause } from "@sallyport/shared/mux/connection";
import type { Logger } from "pino";
import type { TunnelEvent } from "../tunnel/acceptor.ts";
import type { TunnelConnection } from "../tunnel/connection.ts";
import type { TunnelRegistry } from "../tunnel/registry.ts";
import type { Metrics } from "./metrics.ts";
import type { Recorder } from "./record.ts";

export interface TunnelObserverOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly recorder: Recorder;
  readonly registry: TunnelRegistry;
}

export function observeTunnels({ logger, metrics, recorder, registry }: TunnelObserverOptions): (event: TunnelEvent) => void {
  const counts = { connected: 0, refused: 0 };
  metrics.read("gauge", "sallyport_tunnel_connections", "Connections of connectors.", () => registry.list().length);
  metrics.read("gauge", "sallyport_tunnel_streams", "Open streams of all connections.", () =>
    registry.list().reduce((sum, connection) => sum + connection.outstanding, 0),
  );
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
