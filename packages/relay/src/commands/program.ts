// The command line as a whole: which commands there are, and what `sallyport-relay --help` teaches.

import { Command } from "commander";
import { VERSION } from "../version.ts";
import { registerCheckCommand } from "./check.ts";
import { registerExplainCommand } from "./explain.ts";
import { registerSchemaCommand } from "./schema.ts";
import { registerServeCommand } from "./serve.ts";

const FIRST_STEPS = `
The first three things to do:
  1. Write relay.yaml, and check it:       $ sallyport-relay check
  2. Run the relay:                        $ sallyport-relay serve
  3. Let a connector in (prints the file): $ sallyport-relay credential create office

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
  for (const register of COMMANDS) register(program);
  return program;
}

const COMMANDS: readonly ((program: Command) => void)[] = [registerServeCommand, registerCheckCommand, registerExplainCommand, registerSchemaCommand];

/** Makes usage errors exceptions, for sub-commands too, so that the caller decides about the exit code. */
export function exitByThrowing(command: Command): Command {
  command.exitOverride();
  for (const sub of command.commands) exitByThrowing(sub);
  return command;
}
