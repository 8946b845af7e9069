// Sections policies and groups of relay.yaml: who may do what. References between policies, groups, applications and
// providers need the whole file and are checked in authz/lint.ts.

import { METHODS } from "node:http";
import { z } from "zod";
import { readCidr } from "../authz/ip.ts";
import { isTimeZone, parseTimeOfDay, WEEKDAYS } from "../authz/time-window.ts";
import {
  POLICY_ACTIONS,
  type CertificateFields,
  type ClaimSelector,
  type GroupConfig,
  type OneOrList,
  type PolicyConfig,
  type Selector,
  type SelectorKind,
  type SelectorValues,
  type TimeWindowSelector,
} from "./policy-types.ts";
import { alternativeName, comparedName, country, email, emailDomain, fingerprint } from "./policy-values.ts";
import { duration, name, reference, textValue } from "./values.ts";

export type { GroupConfig, PolicyConfig, PolicyTestConfig } from "./policy-types.ts";
export { policyTestsSchema } from "./policy-test-schema.ts";

/** Entries of one include, require or exclude list, and of one list inside a selector. */
const MAX_LIST_ENTRIES = 10_000;
/** Policies and groups of one configuration, each. */
const MAX_DEFINITIONS = 10_000;
const MIN_SESSION_MS = 15 * 60_000;
const MAX_SESSION_MS = 30 * 86_400_000;

const cidr = z
  .string()
  .meta({ remedy: "write an address or a CIDR block whose host bits are zero, such as 10.0.0.0/8 or 2001:db8::/32" })
  .superRefine((text, context) => {
    const reading = readCidr(text);
    if (reading.kind === "problem") context.addIssue({ code: "custom", message: reading.problem });
  });

// HEAD counts as GET in rules (R-A13); CONNECT and TRACE are answered 405 before any policy is asked (R-A11).
const WITHOUT_RULES: ReadonlySet<string> = new Set(["HEAD", "CONNECT", "TRACE"]);
const method = textValue((text) => (METHODS.includes(text) && !WITHOUT_RULES.has(text) ? text : undefined), "expected an HTTP method", {
  remedy: "write a method in upper case, such as POST; HEAD counts as GET, CONNECT and TRACE are never let in",
});

const oneOrList = (item: z.ZodType<string, string>): z.ZodType<OneOrList<string>> =>
  z.union([item, z.array(item).min(1).max(MAX_LIST_ENTRIES)]);

const timeOfDay = (from: number, to: number): z.ZodType<string, string> =>
  textValue(
    (text) => {
      const minutes = parseTimeOfDay(text);
      return minutes !== undefined && minutes >= from && minutes <= to ? text : undefined;
    },
    "expected a time of day",
    { remedy: from === 0 ? "write HH:MM in quotes, 00:00 to 23:59" : "write HH:MM in quotes, 00:01 to 24:00" },
  );

const timeWindow: z.ZodType<TimeWindowSelector> = z
  .strictObject({
    days: z
      .array(z.enum(WEEKDAYS))
      .min(1)
      .max(7)
      .optional()
      .meta({ description: "Days on which the window starts. Default: every day.", examples: [["mon", "fri"]] }),
    from: timeOfDay(0, 1439)
      .optional()
      .meta({ description: "First minute, HH:MM on the clock of the zone. Default 00:00.", examples: ["08:00"] }),
    to: timeOfDay(1, 1440)
      .optional()
      .meta({
        description: "First minute after the window, HH:MM. Earlier than `from`: on the next day. Default 24:00.",
        examples: ["18:00"],
      }),
    timezone: textValue((text) => (isTimeZone(text) ? text : undefined), "expected a time zone", {
      remedy: "write a name of the IANA database, such as Europe/Berlin",
    }).meta({
      description: "IANA zone; its summer time is followed.",
      examples: ["Europe/Berlin"],
    }),
  })
  .refine((window) => window.from === undefined || window.from !== window.to, {
    message: "from and to are the same minute",
    params: { remedy: "leave both out for the whole day" },
  });

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const claim: z.ZodType<ClaimSelector> = z
  .strictObject({
    name: comparedName.meta({
      description: "Name of the claim at the top level of what the provider sent; exact.",
      examples: ["department"],
    }),
    equals: scalar
      .optional()
      .meta({ description: "The claim is this text, number or truth value; exact, same type.", examples: ["sales"] }),
    contains: scalar.optional().meta({ description: "The claim is a list that holds this value.", examples: ["admin"] }),
  })
  .refine((value) => (value.equals === undefined) !== (value.contains === undefined), {
    message: "expected either equals or contains",
    params: { remedy: "write { name: department, equals: sales } or { name: roles, contains: admin }" },
  });

