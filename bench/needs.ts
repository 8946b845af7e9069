// What the rows need from the machine beyond Node, and what to install when it is not there.

import { findProgram } from "../tests/harness/need.ts";
import type { Row } from "./rows/row.ts";

/** Packages of Debian and Ubuntu have the names of the programs. */
const INSTALL = "apt-get install";

/** @returns what to tell the user, or undefined when everything is there */
export function missingPrograms(rows: readonly Row[]): string | undefined {
  const missing = [...new Set(rows.flatMap(({ needs }) => needs))].filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return undefined;
  const affected = rows.filter(({ needs }) => needs.some((name) => missing.includes(name))).map(({ id }) => id);
  return `bench: ${missing.join(", ")} not found, needed by ${affected.join(", ")}\n  install: ${INSTALL} ${missing.join(" ")}\n`;
}
