// Mutants of group M, the record: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const RELAY = "packages/relay/src/";

export const GROUP_M: readonly Mutant[] = [
  {
    id: "R-M1",
    off: "control characters stand in a record as they are",
    file: `${RELAY}observe/escape.ts`,
    find: "if (!UNSAFE.test(character)) return character;",
    replace: "if (!UNSAFE.test(character) || character.length > 0) return character;",
    tests: [`${RELAY}observe/escape.test.ts`, `${RELAY}observe/record.test.ts`],
  },
  {
    id: "R-M2",
    off: "a token that does not verify is told",
    file: `${RELAY}authn/oidc/id-token.ts`,
    find: "refuse(`the token does not verify: ${explain(error)}`);",
    replace: "refuse(`the token ${token} does not verify: ${explain(error)}`);",
    tests: [`${RELAY}authn/oidc/provider.test.ts`],
  },
  {
    id: "R-M3",
    off: "a login is no event",
    file: `${RELAY}authn/login/session-start.ts`,
    find: 'services.event("login.succeeded",',
    replace: 'services.event("other",',
    tests: [`${RELAY}sign-in.test.ts`],
  },
  {
    id: "R-M4",
    off: "an edited record is not noticed",
    file: `${RELAY}observe/record-verify.ts`,
    find: "if (!hashMatches(batch, bytes) || lines.length !== batch.records)",
    replace: "if (lines.length !== batch.records)",
    tests: [`${RELAY}observe/record.test.ts`],
  },
  {
    id: "R-M4",
    off: "a deleted batch is not noticed",
    file: `${RELAY}observe/record-verify.ts`,
    find: 'if (walk.previous !== undefined && !walk.previous.equals(batch.previous)) return "link";',
    replace: "",
    tests: [`${RELAY}observe/record.test.ts`],
  },
  {
    id: "R-M4",
    off: "an end that was cut off is not noticed",
    file: `${RELAY}observe/record-verify.ts`,
    find: "if (!walk.headFound) return",
    replace: "if (!walk.headFound && walk.lastSeq < 0) return",
    tests: [`${RELAY}observe/record.test.ts`],
  },
  {
    id: "R-M5",
    off: "records that are lost close nothing",
    file: `${RELAY}observe/record.ts`,
    find: "failing = true;",
    replace: "failing = false;",
    tests: [`${RELAY}observe/record.test.ts`],
  },
  {
    id: "R-M5",
    off: "protected applications stay open while nothing is recorded",
    file: `${RELAY}ingress/pipeline.ts`,
    find: 'if (services.recordingRequired()) return request.answerRefusal("deny", "ERR_RECORD_UNAVAILABLE", "recording-failed");',
    replace: "",
    tests: ["tests/conformance/r-m05-record-full.test.ts"],
  },
  {
    id: "R-M6",
    off: "a denial does not say its request id",
    file: `${RELAY}pages/denied-page.ts`,
    find: "${factList(props)}`,",
    replace: "`,",
    tests: [`${RELAY}pages/pages.test.ts`],
  },
];
