// Mutants of group H, cookies and other sites: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const HTTP = "packages/shared/src/http/";
const RELAY = "packages/relay/src/";
const LOGIN = `${RELAY}authn/login/`;
const REQUESTS = "tests/conformance/access-requests.test.ts";

export const GROUP_H: readonly Mutant[] = [
  {
    id: "R-H1",
    off: "one application's token is good at another",
    file: `${RELAY}authn/application-token.ts`,
    find: 'if (claims.audience !== audience) return invalid("audience");',
    replace: "",
    tests: [`${RELAY}authn/application-token.test.ts`, `${RELAY}authn/authenticate.test.ts`],
  },
  {
    id: "R-H1",
    off: "scripts may read the cookie",
    file: `${RELAY}authn/cookies.ts`,
    find: "return `${name}=${value}; Path=/${age}; HttpOnly${secure",
    replace: "return `${name}=${value}; Path=/${age}${secure",
    tests: [`${RELAY}authn/cookies.test.ts`],
  },
  {
    id: "R-H2",
    off: "a hand-over code works again",
    file: `${LOGIN}handover.ts`,
    find: "const found = this.#waiting.get(code);\n    this.#waiting.delete(code);",
    replace: "const found = this.#waiting.get(code);",
    tests: [`${LOGIN}bounded.test.ts`],
  },
  {
    id: "R-H2",
    off: "a hand-over code works in another browser",
    file: `${LOGIN}handover.ts`,
    find: 'if (!isSameBinding(found.handover.binding, binding)) return { kind: "foreign", path: found.handover.path };',
    replace:
      'if (!isSameBinding(found.handover.binding, binding) && binding === "") return { kind: "foreign", path: found.handover.path };',
    tests: [`${LOGIN}bounded.test.ts`, `${RELAY}sign-in.test.ts`],
  },
  {
    id: "R-H2",
    off: "a hand-over code is good for ever",
    file: `${LOGIN}handover.ts`,
    find: "if (found === undefined || found.expiresAtMs <= this.#clock.monotonic() || found.handover.hostname !== hostname)",
    replace: "if (found === undefined || found.handover.hostname !== hostname)",
    tests: [`${LOGIN}bounded.test.ts`],
  },
  {
    id: "R-H3",
    off: "of several cookies the last one counts",
    file: `${HTTP}cookies.ts`,
    find: "if (found !== undefined && found !== value) return CONFLICT;",
    replace: "",
    tests: [`${RELAY}authn/authenticate.test.ts`, REQUESTS],
  },
  {
    id: "R-H3",
    off: "cookies may be of any size",
    file: `${HTTP}field-limits.ts`,
    find: 'if (cookieBytes > limits.maxCookieBytes) return "ERR_COOKIE_TOO_LARGE";',
    replace: "",
    tests: [`${HTTP}field-limits.test.ts`],
  },
  {
    id: "R-H4",
    off: "forms of other sites are taken",
    file: `${LOGIN}same-origin.ts`,
    find: 'return site === undefined ? from === origin : site === "same-origin";',
    replace: "return true;",
    tests: [`${LOGIN}bounded.test.ts`, `${RELAY}sign-in.test.ts`],
  },
  {
    id: "R-H4",
    off: "forms need no token",
    file: `${LOGIN}same-origin.ts`,
    find: "return given.length === expected.length && timingSafeEqual(given, expected);",
    replace: "return given.length === expected.length || timingSafeEqual(expected, expected);",
    tests: [`${LOGIN}bounded.test.ts`, `${RELAY}sign-in.test.ts`],
  },
  {
    id: "R-H5",
    off: "a WebSocket of any page may use the cookie",
    file: `${RELAY}ingress/browser-guard.ts`,
    find: "if (request.upgrade) return origins.length !== 1 || !isAllowed(origins[0] as string, request);",
    replace: "if (request.upgrade) return false;",
    tests: [REQUESTS],
  },
  {
    id: "R-H5",
    off: "what browsers call cross-site passes",
    file: `${RELAY}ingress/browser-guard.ts`,
    find: "if (sites.length === 0) return false;",
    replace: "if (sites.length >= 0) return false;",
    tests: [REQUESTS],
  },
  {
    id: "R-H6",
    off: "any origin is reflected",
    file: `${RELAY}ingress/browser-guard.ts`,
    find: "return more.length > 0 ? undefined : allowedOrigins.find((allowed) => allowed === origin);",
    replace: "return more.length > 0 || allowedOrigins.length < 0 ? undefined : origin;",
    tests: [`${RELAY}ingress/browser-guard.test.ts`, REQUESTS],
  },
  {
    id: "R-H6",
    off: "every OPTIONS is a preflight",
    file: `${RELAY}ingress/browser-guard.ts`,
    find: 'allValues(fields, "origin").length === 1 && allValues(fields, "access-control-request-method").length === 1',
    replace: 'allValues(fields, "origin").length <= 1',
    tests: [`${RELAY}ingress/browser-guard.test.ts`, REQUESTS],
  },
  {
    id: "R-H7",
    off: "scripts are sent to the sign-in page",
    file: `${RELAY}ingress/respond.ts`,
    find: 'if (mode !== undefined && mode !== "navigate") return false;',
    replace: "",
    tests: [`${RELAY}ingress/respond.test.ts`, REQUESTS],
  },
  {
    id: "R-H8",
    off: "a reserved path that only some servers see goes to the origin",
    file: `${RELAY}ingress/route.ts`,
    find: 'if (reserved !== "none") return reserved === "all" ? RESERVED : AMBIGUOUS;',
    replace: 'if (reserved === "all") return RESERVED;',
    tests: [`${RELAY}ingress/route.test.ts`, "tests/conformance/r-h08-reserved-paths.test.ts"],
  },
  {
    id: "R-H8",
    off: "escaped spellings of the reserved prefix are not it",
    file: `${HTTP}path-prefix.ts`,
    find: "for (const reading of readings) if (matchesPrefix(reading, prefix)) within++;",
    replace: "if (matchesPrefix(readings[0] as string, prefix) && readings.length === 1) within++;",
    tests: [`${HTTP}path-prefix.test.ts`, `${RELAY}ingress/route.test.ts`],
  },
];
