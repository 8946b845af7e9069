// The rows in the order of the list of goals; the first five are the quick ones.

import { LATENCY_ROWS } from "./latency.ts";
import { LINE_ROWS } from "./line.ts";
import { MEMORY_ROWS } from "./memory.ts";
import { POLICY_ROWS } from "./policy.ts";
import type { Row } from "./row.ts";
import { SMALL_ROWS } from "./small.ts";
import { START_ROWS } from "./start.ts";
import { TRANSFER_ROWS } from "./transfers.ts";

export const ROWS: readonly Row[] = [
  ...SMALL_ROWS,
  ...TRANSFER_ROWS,
  ...LATENCY_ROWS,
  ...LINE_ROWS,
  ...MEMORY_ROWS,
  ...POLICY_ROWS,
  ...START_ROWS,
];
