// Mutants of group J, secrets: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const RELAY = "packages/relay/src/";
const CONNECTOR = "packages/connector/src/";

export const GROUP_J: readonly Mutant[] = [
  {
    id: "R-J1",
    off: "any secret is the right one",
    file: `${RELAY}authn/service-token.ts`,
    find: "const current = timingSafeEqual(digest, token?.secretHash ?? NO_DIGEST);",
    replace: "const current = timingSafeEqual(digest, digest);",
    tests: [`${RELAY}authn/service-token.test.ts`],
  },
  {
    id: "R-J1",
    off: "a secret's checksum is not looked at",
    file: `${RELAY}authn/service-token.ts`,
    find: 'if (!isSecret(secret)) return invalid("malformed", clientId);',
    replace: "",
    tests: [`${RELAY}authn/service-token.test.ts`],
  },
  {
    id: "R-J2",
    off: "limits count nothing",
    file: `${RELAY}authn/one-time-pin/limits.ts`,
    find: "if (window === undefined || window.count < this.#max) return 0;",
    replace: "if (window === undefined || window.count >= 0) return 0;",
    tests: [`${RELAY}authn/one-time-pin/provider.test.ts`],
  },
  {
    id: "R-J2",
    off: "a code is good for ever",
    file: `${RELAY}authn/one-time-pin/challenges.ts`,
    find: "challenge.expiresAtMs > this.#clock.monotonic() && ",
    replace: "",
    tests: [`${RELAY}authn/one-time-pin/provider.test.ts`],
  },
  {
    id: "R-J4",
    off: "a credential that others can read is used",
    file: `${CONNECTOR}config/permissions.ts`,
    find: "if (exposure === undefined) return undefined;",
    replace: "if (exposure !== path) return undefined;",
    tests: [`${CONNECTOR}config/permissions.test.ts`],
  },
  {
    id: "R-J4",
    off: "a state folder that others can read is used",
    file: `${RELAY}state/files.ts`,
    find: "if ((stats.mode & OTHERS) !== 0) {",
    replace: "if ((stats.mode & OTHERS) < 0) {",
    tests: [`${RELAY}state/state.test.ts`],
  },
  {
    id: "R-J4",
    off: "a secret that everybody can read is used",
    file: `${RELAY}config/files.ts`,
    find: "if (exposure === undefined) return [];",
    replace: "if (exposure !== mode.toString()) return [];",
    tests: [`${RELAY}config/load.test.ts`],
  },
  {
    id: "R-J5",
    off: "an empty secret will do",
    file: `${RELAY}config/files.ts`,
    find: 'if (text !== undefined && text.trim() !== "") return',
    replace: "if (text !== undefined) return",
    tests: [`${RELAY}config/load.test.ts`],
  },
];
