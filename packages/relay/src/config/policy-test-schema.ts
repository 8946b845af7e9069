// Section tests of relay.yaml: decisions that must come out as written before a configuration may go live (A20).

import { METHODS } from "node:http";
import { z } from "zod";
import { parseIp } from "../authz/ip.ts";
import type { PolicyTestConfig, TestVisitor } from "./policy-types.ts";
import { alternativeName, comparedName, country, email, fingerprint } from "./policy-values.ts";
import { reference, textValue } from "./values.ts";

const MAX_TESTS = 10_000;
const MAX_VALUES = 10_000;

const ipAddress = textValue((text) => parseIp(text)?.text, "expected an IP address", {
  remedy: "write an IPv4 or IPv6 address without zone or prefix",
});
const time = textValue((text) => (z.iso.datetime({ offset: true }).safeParse(text).success ? text : undefined), "expected a time", {
  remedy: 'write RFC 3339 with an offset, in quotes: "2026-03-29T09:00:00+02:00"',
});

const certificate = z.strictObject({
  commonName: comparedName.optional().meta({ description: "Subject common name. Default: none." }),
  subjectAlternativeNames: z
    .array(alternativeName)
    .max(100)
    .optional()
    .meta({ description: "Alternative names, with type. Default: none." }),
  fingerprint: fingerprint.optional().meta({ description: "SHA-256 in hex. Default: one that no policy names." }),
});

const visitor: z.ZodType<TestVisitor> = z
  .strictObject({
    email: email.optional().meta({ description: "Verified mail address of the person who signed in.", examples: ["ann@example.com"] }),
    groups: z
      .array(comparedName)
      .max(MAX_VALUES)
      .optional()
      .meta({ description: "Groups of the person; [] for none. Default: not known.", examples: [["eng"]] }),
    authMethods: z
      .array(comparedName)
      .max(100)
      .optional()
      .meta({ description: "Values of amr. Default: not known.", examples: [["mfa"]] }),
    claims: z.record(z.string(), z.unknown()).optional().meta({ description: "Further claims by name. Default: none known." }),
    provider: reference.optional().meta({ description: "Identity provider that signed the person in. Default: the only one configured." }),
    serviceToken: comparedName
      .optional()
      .meta({ description: "A program with this service token, instead of a person.", examples: ["deploy-bot"] }),
    ip: ipAddress.optional().meta({ description: "Address of the visitor. Default: not known.", examples: ["192.0.2.7"] }),
    country: country.optional().meta({ description: "Country of the visitor. Default: that of `ip`, else not known.", examples: ["DE"] }),
    time: time.optional().meta({
      description: "Time of the request, RFC 3339 with offset. Default: the time of the run.",
      examples: ["2026-03-29T09:00:00+02:00"],
    }),
    clientCertificate: certificate.optional().meta({ description: "A verified client certificate. Default: none." }),
    external: z
      .record(z.string(), z.boolean())
      .optional()
      .meta({ description: "Answers of external evaluators by their `url`. Default: not known." }),
  })
  .refine((as) => as.serviceToken === undefined || !describesPerson(as), {
    message: "a visitor is a person or a service token, not both",
    params: { remedy: "remove serviceToken, or email, groups, authMethods, claims and provider" },
  });

const request = textValue((text) => (parseTestRequest(text) === undefined ? undefined : text), "expected a method and a URL", {
  remedy: "write METHOD and an absolute URL, such as GET https://grafana.example.com/",
});

const test: z.ZodType<PolicyTestConfig> = z.strictObject({
  as: visitor.meta({
    description: "The visitor; {} is one who has not signed in.",
    examples: [{ email: "ann@example.com", groups: ["eng"] }],
  }),
  request: request.meta({ description: "Method and absolute URL.", examples: ["GET https://grafana.example.com/"] }),
  expect: z.enum(["allow", "deny", "login"]).meta({ description: "The decision that must come out." }),
  policy: reference.optional().meta({ description: "Name of the policy that must have decided. Default: any." }),
  reason: reference.optional().meta({ description: "Reason code that must be given, see docs/policies.md. Default: any." }),
});

export const policyTestsSchema: z.ZodType<readonly PolicyTestConfig[]> = z
  .array(test)
  .max(MAX_TESTS)
  .prefault([])
  .meta({
    description: "Policy tests, run by `check` and before every reload: a configuration whose tests fail never goes live.",
    examples: [[{ as: {}, request: "GET https://grafana.example.com/", expect: "login" }]],
  });

/** Whether a test visitor is a signed-in person. */
export function describesPerson(as: TestVisitor): boolean {
  return [as.email, as.groups, as.authMethods, as.claims, as.provider].some((value) => value !== undefined);
}

/** Splits `GET https://host/path`; undefined for an unknown method or anything but an absolute http(s) URL. */
export function parseTestRequest(text: string): { readonly method: string; readonly url: URL } | undefined {
  const [method = "", location = "", ...rest] = text.split(" ");
  if (rest.length > 0 || !METHODS.includes(method) || !URL.canParse(location)) return undefined;
  const url = new URL(location);
  return url.protocol === "https:" || url.protocol === "http:" ? { method, url } : undefined;
}
