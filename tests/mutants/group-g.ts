// Mutants of group G, our own tokens and keys: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const SHARED = "packages/shared/src/";
const RELAY = "packages/relay/src/";
const GATE = "packages/connector/src/gate/";

export const GROUP_G: readonly Mutant[] = [
  {
    id: "R-G1",
    off: "the token's own algorithm counts",
    file: `${SHARED}jws.ts`,
    find: 'if (members["alg"] !== key.alg) return failed("algorithm");',
    replace: "",
    tests: [`${SHARED}jws.test.ts`],
  },
  {
    id: "R-G1",
    off: "headers may ask for anything",
    file: `${SHARED}jws.ts`,
    find: "|| !Object.keys(members).every((name) => HEADER_MEMBERS.has(name)))",
    replace: "|| HEADER_MEMBERS.size === 0)",
    tests: [`${SHARED}jws.test.ts`],
  },
  {
    id: "R-G2",
    off: "a key id may be anything",
    file: `${SHARED}jws.ts`,
    find: 'const key = typeof members["kid"] === "string" ? keys.get(members["kid"]) : undefined;',
    replace: 'const key = keys.get(String(members["kid"]));',
    tests: [`${SHARED}jws.test.ts`],
  },
  {
    id: "R-G2",
    off: "a member may be there twice",
    file: `${SHARED}jws.ts`,
    find: "&& JSON.stringify(value) === text;",
    replace: "&& text.length > 0;",
    tests: [`${SHARED}jws.test.ts`],
  },
  {
    id: "R-G3",
    off: "a token of any type will do",
    file: `${SHARED}jws.ts`,
    find: 'if (members === undefined || members["typ"] !== typ ||',
    replace: 'if (members === undefined || typ === "" ||',
    tests: [`${SHARED}jws.test.ts`, `${RELAY}authn/application-token.test.ts`],
  },
  {
    id: "R-G3",
    off: "what was sealed for one purpose opens for another",
    file: `${RELAY}authn/login/sealed.ts`,
    find: 'decipher.setAAD(Buffer.from(purpose, "latin1"));\n      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));\n      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])',
    replace:
      'decipher.setAuthTag(bytes.subarray(-TAG_BYTES));\n      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), Buffer.from(purpose === "" ? "x" : "")])',
    tests: [`${RELAY}authn/login/sealed.test.ts`],
  },
  {
    id: "R-G4",
    off: "an assertion for another tunnel will do",
    file: `${GATE}gate.ts`,
    find: 'if (claims.tunnel !== this.#credential.tunnel) return "assertion for another tunnel";',
    replace: "",
    tests: [`${GATE}gate.test.ts`],
  },
  {
    id: "R-G4",
    off: "an assertion for another service will do",
    file: `${GATE}gate.ts`,
    find: 'if (claims.service !== service) return "assertion for another service";',
    replace: "",
    tests: [`${GATE}gate.test.ts`],
  },
  {
    id: "R-G4",
    off: "an assertion may live for ever",
    file: `${GATE}verify.ts`,
    find: "if (exp <= iat || (exp - iat) * 1_000 > MAX_LIFETIME_MS) return undefined;",
    replace: "if (exp <= iat) return undefined;",
    tests: [`${GATE}gate.test.ts`],
  },
  {
    id: "R-G5",
    off: "dates may be anything that is a number",
    file: `${SHARED}jws.ts`,
    find: 'return typeof value === "number" && Number.isSafeInteger(value) && value > 0;',
    replace: 'return typeof value === "number";',
    tests: [`${SHARED}jws.test.ts`],
  },
  {
    id: "R-G5",
    off: "tokens from the future are good",
    file: `${RELAY}authn/application-token.ts`,
    find: 'if (claims.issuedAt - MAX_SKEW_MS > nowMs || claims.notBefore - MAX_SKEW_MS > nowMs) return invalid("not-yet-valid");',
    replace: "",
    tests: [`${RELAY}authn/application-token.test.ts`],
  },
  {
    id: "R-G6",
    off: "a new key signs before anybody can know it",
    file: `${RELAY}state/key-schedule.ts`,
    find: "const next = generateKey(purpose, now, atOnce ? now : now + PUBLISH_AHEAD_MS);",
    replace: "const next = generateKey(purpose, now, atOnce ? now : now);",
    tests: [`${RELAY}state/keys.test.ts`],
  },
  {
    id: "R-G6",
    off: "a revoked key still counts",
    file: `${RELAY}state/key-schedule.ts`,
    find: "key.purpose === purpose && key.revokedAt === undefined && (",
    replace: "key.purpose === purpose && (",
    tests: [`${RELAY}state/keys.test.ts`],
  },
  {
    id: "R-G6",
    off: "what a revoked key signed is not verified again",
    file: `${RELAY}authn/application-token.ts`,
    find: "keys.onChanged(() => this.#verified.clear());",
    replace: "keys.onChanged(() => {});",
    tests: [`${RELAY}authn/application-token.test.ts`],
  },
  {
    id: "R-G7",
    off: "tokens of any length are parsed",
    file: `${SHARED}jws.ts`,
    find: "const match = token.length > MAX_JWS_LENGTH ? null : TOKEN.exec(token);\n  if (match === null) return failed",
    replace: "const match = TOKEN.exec(token);\n  if (match === null) return failed",
    tests: [`${SHARED}jws.test.ts`],
  },
];
