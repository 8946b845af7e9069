// Hosts of their own on one machine: Linux network namespaces joined by veth pairs, with nftables as the firewall.
// Needs root. Names are unique to the process, addresses come from a private range that exists in these hosts only.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, mustRun } from "./program.ts";

/** `ip netns exec` lays the files of this folder over /etc for what it starts. */
const ETC = "/etc/netns";

let created = 0;

export class Host implements AsyncDisposable {
  /** Name of the namespace: the `netns` of programs and commands. */
  readonly netns: string;

  private constructor(netns: string) {
    this.netns = netns;
  }

  static async create(label: string): Promise<Host> {
    created += 1;
    const host = new Host(`sp${process.pid}-${created}-${label}`);
    await mustRun("ip", ["netns", "add", host.netns]);
    await host.run("ip", "link", "set", "lo", "up");
    return host;
  }

  /** The names that this host knows, and no others: there is no name server. */
  names(addresses: Readonly<Record<string, string>>): void {
    const folder = join(ETC, this.netns);
    mkdirSync(folder, { recursive: true });
    const lines = Object.entries({ localhost: "127.0.0.1", ...addresses }).map(([name, address]) => `${address} ${name}\n`);
    writeFileSync(join(folder, "hosts"), lines.join(""));
    writeFileSync(join(folder, "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  }

  /** Runs a command in this host; an exit code other than 0 is an error. */
  run(file: string, ...args: readonly string[]): Promise<string> {
    return mustRun(file, args, { netns: this.netns });
  }

  /**
   * Drops everything inbound that this host did not ask for, and, where `outbound` is given, everything outbound
   * but TCP to that address and port. Loopback is free. Nothing is rejected, not even pings: the host is not there.
   */
  async firewall(outbound?: { readonly address: string; readonly port: number }): Promise<void> {
    const free = outbound && `ct state established accept; ip daddr ${outbound.address} tcp dport ${outbound.port} accept;`;
    const policy = free === undefined ? "policy accept;" : `policy drop; oif lo accept; ${free}`;
    await this.run(
      "nft",
      `table inet guard {
        chain inbound { type filter hook input priority 0; policy drop; iif lo accept; ct state established accept; counter comment "unasked"; }
        chain outbound { type filter hook output priority 0; ${policy} }
      }`,
    );
  }

  /** Packets that came unasked and were dropped since the firewall is up. */
  async droppedInbound(): Promise<number> {
    return Number(/counter packets (\d+)/.exec(await this.run("nft", "list chain inet guard inbound"))?.[1] ?? Number.NaN);
  }

  /** Local addresses of listening TCP and bound UDP sockets, as `ss` prints them. */
  async listening(): Promise<readonly string[]> {
    const output = await this.run("ss", "-H", "-l", "-n", "-t", "-u");
    return output
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => line.trim().split(/\s+/)[4] ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await command("ip", ["netns", "del", this.netns]);
    rmSync(join(ETC, this.netns), { recursive: true, force: true });
  }
}

/** A cable between two hosts; each end gets its address with a prefix length, for example "10.77.1.1/24". */
export async function link(a: Host, addressA: string, b: Host, addressB: string): Promise<void> {
  created += 1;
  const [endA, endB] = [`spa${created}`, `spb${created}`];
  await mustRun("ip", ["link", "add", endA, "netns", a.netns, "type", "veth", "peer", "name", endB, "netns", b.netns]);
  for (const [host, end, address] of [
    [a, endA, addressA],
    [b, endB, addressB],
  ] as const) {
    await host.run("ip", "address", "add", address, "dev", end);
    await host.run("ip", "link", "set", end, "up");
  }
}
