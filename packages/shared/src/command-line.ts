// Finds a misspelled subcommand before the command line is parsed: a parser that is also asked for --help shows the help of
// the parent instead, which looks as if the word had been understood. Pure; must not know any parser.

import { nearest } from "./config/nearest.ts";

/** A command with its subcommands, as parsers have them. */
export interface CommandTree {
  name(): string;
  readonly commands: readonly CommandTree[];
}

/** What to tell about the first word that should name a command and does not; undefined when all do. @param words without program name */
export function unknownCommand(program: CommandTree, words: readonly string[]): string | undefined {
  let here = program;
  let path = program.name();
  for (const word of words) {
    // Options end the names; a command without subcommands takes arguments.
    if (word.startsWith("-") || word === "help" || here.commands.length === 0) return undefined;
    const next = here.commands.find((command) => command.name() === word);
    if (next === undefined) return explain(path, word, here);
    here = next;
    path += ` ${word}`;
  }
  return undefined;
}

function explain(path: string, word: string, { commands }: CommandTree): string {
  const names = commands.map((command) => command.name());
  const meant = nearest(word, names);
  const shown = JSON.stringify(word.slice(0, 60)).slice(1, -1);
  const remedy = meant === undefined ? `there are: ${names.join(", ")}` : `did you mean: ${path} ${meant}`;
  return `error: unknown command '${shown}'\n   = ${remedy}   (${path} --help shows all)`;
}