const certificateFields: z.ZodType<CertificateFields> = z
  .strictObject({
    commonName: comparedName.optional().meta({ description: "Subject common name, exact.", examples: ["ci"] }),
    subjectAlternativeName: alternativeName
      .optional()
      .meta({ description: "Type and value, exact; types: dns, email, uri, ip.", examples: ["dns:ci.example.com"] }),
    fingerprint: fingerprint.optional().meta({ description: "SHA-256 of the whole certificate in hex." }),
  })
  .refine((fields) => Object.keys(fields).length === 1, {
    message: "expected exactly one of commonName, subjectAlternativeName and fingerprint",
    params: { remedy: "use a group with include and require to combine them" },
  });

const evaluatorUrl = textValue((text) => (isEvaluatorUrl(text) ? text : undefined), "expected an https URL", {
  remedy: "write an https URL without user, password or #",
});

const externalEvaluation = z.strictObject({
  url: evaluatorUrl.meta({ description: "Where the signed question is posted.", examples: ["https://door.example.com/ask"] }),
  keysUrl: evaluatorUrl.meta({ description: "JWKS with which the answer is verified.", examples: ["https://door.example.com/keys"] }),
  allowPrivateNetwork: z
    .boolean()
    .optional()
    .meta({ description: "Whether the evaluator may have addresses that are not public. Default: false.", examples: [true] }),
});

const selectorShape: { readonly [K in SelectorKind]: z.ZodType<SelectorValues[K] | undefined> } = {
  everyone: z
    .literal(true)
    .optional()
    .meta({ description: "Every visitor; in an allow policy, everybody who signed in.", examples: [true] }),
  email: email
    .optional()
    .meta({ description: "Verified mail address of the person; the domain's case does not matter.", examples: ["ann@example.com"] }),
  emailDomain: emailDomain
    .optional()
    .meta({ description: "Domain of the verified mail address; subdomains do not match.", examples: ["example.com"] }),
  identityGroup: comparedName.optional().meta({ description: "Group name as the identity provider sends it; exact.", examples: ["eng"] }),
  claim: claim.optional().meta({
    description: "Any claim of the identity provider: equals, or contains for lists.",
    examples: [{ name: "department", equals: "sales" }],
  }),
  identityProvider: reference
    .optional()
    .meta({ description: "Name of the identity provider that signed the person in.", examples: ["corp"] }),
  authMethod: comparedName.optional().meta({ description: "A value of amr (RFC 8176).", examples: ["mfa"] }),
  ip: oneOrList(cidr)
    .optional()
    .meta({ description: "Address or CIDR block of the visitor, IPv4 or IPv6; one or a list.", examples: ["10.0.0.0/8"] }),
  country: oneOrList(country)
    .optional()
    .meta({ description: "ISO 3166-1 code of the visitor's country, one or a list; needs `geoip`.", examples: ["DE"] }),
  serviceToken: comparedName
    .optional()
    .meta({ description: "Name of a service token; for policies with action service.", examples: ["deploy-bot"] }),
  anyServiceToken: z
    .literal(true)
    .optional()
    .meta({ description: "Any valid service token; for policies with action service.", examples: [true] }),
  clientCertificate: z
    .union([z.literal("any"), certificateFields])
    .optional()
    .meta({ description: "A verified client certificate: any, or one field of it.", examples: ["any"] }),
  method: oneOrList(method)
    .optional()
    .meta({ description: "HTTP method in upper case, one or a list; GET includes HEAD.", examples: [["GET", "OPTIONS"]] }),
  timeWindow: timeWindow
    .optional()
    .meta({ description: "Days and hours on the clock of a zone.", examples: [{ from: "08:00", to: "18:00", timezone: "Europe/Berlin" }] }),
  externalEvaluation: externalEvaluation
    .optional()
    .meta({ description: "A program of yours that answers yes or no; no answer is unknown." }),
  group: reference.optional().meta({ description: "Name of a group of this file.", examples: ["engineering"] }),
};

