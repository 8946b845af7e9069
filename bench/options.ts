// The command line of `pnpm bench`: which rows, how long, and where the result goes. Must not know how rows are run.

import { parseArgs } from "node:util";
import { ROWS } from "./rows/all.ts";

export const USAGE: string = `usage: pnpm bench [--quick] [--rows ID,ID] [--json FILE] [--profile FOLDER] [--no-build]
  --quick     the first five rows, in under a minute; less exact
  --rows      only these rows: ${ROWS.map(({ id }) => id).join(", ")}
  --json      also write the result to a file
  --profile   write CPU profiles of relay and connector there (bench/programs/top.ts reads them); slower
  --no-build  measure what is built already
`;

export interface Options {
  readonly quick: boolean;
  readonly build: boolean;
  readonly json: string | undefined;
  readonly profile: string | undefined;
  readonly rows: readonly string[] | undefined;
}

/** @returns a message instead, empty when help was asked for */
export function readOptions(args: readonly string[]): Options | string {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        rows: { type: "string" },
        json: { type: "string" },
        profile: { type: "string" },
        "no-build": { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (values.help === true) return "";
  const rows = values.rows?.split(",");
  const unknown = rows?.filter((id) => !ROWS.some((row) => row.id === id)) ?? [];
  if (unknown.length > 0) return `no such row: ${unknown.join(", ")}`;
  return { quick: values.quick, build: !values["no-build"], json: values.json, profile: values.profile, rows };
}
