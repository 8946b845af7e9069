// Mutants of group E, redirects and the way back from sign-in: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const RELAY = "packages/relay/src/";

export const GROUP_E: readonly Mutant[] = [
  {
    id: "R-E1",
    off: "a sealed value can be altered",
    file: `${RELAY}authn/login/sealed.ts`,
    find: 'decipher.final()]).toString("utf8");',
    replace: ']).toString("utf8");',
    tests: [`${RELAY}authn/login/sealed.test.ts`],
  },
  {
    id: "R-E1",
    off: "any origin is one of ours where Location is written",
    file: `${RELAY}ingress/location.ts`,
    find: "if (!ORIGIN.test(origin))",
    replace: 'if (origin === "")',
    tests: [`${RELAY}ingress/location.test.ts`],
  },
  {
    id: "R-E2",
    off: "only the plain spelling of a return path is looked at",
    file: `${RELAY}ingress/location.ts`,
    find: 'return staysOn(origin, end < 0 ? path : path.slice(0, end)) && parsesTo(origin, path) ? path : "/";',
    replace: 'return (end > 0 || staysOn(origin, path) || !staysOn(origin, path)) && parsesTo(origin, path) ? path : "/";',
    tests: [`${RELAY}ingress/location.test.ts`],
  },
  {
    id: "R-E2",
    off: "return paths are decoded once only",
    file: `${RELAY}ingress/location.ts`,
    find: "const DECODINGS = 2;",
    replace: "const DECODINGS = 0;",
    tests: [`${RELAY}ingress/location.test.ts`],
  },
  {
    id: "R-E3",
    off: "a command line's answer goes to any address",
    file: `${RELAY}authn/cli/request.ts`,
    find: "const REDIRECT_URI = /^http:\\/\\/(?:127\\.0\\.0\\.1|\\[::1\\]):([1-9][0-9]{0,4})\\/callback$/;",
    replace: "const REDIRECT_URI = /^https?:\\/\\/[^/]*:([1-9][0-9]{0,4})\\/callback$/;",
    tests: [`${RELAY}authn/cli/cli.test.ts`],
  },
  {
    id: "R-E3",
    off: "`to` may name any page",
    file: `${RELAY}authn/login/auth-host.ts`,
    find: "|| url.pathname !== target.applicationPath) {",
    replace: ") {",
    tests: [`${RELAY}sign-in.test.ts`],
  },
  {
    id: "R-E4",
    off: "a code needs no verifier",
    file: `${RELAY}authn/cli/codes.ts`,
    find: "return matchesChallenge(verifier, found.grant.challenge) ? found.grant : undefined;",
    replace: 'return matchesChallenge(verifier, found.grant.challenge) || verifier !== "" ? found.grant : undefined;',
    tests: [`${RELAY}authn/cli/cli.test.ts`],
  },
  {
    id: "R-E4",
    off: "a code works again",
    file: `${RELAY}authn/cli/codes.ts`,
    find: "this.#waiting.delete(code);\n    if (found === undefined",
    replace: "if (found === undefined",
    tests: [`${RELAY}authn/cli/cli.test.ts`],
  },
  {
    id: "R-E5",
    off: "foreign text is not escaped",
    file: `${RELAY}pages/template.ts`,
    find: "return escapeHtml(String(value));",
    replace: "return String(value);",
    tests: [`${RELAY}sign-in.test.ts`],
  },
  {
    id: "R-E5",
    off: "pages may be framed",
    file: `${RELAY}pages/look.ts`,
    find: "frame-ancestors 'none'`;",
    replace: "frame-ancestors *`;",
    tests: [`${RELAY}sign-in.test.ts`, `${RELAY}pages-served.test.ts`],
  },
];
