// All mutants, and the requirements that have none.

import { GROUP_A } from "./group-a.ts";
import { GROUP_B } from "./group-b.ts";
import { GROUP_C } from "./group-c.ts";
import { GROUP_D } from "./group-d.ts";
import { GROUP_E } from "./group-e.ts";
import { GROUP_F } from "./group-f.ts";
import { GROUP_G } from "./group-g.ts";
import { GROUP_H } from "./group-h.ts";
import { GROUP_I } from "./group-i.ts";
import { GROUP_J } from "./group-j.ts";
import { GROUP_K } from "./group-k.ts";
import { GROUP_L } from "./group-l.ts";
import { GROUP_M } from "./group-m.ts";
import { GROUP_N } from "./group-n.ts";
import type { Mutant, Unpatchable } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [
  ...GROUP_A,
  ...GROUP_B,
  ...GROUP_C,
  ...GROUP_D,
  ...GROUP_E,
  ...GROUP_F,
  ...GROUP_G,
  ...GROUP_H,
  ...GROUP_I,
  ...GROUP_J,
  ...GROUP_K,
  ...GROUP_L,
  ...GROUP_M,
  ...GROUP_N,
];

export const UNPATCHABLE: readonly Unpatchable[] = [
  { id: "R-D11", why: "no guard of its own: it shows the guards of A to D before foreign servers" },
  { id: "R-J3", why: "share links are not part of the product" },
];
