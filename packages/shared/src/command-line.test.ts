import { expect, test } from "vitest";
import { type CommandTree, unknownCommand } from "./command-line.ts";

function tree(name: string, ...commands: readonly CommandTree[]): CommandTree {
  return { name: () => name, commands };
}

const program = tree("prog", tree("serve"), tree("access", tree("login"), tree("logout")), tree("http"));

test.each<[string, string]>([
  ["sevre --help", "error: unknown command 'sevre'\n   = did you mean: prog serve   (prog --help shows all)"],
  ["access logn -h", "error: unknown command 'logn'\n   = did you mean: prog access login   (prog access --help shows all)"],
  ["publish", "error: unknown command 'publish'\n   = there are: serve, access, http   (prog --help shows all)"],
  ["\u001b[2J", "error: unknown command '\\u001b[2J'\n   = there are: serve, access, http   (prog --help shows all)"],
])("%j is told", (line, text) => {
  expect(unknownCommand(program, line.split(" "))).toBe(text);
});

test.each(["", "serve --help", "access login https://a.example", "http 3000 --help", "--help sevre", "access", "help access", "-V"])(
  "%j is left to the parser",
  (line) => {
    expect(unknownCommand(program, line === "" ? [] : line.split(" "))).toBeUndefined();
  },
);
