import { expect, test } from "vitest";
import type { CertificateFact } from "../authz/facts.ts";
import { requestLine, type RequestRecord } from "./record-line.ts";

const REQUEST = {
  requestId: "r1",
  identity: undefined,
  application: "web",
  sourceIp: "192.0.2.7",
  sourceFrom: "socket",
  method: "GET",
  host: "web.example.com",
  path: "/",
  decision: "bypass",
  reason: "bypassed",
  status: 200,
  answeredBy: "origin",
  bytesIn: 0,
  bytesOut: 0,
  durationMs: 1,
  decisionMs: 1,
} as RequestRecord;

const fieldsOf = (certificate: CertificateFact | undefined): Record<string, unknown> => {
  const line = JSON.parse(requestLine(1, "2026-01-01T00:00:00.000Z", { ...REQUEST, certificate })) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(line).filter(([name]) => name.startsWith("certificate")));
};

test.each<readonly [string, CertificateFact | undefined, Record<string, unknown>]>([
  ["is nothing where nobody asked", undefined, {}],
  ["is nothing where none was sent", { kind: "none" }, {}],
  [
    "is its fingerprint and common name, as text",
    {
      kind: "verified",
      commonName: 'ci","decision":"allow',
      subjectAlternativeNames: ["dns:ci.example.com"],
      fingerprint: "ab".repeat(32),
    },
    { certificate: "ab".repeat(32), certificateName: 'ci","decision":"allow' },
  ],
  [
    "is its fingerprint alone without a common name",
    { kind: "verified", commonName: undefined, subjectAlternativeNames: [], fingerprint: "cd".repeat(32) },
    { certificate: "cd".repeat(32) },
  ],
  ["is what was wrong with it", { kind: "refused", problem: "CERT_REVOKED" }, { certificateProblem: "CERT_REVOKED" }],
])("what a record says of a client certificate %s", (_title, certificate, expected) => {
  expect(fieldsOf(certificate)).toEqual(expected);
});
