// `sallyport-relay status`: what the running relay is doing, from the relay itself.

import type { Command } from "commander";
import { connectAdmin } from "../admin/client.ts";
import type { RelayStatus } from "../admin/status.ts";
import { type ContextArguments, findPlace, printer, reportErrors, showTime, table, withContextOptions } from "./context.ts";
import { ExitCode } from "./output.ts";

export function registerStatusCommand(program: Command): void {
  withContextOptions(program.command("status"))
    .summary("show the running relay: tunnels, connectors, health")
    .addHelpText(
      "after",
      "\nExit codes: 0 ready, 1 not running or not ready.\n\nExample:\n  $ sallyport-relay status --json | jq '.tunnels[] | select(.connectors == [])'\n",
    )
    .action((args: ContextArguments) =>
      reportErrors(args.json === true, async (output) => {
        const print = printer(output, args.json === true);
        const client = await connectAdmin((await findPlace(args)).folder);
        if (client === undefined) {
          print({ running: false }, "The relay is not running. Start it with: sallyport-relay serve\n");
          return ExitCode.problems;
        }
        const status = (await client.call("status")) as RelayStatus;
        print({ running: true, ...status }, showStatus(status));
        return status.ready ? ExitCode.ok : ExitCode.problems;
      }),
    );
}

export function showStatus(status: RelayStatus): string {
  const problems = Object.entries(status.problems).map(([name, problem]) => `  ${name}: ${problem}\n`);
  const open = status.publicApplications.length === 0 ? "" : `Open to everybody: ${status.publicApplications.join(", ")}\n`;
  const lost = status.record.dropped === 0 ? "" : `, ${status.record.dropped} LOST`;
  return [
    `${status.version} for ${status.authUrl}, since ${showTime(status.startedAt)}: ${status.ready ? "ready" : "NOT READY"}\n`,
    ...problems,
    `Configuration ${status.configFile}, loaded ${showTime(status.configLoadedAt)}, ${status.applications} applications\n`,
    open,
    `Record: ${status.record.written} lines written${lost}${status.record.failing ? ", FAILING: protected applications are closed" : ""}\n\n`,
    showTunnels(status),
  ].join("");
}

function showTunnels(status: RelayStatus): string {
  const rows = status.tunnels.flatMap((tunnel) =>
    tunnel.connectors.length === 0
      ? [[tunnel.name, "no connector", "", "", "", "", "", ""]]
      : tunnel.connectors.map((one) => {
          const load = [String(one.connections), String(one.streams)];
          // What a connector says of itself may hold anything: shown as JSON text without its quotes.
          const said = [one.hostname, one.version].map((text) => JSON.stringify(text).slice(1, -1));
          return [tunnel.name, ...said, one.address, one.credentialId, ...load, showTime(one.connectedAt)];
        }),
  );
  return rows.length === 0
    ? "No tunnels are configured.\n"
    : table([["TUNNEL", "CONNECTOR", "VERSION", "ADDRESS", "CREDENTIAL", "CONNECTIONS", "STREAMS", "SINCE"], ...rows]);
}
