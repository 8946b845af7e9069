// Mutants of group I, ends of sessions and streams: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const RELAY = "packages/relay/src/";
const SESSIONS = "tests/conformance/access-sessions.test.ts";

export const GROUP_I: readonly Mutant[] = [
  {
    id: "R-I1",
    off: "an ended session is still found",
    file: `${RELAY}state/sessions.ts`,
    find: "this.#byId.delete(id);",
    replace: "",
    tests: [`${RELAY}state/sessions.test.ts`, SESSIONS],
  },
  {
    id: "R-I2",
    off: "what is open stays open",
    file: `${RELAY}ingress/redecide.ts`,
    find: "if (look === undefined) request.revoke();",
    replace: "if (look === undefined) continue;",
    tests: [SESSIONS],
  },
  {
    id: "R-I2",
    off: "what a program has open outlives its token",
    file: `${RELAY}authn/service-token.ts`,
    find: "return token !== undefined && token.revokedAt === undefined && token.disabledAt === undefined && clock.now() < token.expiresAt;",
    replace: "return token !== undefined && clock.now() < token.expiresAt;",
    tests: ["tests/conformance/r-i02-programs.test.ts"],
  },
  {
    id: "R-I3",
    off: "a whole request has a time limit",
    file: `${RELAY}ingress/http1/connection.ts`,
    find: 'if (this.#mode !== "head") return;\n    const awaitsHead',
    replace: 'if (this.#mode === "raw") return;\n    const awaitsHead',
    tests: [`${RELAY}ingress/server.test.ts`],
  },
  {
    id: "R-I4",
    off: "expiry is not looked at on use",
    file: `${RELAY}authn/application-token.ts`,
    find: 'if (claims.expiresAt <= nowMs) return invalid("expired");',
    replace: "",
    tests: [`${RELAY}authn/application-token.test.ts`],
  },
  {
    id: "R-I4",
    off: "a clock that is set back revives a session",
    file: `${RELAY}state/sessions.ts`,
    find: "try {\n      this.#endAll([entry], why);\n    } catch (error) {\n      this.#onError(error);\n    }",
    replace: "",
    tests: [`${RELAY}state/sessions.test.ts`, SESSIONS],
  },
  {
    id: "R-I5",
    off: "an end is not stored",
    file: `${RELAY}state/sessions.ts`,
    find: "this.#unremoved.add(id);",
    replace: "",
    tests: [`${RELAY}state/sessions.test.ts`, `${RELAY}commands/administration.test.ts`],
  },
];
