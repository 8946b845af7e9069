// Every fuzz target, in the order in which they take turns.

import { DECISION_TARGETS } from "./target-decisions.ts";
import { HTTP1_TARGETS } from "./target-http1.ts";
import { NAME_TARGETS } from "./target-names.ts";
import { PROTOCOL_TARGETS } from "./target-protocol.ts";
import type { FuzzTarget } from "./target.ts";

export const FUZZ_TARGETS: readonly FuzzTarget[] = [...PROTOCOL_TARGETS, ...HTTP1_TARGETS, ...NAME_TARGETS, ...DECISION_TARGETS];