export const SELECTOR_KINDS: readonly SelectorKind[] = Object.keys(selectorShape) as SelectorKind[];

export const selectorSchema: z.ZodType<Selector> = z
  .strictObject(selectorShape)
  .refine((selector) => Object.keys(selector).length === 1, {
    message: "expected exactly one selector in each list element",
    // An unknown selector is reported as such, once.
    when: (payload) => payload.issues.length === 0,
    params: { remedy: "write one element per condition: [ { emailDomain: example.com }, { country: DE } ]" },
  })
  .meta({
    id: "Selector",
    minProperties: 1,
    maxProperties: 1,
    description: "One condition: a mapping with exactly one key.",
    examples: [{ emailDomain: "example.com" }],
  });

const selectors = z.array(selectorSchema).max(MAX_LIST_ENTRIES);
const rules = {
  include: selectors.min(1).meta({ description: "At least one of these must match (or).", examples: [[{ group: "engineering" }]] }),
  require: selectors
    .min(1)
    .optional()
    .meta({ description: "All of these must match (and). Default: nothing more.", examples: [[{ authMethod: "mfa" }]] }),
  exclude: selectors
    .optional()
    .meta({ description: "None of these may match (not). Default: nobody is excluded.", examples: [[{ email: "intern@example.com" }]] }),
};

const group: z.ZodType<GroupConfig> = z.strictObject({
  name: name.meta({ description: "Name by which `group` selectors refer to it.", examples: ["engineering"] }),
  ...rules,
});

const policy: z.ZodType<PolicyConfig> = z
  .strictObject({
    name: name.meta({
      description: "Name by which applications refer to it; appears in logs and in the audit record.",
      examples: ["engineers"],
    }),
    action: z.enum(POLICY_ACTIONS).meta({
      description:
        "allow: people, after sign-in. deny: nobody, over all others. bypass: public, no sign-in. service: programs with a service token.",
    }),
    ...rules,
    sessionDuration: duration(MIN_SESSION_MS, MAX_SESSION_MS)
      .optional()
      .meta({
        description: "With action allow: how long a session that this policy lets in may last. Default: the relay's session length.",
        examples: ["8h"],
      }),
  })
  .transform(({ sessionDuration, ...rest }) => (sessionDuration === undefined ? rest : { ...rest, sessionDurationMs: sessionDuration }));

export const groupsSchema: z.ZodType<readonly GroupConfig[]> = z
  .array(group)
  .max(MAX_DEFINITIONS)
  .prefault([])
  .meta({
    description: "Named combinations of selectors, for use in policies and other groups.",
    examples: [[{ name: "engineering", include: [{ identityGroup: "eng" }] }]],
  });

export const policiesSchema: z.ZodType<readonly PolicyConfig[]> = z
  .array(policy)
  .max(MAX_DEFINITIONS)
  .prefault([])
  .meta({
    description: "Policies. Their order has no meaning: deny wins over bypass, bypass over service, service over allow.",
    examples: [[{ name: "engineers", action: "allow", include: [{ group: "engineering" }] }]],
  });

function isEvaluatorUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.hash !== "") return false;
  return url.protocol === "https:";
}
