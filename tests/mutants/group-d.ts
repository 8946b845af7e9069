// Mutants of group D, message framing: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const SHARED = "packages/shared/src/";
const HTTP = `${SHARED}http/`;
const RELAY = "packages/relay/src/";
const ORIGIN = "packages/connector/src/origin/";
const CASES = "tests/conformance/";

export const GROUP_D: readonly Mutant[] = [
  {
    id: "R-D1",
    off: "a list of transfer codings that names chunked will do",
    file: `${HTTP}framing.ts`,
    find: 'coding.toLowerCase() === "chunked" ? CHUNKED : BAD_CODING;',
    replace: 'coding.toLowerCase().includes("chunked") ? CHUNKED : BAD_CODING;',
    tests: [`${HTTP}framing.test.ts`, `${CASES}r-d01-request-framing.test.ts`],
  },
  {
    id: "R-D1",
    off: "a length and a coding may stand together",
    file: `${HTTP}framing.ts`,
    find: "if (length !== undefined && coding !== undefined) return CONFLICT;",
    replace: "",
    tests: [`${HTTP}framing.test.ts`],
  },
  {
    id: "R-D1",
    off: "a chunk size may have any number of digits",
    file: `${SHARED}http1/chunked-decoder.ts`,
    find: "return ++this.#digits <= MAX_SIZE_DIGITS;",
    replace: "return ++this.#digits > 0;",
    tests: [`${CASES}r-d01-request-framing.test.ts`],
  },
  {
    id: "R-D1",
    off: "chunk extensions may be of any size",
    file: `${SHARED}http1/chunked-decoder.ts`,
    find: "const MAX_EXTENSION_BYTES = 256;",
    replace: "const MAX_EXTENSION_BYTES = 65_536;",
    tests: [`${CASES}r-d01-request-framing.test.ts`],
  },
  {
    id: "R-D2",
    off: "a body longer than declared is passed on",
    file: `${ORIGIN}forward.ts`,
    find: "if (this.#receivedBytes > this.#bodyLimitBytes) return",
    replace: "if (this.#receivedBytes < 0) return",
    tests: [`${CASES}r-d02-parsed-messages.test.ts`],
  },
  {
    id: "R-D2",
    off: "a body shorter than declared is passed on as whole",
    file: `${ORIGIN}forward.ts`,
    find: "if (this.#bodyLimitBytes !== Infinity && this.#receivedBytes < this.#bodyLimitBytes) {",
    replace: "if (this.#bodyLimitBytes < 0) {",
    tests: [`${CASES}r-d02-parsed-messages.test.ts`],
  },
  {
    id: "R-D3",
    off: "the connector takes any head from the relay",
    file: `${SHARED}mux/connection.ts`,
    find: 'if (problem !== undefined) throw new ProtocolViolation("ERR_PROTOCOL_HEAD_MALFORMED", problem);',
    replace: "",
    tests: [`${CASES}r-d03-connector-revalidates.test.ts`],
  },
  {
    id: "R-D4",
    off: "any request is tried again on a fresh connection",
    file: `${ORIGIN}forward.ts`,
    find: "if (this.#retried || !this.#mayRetry(reason.retry)) return this.#fail(reason);",
    replace: "if (this.#retried) return this.#fail(reason);",
    tests: [`${ORIGIN}hostile-origin.test.ts`, `${CASES}r-d04-pool.test.ts`],
  },
  {
    id: "R-D5",
    off: "a 101 with any Sec-WebSocket-Accept is a switch",
    file: `${HTTP}upgrade.ts`,
    find: "accepts.length === 1 && accepts[0] === acceptKey(key);",
    replace: "accepts.length === 1 && key.length > 0;",
    tests: [`${HTTP}upgrade.test.ts`],
  },
  {
    id: "R-D5",
    off: "any key begins a WebSocket",
    file: `${HTTP}upgrade.ts`,
    find: "if (keys.length !== 1 || key === undefined || !KEY.test(key))",
    replace: "if (keys.length !== 1 || key === undefined)",
    tests: [`${HTTP}upgrade.test.ts`, `${CASES}r-d05-upgrades.test.ts`],
  },
  {
    id: "R-D6",
    off: "after a refusal the body that was never asked for is read as the next request",
    file: `${RELAY}ingress/http1/exchange.ts`,
    find: "const closing = this.#closing || this.#awaitsContinue || context.stopping();",
    replace: "const closing = this.#closing || context.stopping();",
    tests: [`${RELAY}ingress/http1/exchange.test.ts`, `${CASES}r-d06-expect.test.ts`],
  },
  {
    id: "R-D7",
    off: "what is pipelined behind a refusal is looked at",
    file: `${RELAY}ingress/http1/connection.ts`,
    find: 'if (!keep || this.#mode !== "busy" ||',
    replace: 'if (this.#mode !== "busy" ||',
    tests: [`${RELAY}ingress/http1/raw.test.ts`, `${CASES}r-d07-pipelining.test.ts`],
  },
  {
    id: "R-D8",
    off: "a body that stays away is waited for without end",
    file: `${RELAY}ingress/engine.ts`,
    find: "else if (ticks + 1 < TICKS_PER_LIMIT)",
    replace: "else if (ticks >= 0)",
    tests: [`${CASES}r-d08-bodies.test.ts`],
  },
  {
    id: "R-D9",
    off: "values of an origin may hold anything",
    file: `${HTTP}response-fields.ts`,
    find: "if (!isFieldValue(value)) return BAD_VALUE;",
    replace: "",
    tests: [`${HTTP}response-fields.test.ts`, `${CASES}r-d09-hostile-origin.test.ts`],
  },
  {
    id: "R-D9",
    off: "the relay passes on lengths that contradict each other",
    file: `${RELAY}tunnel/forward.ts`,
    find: 'if (readFraming(read.fields, "1.1").kind === "refused")',
    replace: 'if (readFraming(read.fields, "1.1").kind === "refused" && head.status === 0)',
    tests: [`${CASES}r-d09-hostile-origin.test.ts`, `${RELAY}tunnel/forward.test.ts`],
  },
  {
    id: "R-D10",
    off: "a cookie's value may hold anything",
    file: `${RELAY}authn/cookies.ts`,
    find: "if (!NAME.test(name) || !VALUE.test(value) ||",
    replace: "if (!NAME.test(name) ||",
    tests: [`${RELAY}authn/cookies.test.ts`, `${CASES}r-d10-own-headers.test.ts`],
  },
  {
    id: "R-D10",
    off: "Location may hold anything",
    file: `${RELAY}ingress/respond.ts`,
    find: "[\\x21-\\x7e]*$/i.test(location)) {",
    replace: "[^]*$/i.test(location)) {",
    tests: [`${RELAY}ingress/respond.test.ts`],
  },
];
