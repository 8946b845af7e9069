// The corpus of requests that servers read differently, generated from every class of R-A to R-D: input of the differential
// tests (R-D11), of the comparison with llhttp, and of the fuzzers. A plain list; see corpus-request.ts for one entry.

import { CONNECTIONS } from "./connections.ts";
import type { CorpusRequest } from "./corpus-request.ts";
import { FIELDS } from "./fields.ts";
import { FRAMING } from "./framing.ts";
import { HOSTS_AND_METHODS } from "./hosts.ts";
import { TARGETS } from "./targets.ts";

/** All of it, in a fixed order; every id is unique. */
export const HTTP_CORPUS: readonly CorpusRequest[] = [...TARGETS, ...HOSTS_AND_METHODS, ...FIELDS, ...FRAMING, ...CONNECTIONS];
