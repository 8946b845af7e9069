import { mkdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigFolder, minimal } from "../config/test-support.ts";
import { requestLine, type RequestRecord } from "../observe/record-line.ts";
import { runExplain, type ExplainArguments } from "./explain.ts";

const YAML = minimal()
  .replace(
    "action: bypass, include: [ { everyone: true } ]",
    "action: allow, include: [ { identityGroup: eng } ], require: [ { ip: 10.0.0.0/8 } ]",
  )
  .concat("");
const URL_OF_IT = "http://grafana.relay.localhost:8080/";

let folder: ConfigFolder;
let out: string;
let error: string;
beforeEach(() => {
  folder = new ConfigFolder();
  folder.write("relay.yaml", YAML);
  out = "";
  error = "";
});
afterEach(() => folder[Symbol.dispose]());

const run = (args: Partial<ExplainArguments>): Promise<number> =>
  runExplain(
    { config: `${folder.path}/relay.yaml`, ...args },
    {},
    { out: (text) => void (out += text), error: (text) => void (error += text), color: false },
  );

test("shows the decision and what each selector found", async () => {
  expect(await run({ request: `GET ${URL_OF_IT}`, asEmail: "ann@example.com", asGroup: ["eng"], ip: "10.1.1.1" })).toBe(0);
  expect(out).toContain("allow: application grafana, reason allowed, policy public");
  expect(out).toMatch(/true +identityGroup: eng/);
});

test("a visitor without --as has not signed in", async () => {
  await run({ request: `GET ${URL_OF_IT}`, ip: "10.1.1.1", json: true });
  expect(JSON.parse(out)).toMatchObject({ explanation: { decision: { outcome: "login", reason: "login-required" } } });
});

/** An application for machines with a certificate of three names. */
function publishMachines(): void {
  folder.authority("ca");
  folder.certificate("tls", ["*.example.com"]);
  const selectors = [{ commonName: "ci" }, { subjectAlternativeName: "dns:ci.example.com" }, { fingerprint: "ab".repeat(32) }];
  const require = JSON.stringify(selectors.map((clientCertificate) => ({ clientCertificate })));
  folder.write(
    "relay.yaml",
    `authUrl: https://auth.example.com
state: ./data
listen: [ { address: "127.0.0.1:443", tls: { cert: { file: tls.crt }, key: { file: tls.key } } } ]
tunnels: [ { name: office } ]
policies: [ { name: machines, action: bypass, include: [ { everyone: true } ], require: ${require} } ]
applications: [ { name: web, hostname: web.example.com, tunnel: office, service: web, policies: [ machines ], clientCertificates: { ca: { file: ca.crt } } } ]
`,
  );
}

describe("what an evaluator or a certificate would change", () => {
  const DOOR = "https://door.example.com/ask";
  const evaluated = YAML.replace("ip: 10.0.0.0/8", `externalEvaluation: { url: "${DOOR}", keysUrl: "${DOOR}/keys" }`);
  const ann = { request: `GET ${URL_OF_IT}`, asEmail: "ann@example.com", asGroup: ["eng"] };

  test.each([
    [{}, "deny: ", "unknown", "the evaluator gave no valid answer"],
    [{ asExternal: [`${DOOR}=yes`] }, "allow: ", "true", "the evaluator said yes"],
    [{ asExternal: [`${DOOR}=no`] }, "deny: ", "false", "the evaluator said no"],
  ])("an answer: %j", async (more, outcome, value, found) => {
    folder.write("relay.yaml", evaluated);
    expect(await run({ ...ann, ...more })).toBe(0);
    expect(out.startsWith(outcome)).toBe(true);
    expect(out).toMatch(new RegExp(`${value} +externalEvaluation: .*\\(${found}\\)`));
  });

  test("a certificate, by each of its names", async () => {
    publishMachines();
    const request = "GET https://web.example.com/";
    expect(await run({ request, asCertificate: ["cn:ci", "dns:CI.example.com", `fingerprint:${"AB".repeat(32)}`] })).toBe(0);
    expect(out).toContain("allow: application web, reason bypassed, policy machines");
    out = "";
    await run({ request });
    expect(out).toContain("deny: application web, reason client-certificate-required");
    expect(out).toContain("(no client certificate)");
  });
});

test("a request that reaches no policy says why", async () => {
  expect(await run({ request: "GET http://nowhere.relay.localhost:8080/" })).toBe(0);
  expect(out).toBe("deny: no policy was asked (ERR_HOST_UNKNOWN)\n");
});

