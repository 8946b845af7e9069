// The command line as a whole: which commands there are, and what `sallyport-relay --help` teaches.

import { Command } from "commander";
import { VERSION } from "../version.ts";
import { registerAuditCommand } from "./audit.ts";
import { registerBackupCommand } from "./backup.ts";
import { registerCheckCommand } from "./check.ts";
import { registerCredentialCommand } from "./credential.ts";
import { registerExplainCommand } from "./explain.ts";
import { registerKeysCommand } from "./keys.ts";
import { registerProviderCommand } from "./provider.ts";
import { registerRestoreCommand } from "./restore.ts";
import { registerSchemaCommand } from "./schema.ts";
import { registerServeCommand } from "./serve.ts";
import { registerSessionCommand } from "./session.ts";
import { registerServiceTokenCommand } from "./service-token.ts";
import { registerStatusCommand } from "./status.ts";

const FIRST_STEPS = `
The first three things to do:
  1. Write relay.yaml, and check it:                     $ sallyport-relay check
  2. Run the relay:                                      $ sallyport-relay serve
  3. Make the credential of a connector (for a tunnel):  $ sallyport-relay credential create office

Every command has --help with an example. Options of relay.yaml: docs/configure.md.
Exit codes: 0 done, 1 not done, 2 the command line was not understood, 70 a fault in the program.
`;

/** A new program; nothing runs before parseAsync(). */
export function buildProgram(): Command {
  const program = new Command("sallyport-relay")
    .description("The public side of Sallyport: signs visitors in, decides by policy, forwards through outbound tunnels.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .showHelpAfterError("(add --help for help)")
    .addHelpText("after", FIRST_STEPS);
  for (const [heading, commands] of GROUPS) {
    program.commandsGroup(heading);
    for (const register of commands) register(program);
  }
  for (const [path, example] of Object.entries(EXAMPLES))
    find(program, path)?.addHelpText("after", `\nExample:\n  $ sallyport-relay ${example}\n`);
  return program;
}

/** Examples of commands whose own file says none. */
const EXAMPLES: Readonly<Record<string, string>> = {
  "service-token list": "service-token list",
  "service-token disable": "service-token disable deploy-bot",
  "service-token enable": "service-token enable deploy-bot",
  "service-token revoke": "service-token revoke deploy-bot",
  "keys list": "keys list",
  "keys rotate": "keys rotate",
  "keys revoke": "keys revoke k_x1",
  "keys take-root-offline": "keys take-root-offline root.key",
  "audit verify": "audit verify && echo intact",
};

function find(program: Command, path: string): Command | undefined {
  return path.split(" ").reduce<Command | undefined>((command, name) => command?.commands.find((sub) => sub.name() === name), program);
}

type Register = (program: Command) => void;

const GROUPS: readonly (readonly [heading: string, commands: readonly Register[]])[] = [
  ["Run:", [registerServeCommand, registerStatusCommand]],
  ["Configure:", [registerCheckCommand, registerExplainCommand, registerSchemaCommand, registerProviderCommand]],
  ["Credentials and keys:", [registerCredentialCommand, registerServiceTokenCommand, registerSessionCommand, registerKeysCommand]],
  ["Records and state:", [registerAuditCommand, registerBackupCommand, registerRestoreCommand]],
];

/** Makes usage errors exceptions, for sub-commands too, so that the caller decides about the exit code. */
export function exitByThrowing(command: Command): Command {
  command.exitOverride();
  for (const sub of command.commands) exitByThrowing(sub);
  return command;
}
