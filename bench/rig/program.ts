// Helper programs of the bench, each a process of its own so that its memory and CPU are not the bench's.

import { join } from "node:path";
import { Program } from "../../tests/harness/program.ts";

/** Starts programs/<name>.ts and ends it with the stack. */
export function startHelper(stack: AsyncDisposableStack, name: string, args: readonly string[] = []): Program {
  const file = join(import.meta.dirname, "..", "programs", `${name}.ts`);
  const program = new Program({ name, command: process.execPath, args: [file, ...args] });
  stack.defer(async () => {
    await program[Symbol.asyncDispose]();
  });
  return program;
}

/** The number behind a word that a helper prints, once it does. */
export async function told(program: Program, word: string, timeoutMs?: number): Promise<number> {
  const line = await program.line(new RegExp(`^${word} \\d+`), timeoutMs);
  return Number(line.split(" ")[1]);
}
