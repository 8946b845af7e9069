// A file that must fail the lint. `pnpm check` lints it and expects every rule named below, so that a
// linter that silently reads nothing (wrong glob, missing types, dead plugin) is noticed. Nothing imports it.

import { other } from "./cycle.ts";

type Fruit = "apple" | "pear";

async function later(): Promise<void> {}

export function floating(): void {
  later(); // typescript(no-floating-promises)
}

export function inexhaustive(fruit: Fruit): number {
  // typescript(switch-exhaustiveness-check)
  switch (fruit) {
    case "apple":
      return other();
  }
  return 0;
}

export const loose = (value: unknown): boolean => value == 1; // eslint(eqeqeq)
