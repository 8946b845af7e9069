// Hosts of their own on one machine: Linux network namespaces joined by veth pairs, with nftables as the firewall.
// Needs root. Names are unique to the process, addresses come from a private range that exists in these hosts only.

import { mustRun, command } from "./program.ts";

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

  /** Runs a command in this host; an exit code other than 0 is an error. */
  run(file: string, ...args: readonly string[]): Promise<string> {
    return mustRun(file, args, { netns: this.netns });
  }

  /**
   * Drops everything inbound that this host did not ask for, and, where `outboundPort` is given, everything
   * outbound but TCP to that port. Loopback is free. No ICMP either: the host is not there.
   */
  async firewall(options: { readonly outboundPort?: number } = {}): Promise<void> {
    const outbound =
      options.outboundPort === undefined
        ? "type filter hook output priority 0; policy accept;"
        : `type filter hook output priority 0; policy drop; oif lo accept; ct state established accept; tcp dport ${options.outboundPort} accept;`;
    await this.run(
      "nft",
      `table inet guard {
        chain inbound { type filter hook input priority 0; policy drop; iif lo accept; ct state established,related accept; }
        chain outbound { ${outbound} }
      }`,
    );
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
