// Mutants of group N, configuration and policy: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const RELAY = "packages/relay/src/";
const AUTHZ = `${RELAY}authz/`;

export const GROUP_N: readonly Mutant[] = [
  {
    id: "R-N1",
    off: "unknown keys are passed over",
    file: `${RELAY}config/schema.ts`,
    find: "const relaySchema: z.ZodType<RelayDocument> = z.strictObject(sections);",
    replace: "const relaySchema: z.ZodType<RelayDocument> = z.object(sections);",
    tests: [`${RELAY}config/load.test.ts`],
  },
  {
    id: "R-N2",
    off: "an error of the evaluator lets in",
    file: `${AUTHZ}evaluate.ts`,
    find: 'return { ...refusal("evaluator-error"), cause };',
    replace: "return { ...LOGIN_REQUIRED, cause } as unknown as Decision;",
    tests: [`${AUTHZ}evaluate.test.ts`],
  },
  {
    id: "R-N2",
    off: "an application without policies asks for a login",
    file: `${AUTHZ}evaluate.ts`,
    find: "if (application.policyCount === 0) return NO_POLICIES;",
    replace: "if (application.policyCount === 0) return LOGIN_REQUIRED;",
    tests: [`${AUTHZ}evaluate.test.ts`],
  },
  {
    id: "R-N3",
    off: "what is unknown spares from denial",
    file: `${AUTHZ}policy-bucket.ts`,
    find: 'return policy.action === "deny" ? truth !== FALSE : truth === TRUE;',
    replace: "return truth === TRUE;",
    tests: [`${AUTHZ}evaluate.test.ts`, `${AUTHZ}evaluate.property.test.ts`],
  },
  {
    id: "R-N3",
    off: "a bypass goes before a denial",
    file: `${AUTHZ}evaluate.ts`,
    find: "const settled = application.deny.first(facts) ?? application.bypass.first(facts);",
    replace: "const settled = application.bypass.first(facts) ?? application.deny.first(facts);",
    tests: [`${AUTHZ}evaluate.property.test.ts`],
  },
  {
    id: "R-N4",
    off: "what a reload removed stays open",
    file: `${RELAY}ingress/redecide.ts`,
    find: "if (published === undefined) return false;",
    replace: "if (published === undefined) return true;",
    tests: ["tests/conformance/r-n04-reload.test.ts"],
  },
  {
    id: "R-N5",
    off: "addresses with leading zeros are read",
    file: `${AUTHZ}ip.ts`,
    find: "ipaddr.IPv4.isValidFourPartDecimal(text) ?",
    replace: "/^[0-9.]+$/.test(text) ?",
    tests: [`${AUTHZ}ip.test.ts`],
  },
  {
    id: "R-N5",
    off: "a mapped address is another one",
    file: `${RELAY}ingress/client-address.ts`,
    find: "return ipaddr.process(text).toString();",
    replace: "return ipaddr.parse(text).toString();",
    tests: [`${RELAY}ingress/client-address.test.ts`],
  },
  {
    id: "R-N6",
    off: "names may hold what nobody can see",
    file: "packages/shared/src/names.ts",
    find: "name.length > MAX_NAME_LENGTH || INVISIBLE.test(name) ? undefined : name;",
    replace: "name.length > MAX_NAME_LENGTH ? undefined : name;",
    tests: ["packages/shared/src/names.test.ts", `${RELAY}authn/claims.test.ts`],
  },
];
