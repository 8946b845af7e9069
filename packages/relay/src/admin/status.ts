// What `status` shows of a running relay. Built by relay.ts, which alone sees every part of it.

export interface ConnectorStatus {
  readonly connectorId: string;
  readonly credentialId: string;
  /** Name of its host and version of its program, as it says. */
  readonly hostname: string;
  readonly version: string;
  readonly address: string;
  readonly connectedAt: number;
  readonly connections: number;
  readonly streams: number;
}

export interface TunnelStatus {
  readonly name: string;
  readonly connectors: readonly ConnectorStatus[];
}

export interface RelayStatus {
  readonly version: string;
  readonly authUrl: string;
  readonly startedAt: number;
  readonly configFile: string;
  readonly configHash: string;
  readonly configLoadedAt: number;
  readonly tunnels: readonly TunnelStatus[];
  readonly applications: number;
  /** Names of applications that a bypass policy opens to everybody (R-N2). */
  readonly publicApplications: readonly string[];
  readonly ready: boolean;
  readonly problems: Readonly<Record<string, string>>;
  readonly record: { readonly written: number; readonly dropped: number; readonly failing: boolean };
}
