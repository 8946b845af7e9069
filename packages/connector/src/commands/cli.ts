// The command line of `sallyport`: names, options, help. Reads argv into the options of each command and nothing more.

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { unknownCommand } from "@sallyport/shared/command-line";
import { parseDurationMs } from "@sallyport/shared/duration";
import { DEFAULT_CONNECTIONS, MAX_CONNECTIONS } from "../config/schema.ts";
import { SERVICE_NAME } from "../config/service-schema.ts";
import { LOG_LEVELS } from "../observe/logger.ts";
import { VERSION } from "../version.ts";
import { addAccess } from "./access.ts";
import { check, type CheckOptions } from "./check.ts";
import { EXIT_CODE_HELP, ExitCode } from "./exit-code.ts";
import { http, type HttpOptions } from "./http.ts";
import type { Io } from "./io.ts";
import { run, type RunOptions } from "./run.ts";
import { DEFAULT_CONFIG_FILE } from "./setup.ts";

const MAX_GRACE_MS = 86_400_000;

const CREDENTIAL_HELP = `
The credential is looked for in this order: --credential FILE, the configuration's
"credential", the variable SALLYPORT_CREDENTIAL (a path), ./sallyport.credential.
It is made on the relay: sallyport-relay credential create TUNNEL`;

/** Runs one command line. Never throws for what a person typed. */
export async function cli(argv: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = ExitCode.OK;
  const program = build(io, (result) => (code = result));
  const unknown = unknownCommand(program, argv);
  if (unknown !== undefined) {
    io.err(unknown);
    return ExitCode.USAGE;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are what was asked for; everything else commander throws is a usage error it has explained.
    return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  }
}

function build(io: Io, done: (code: ExitCode) => void): Command {
  const program = new Command("sallyport")
    .description("Publishes private web services through a Sallyport relay. Opens outbound connections only.")
    .version(VERSION)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) })
    .showHelpAfterError("(--help shows what there is)")
    .addHelpText(
      "after",
      `
Examples:
  sallyport http 3000            publish the program on port 3000 of this machine
  sallyport run                  publish what ./connector.yaml names
  sallyport check                find out why something does not work
  sallyport access login URL     use a published application from the command line
${EXIT_CODE_HELP}`,
    );
  addRun(program, io, done);
  addHttp(program, io, done);
  addCheck(program, io, done);
  addAccess(program, io, done);
  return program;
}

function addRun(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command("run")
    .summary("publish the services of a configuration file")
    .description("Publishes the services of a configuration file until SIGTERM or SIGINT. Reloads on SIGHUP and when a file changes.")
    .option("-c, --config <file>", "configuration file", DEFAULT_CONFIG_FILE)
    .option("--credential <file>", "credential file; goes before every other place")
    .option("--ca <file>", "PEM file with authorities to trust for the relay beside the usual ones")
    .addOption(graceOption())
    .addOption(logLevelOption("info"))
    .addHelpText(
      "after",
      `
Examples:
  sallyport run
  sallyport run --config /etc/sallyport/connector.yaml --grace 2m

A connector.yaml that is enough:
  services:
    grafana: http://127.0.0.1:3000
    wiki: { url: unix:/run/wiki.sock, hostHeader: wiki.internal }

The first SIGTERM or SIGINT lets requests in flight finish, a second one ends at once.
The log is one JSON object per line on standard output.
${CREDENTIAL_HELP}
${EXIT_CODE_HELP}`,
    )
    .action(async ({ grace, ...options }: Omit<RunOptions, "graceMs"> & { readonly grace: number }) =>
      done(await run({ ...options, graceMs: grace }, io)),
    );
}

function addHttp(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command("http")
    .summary("publish one local address")
    .description("Publishes one local address through the relay; a credential is all it needs.")
    .argument("<port|url>", "3000, http://127.0.0.1:3000, https://host, unix:/path, status:NNN or hello")
    .option("--hostname <name>", "which of the granted hostnames, when there are several")
    .addOption(new Option("--service <name>", "which of the granted services, when there are several").argParser(readService))
    .option("--credential <file>", "credential file; goes before every other place")
    .option("--host-header <host>", "Host towards the origin (default: the visitor's); development servers often want localhost:PORT")
    .option("--ca <file>", "PEM file with authorities to trust for the relay beside the usual ones")
    .option("--http2", "speak HTTP/2 to the origin (gRPC)", false)
    .option("--insecure-skip-verify", "accept any certificate of an https:// origin", false)
    .addOption(new Option("--connections <count>", "connections to the relay").default(DEFAULT_CONNECTIONS).argParser(readConnections))
    .addOption(graceOption())
    .addOption(logLevelOption("warn"))
    .option("--json", "print what is published as one JSON object", false)
    .addHelpText(
      "after",
      `
Examples:
  sallyport http 3000
  sallyport http 5173 --host-header localhost:5173     a Vite development server
  sallyport http https://10.0.0.7:8443 --hostname nas.example.com
  sallyport http hello                                 a built-in page, to try the way

Which hostnames there are is decided by the relay's configuration. The only one is taken;
with several the command lists them and asks for --hostname.
${CREDENTIAL_HELP}
${EXIT_CODE_HELP}`,
    )
    .action(async (address: string, { grace, ...options }: Omit<HttpOptions, "graceMs"> & { readonly grace: number }) =>
      done(await http(address, { ...options, graceMs: grace }, io)),
    );
}

function addCheck(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command("check")
    .summary("check everything between here, the relay and the services")
    .description(
      "Checks configuration, DNS, proxy, TCP, TLS, WebSocket, credential, keys, clock and each origin, with a remedy for each line that fails.",
    )
    .option("-c, --config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE}, when there is one)`)
    .option("--credential <file>", "credential file; goes before every other place")
    .option("--ca <file>", "PEM file with authorities to trust for the relay beside the usual ones")
    .option("--json", "print the rows as one JSON object", false)
    .addHelpText(
      "after",
      `
Examples:
  sallyport check
  sallyport check --config /etc/sallyport/connector.yaml --json
${CREDENTIAL_HELP}
${EXIT_CODE_HELP}`,
    )
    .action(async (options: CheckOptions) => done(await check(options, io)));
}

function graceOption(): Option {
  return new Option("--grace <duration>", "how long requests in flight may take to finish after a signal")
    .default(30_000, "30s")
    .argParser(readGrace);
}

function logLevelOption(level: (typeof LOG_LEVELS)[number]): Option {
  return new Option("--log-level <level>", "least severe lines to log").choices(LOG_LEVELS).default(level);
}

function readGrace(text: string): number {
  const graceMs = text === "0" ? 0 : parseDurationMs(text);
  if (graceMs === undefined || graceMs > MAX_GRACE_MS) throw new InvalidArgumentError("write a duration up to 24h, for example 30s");
  return graceMs;
}

function readConnections(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MAX_CONNECTIONS)
    throw new InvalidArgumentError(`write a number from 1 to ${MAX_CONNECTIONS}`);
  return count;
}

function readService(text: string): string {
  if (!SERVICE_NAME.test(text)) throw new InvalidArgumentError("a service name is lower-case letters, digits, -, _ and .");
  return text;
}
