// The rows in the order of the list of goals; the first five are the quick ones.

import type { Row } from "./row.ts";
import { SMALL_ROWS } from "./small.ts";
import { TRANSFER_ROWS } from "./transfers.ts";

export const ROWS: readonly Row[] = [...SMALL_ROWS, ...TRANSFER_ROWS];