test.each([
  [{}, "say which request"],
  [{ request: "grafana" }, "request: "],
  [{ request: `GET ${URL_OF_IT}`, asEmail: "nobody" }, "as.email: "],
  [{ request: `GET ${URL_OF_IT}`, ip: "010.0.0.1" }, "as.ip: "],
  [{ request: `GET ${URL_OF_IT}`, asExternal: ["https://door.example.com/=maybe"] }, "as.external["],
  [{ request: `GET ${URL_OF_IT}`, asCertificate: ["ci"] }, "as.clientCertificate.subjectAlternativeNames[0]: "],
])("%j is a usage error", async (args, message) => {
  expect(await run(args)).toBe(2);
  expect(error).toContain(message);
  expect(out).toBe("");
});

test("a configuration with errors is not explained", async () => {
  folder.write("relay.yaml", `${YAML}typo: 1\n`);
  expect(await run({ request: `GET ${URL_OF_IT}` })).toBe(1);
  expect(error).toContain('unknown key "typo"');
});

describe("--request-id", () => {
  const record: RequestRecord = {
    requestId: "0198c1f2-6d1e-7c3a-9f52-5b0a4f6f6c11",
    identity: {
      kind: "person",
      provider: "corp",
      subject: "1",
      email: "ann@example.com",
      name: undefined,
      groups: ["eng"],
      authMethods: [],
      claims: {},
      sessionId: "s",
    },
    application: "grafana",
    tunnel: "office",
    connectorId: undefined,
    sourceIp: "10.2.2.2",
    sourceFrom: "socket",
    method: "GET",
    host: "grafana.relay.localhost",
    path: "/d/1",
    userAgent: undefined,
    policy: undefined,
    decision: "deny",
    reason: "no-policy-matched",
    code: "ERR_ACCESS_DENIED",
    status: 403,
    answeredBy: "relay",
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 1,
    decisionMs: 1,
    headMs: undefined,
  };

  beforeEach(() => {
    mkdirSync(`${folder.path}/data/records`, { recursive: true });
    folder.write("relay.yaml", `${YAML}identityProviders: [ { type: github, name: corp, clientId: x, clientSecret: { file: secret } } ]\n`);
    folder.write("secret", "x");
    const other = requestLine(1, "2026-01-01T00:00:00.000Z", { ...record, requestId: "other", path: `/${record.requestId}` });
    folder.write("data/records/records-0000000000000001.jsonl", other + requestLine(2, "2026-01-01T00:00:01.000Z", record));
    folder.write("data/records/records-0000000000000003.jsonl", "{torn");
  });

  test("takes visitor and request from the record, shows what was decided then, and says what the record does not hold (R-M6)", async () => {
    expect(await run({ requestId: record.requestId })).toBe(0);
    expect(out).toContain("recorded 2026-01-01T00:00:01.000Z: deny (no-policy-matched), status 403");
    expect(out).toContain("groups, authMethods, claims");
    expect(out).toContain("true     ip: 10.0.0.0/8  (address is 10.2.2.2)");
    expect(out).toMatch(/unknown +identityGroup: eng/);
  });

  test("facts that the record lacks can be given", async () => {
    expect(await run({ requestId: record.requestId, asGroup: ["eng"], json: true })).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      explanation: { decision: { outcome: "allow" } },
      record: { decision: "deny" },
      unrecorded: ["authMethods", "claims"],
    });
  });

  test("a certificate is in the record with its fingerprint and common name", async () => {
    publishMachines();
    const certificate = {
      kind: "verified",
      commonName: "ci",
      subjectAlternativeNames: ["dns:ci.example.com"],
      fingerprint: "ab".repeat(32),
    } as const;
    const line = { ...record, identity: undefined, certificate, host: "web.example.com" };
    folder.write(
      "data/records/records-0000000000000002.jsonl",
      requestLine(3, "2026-01-01T00:00:02.000Z", { ...line, requestId: "machine" }),
    );
    expect(await run({ requestId: "machine" })).toBe(0);
    expect(out).toContain("hence unknown here: alternative names of the certificate;");
    expect(out).toMatch(/true +clientCertificate: { commonName: ci }/);
    expect(out).toMatch(/false +clientCertificate: { subjectAlternativeName: dns:ci.example.com }/);
    out = "";
    await run({ requestId: "machine", asCertificate: ["cn:ci", "dns:ci.example.com", `fingerprint:${"ab".repeat(32)}`] });
    expect(out).toContain("allow: application web");
  });

  test("an id that no record has ends with 1", async () => {
    expect(await run({ requestId: "nope" })).toBe(1);
    expect(error).toContain('no record of the request "nope"');
  });
});
