// Which connections serve which tunnel right now, and which of them takes the next stream: the least loaded one.
// Reads only memory. Must not know visitors or policies.

import type { TunnelConnection } from "./connection.ts";

/** Most connections of one tunnel; one more handshake is told to come back. */
export const MAX_CONNECTIONS_PER_TUNNEL = 2_000;

export class TunnelRegistry {
  readonly #byTunnel = new Map<string, TunnelConnection[]>();
  /** Moves the start of the search, so that equally loaded connections take turns. */
  #turn = 0;

  add(connection: TunnelConnection): void {
    const connections = this.#byTunnel.get(connection.info.tunnel);
    if (connections === undefined) this.#byTunnel.set(connection.info.tunnel, [connection]);
    else connections.push(connection);
  }

  remove(connection: TunnelConnection): void {
    const connections = this.#byTunnel.get(connection.info.tunnel);
    const index = connections?.indexOf(connection) ?? -1;
    if (connections === undefined || index < 0) return;
    connections.splice(index, 1);
    if (connections.length === 0) this.#byTunnel.delete(connection.info.tunnel);
  }

  /** Connections of one tunnel, or all. */
  list(tunnel?: string): readonly TunnelConnection[] {
    return tunnel === undefined ? [...this.#byTunnel.values()].flat() : (this.#byTunnel.get(tunnel) ?? []);
  }

  count(tunnel: string): number {
    return this.#byTunnel.get(tunnel)?.length ?? 0;
  }

  /**
   * The accepting connection with the fewest streams under way whose connector has the service; where none says it has it,
   * any of the tunnel (the connector then names the mistake), unless `announcedOnly`. `except` have refused this exchange already.
   */
  pick(
    tunnel: string,
    service: string,
    except: ReadonlySet<TunnelConnection> | undefined,
    announcedOnly = false,
  ): TunnelConnection | undefined {
    const connections = this.#byTunnel.get(tunnel);
    if (connections === undefined) return undefined;
    let best: TunnelConnection | undefined;
    let fallback: TunnelConnection | undefined;
    const start = ++this.#turn;
    for (let i = 0; i < connections.length; i++) {
      const candidate = connections[(start + i) % connections.length] as TunnelConnection;
      if (!candidate.accepting || except?.has(candidate) === true) continue;
      if (!candidate.services.has(service)) fallback ??= candidate;
      else if (best === undefined || candidate.outstanding < best.outstanding) best = candidate;
    }
    return best ?? (announcedOnly ? undefined : fallback);
  }
}
