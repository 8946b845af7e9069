import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoginVisit } from "../authn/login/types.ts";
import type { Session } from "../authn/session.ts";
import type { ExternalLookup } from "../authz/facts.ts";
import { person } from "../authz/testing.ts";
import { ConfigFolder } from "../config/test-support.ts";
import { findLoginTarget } from "./login-target.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

// What sign-in cannot know is taken for granted where it is still to come, never where it could be wrong for the better.

const YAML = `authUrl: https://auth.example.com
state: ./data
listen: [ { address: "127.0.0.1:443", tls: { cert: { file: tls.crt }, key: { file: tls.key } } } ]
tunnels: [ { name: office } ]
policies:
  - { name: machines, action: allow, include: [ { emailDomain: example.com } ], require: [ { clientCertificate: any } ] }
  - { name: strangers, action: allow, include: [ { emailDomain: example.org } ], require: [ { clientCertificate: any } ] }
  - { name: stolen, action: deny, include: [ { clientCertificate: { commonName: stolen } } ] }
  - { name: asked, action: allow, include: [ { externalEvaluation: { url: "https://door.example.com/", keysUrl: "https://door.example.com/k" } } ] }
applications:
  - { name: both, hostname: both.example.com, tunnel: office, service: web, policies: [ machines, stolen ], clientCertificates: { ca: { file: ca.crt } } }
  - { name: others, hostname: others.example.com, tunnel: office, service: web, policies: [ strangers ], clientCertificates: { ca: { file: ca.crt } } }
  - { name: asked, hostname: asked.example.com, tunnel: office, service: web, policies: [ asked ] }
`;

const folder = new ConfigFolder();
let runtime: Runtime;
beforeAll(async () => {
  folder.authority("ca");
  folder.certificate("tls", ["*.example.com"]);
  const loaded = await folder.load(YAML);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  runtime = createRuntime(loaded.config);
});
afterAll(() => folder[Symbol.dispose]());

function decide(host: string, answer?: ReturnType<ExternalLookup>): unknown {
  const nowMs = folder.clock.now();
  const services = { now: () => nowMs, lastSeenAt: () => nowMs, external: () => () => answer };
  const session = { id: "s", identity: person(), createdAt: nowMs, expiresAt: nowMs + 60_000, claimsAt: nowMs } as Session;
  const visit = { clientAddress: "192.0.2.1" } as LoginVisit;
  return findLoginTarget(services, runtime, `${host}.example.com`, "/")?.decide(session, visit);
}

describe("a sign-in for an application that also wants a client certificate", () => {
  test("goes on: the first request over there shows it", () => {
    expect(decide("both")).toEqual({ kind: "allow" });
  });

  test("ends where no certificate would help", () => {
    expect(decide("others")).toMatchObject({ kind: "deny", reason: "no-policy-matched" });
  });
});

describe("a sign-in for an application that asks an evaluator", () => {
  test.each([
    ["goes on while it was not asked", "pending", { kind: "allow" }],
    ["goes on after a yes", true, { kind: "allow" }],
    ["ends after a no", false, { kind: "deny", reason: "no-policy-matched" }],
    ["ends while it does not answer", undefined, { kind: "deny", reason: "no-policy-matched" }],
  ] as const)("%s", (_title, answer, expected) => {
    expect(decide("asked", answer)).toMatchObject(expected);
  });
});
