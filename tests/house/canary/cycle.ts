// The other half of the import cycle of canary.ts: import(no-cycle) must report it.

import { loose } from "./canary.ts";

export const other = (): number => (loose(1) ? 1 : 2);
