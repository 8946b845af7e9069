import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigFolder, problemsOf } from "./test-support.ts";

// A23, as the configuration has it: files that TLS takes, and rules that fit together.

let folder: ConfigFolder;
beforeAll(() => {
  folder = new ConfigFolder();
  folder.certificate("tls", ["*.example.com"]);
  folder.authority("machines");
  folder.authority("people");
  folder.revocationList("machines", "machines.crl");
  folder.write("none.pem", "no PEM at all");
  folder.write("broken.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
  folder.leaf("machines", "leaf");
});
afterAll(() => folder[Symbol.dispose]());

interface Application {
  readonly name: string;
  readonly options?: string;
  readonly policy?: string;
  readonly hostname?: string;
}

const file = (...applications: readonly Application[]): string => `
authUrl: https://auth.example.com
state: ./data
listen: [ { address: "127.0.0.1:443", tls: { cert: { file: tls.crt }, key: { file: tls.key } } } ]
tunnels: [ { name: office } ]
groups: [ { name: machines, include: [ { clientCertificate: any } ] }, { name: nested, include: [ { group: machines } ] } ]
policies:
  - { name: asks, action: bypass, include: [ { everyone: true } ], require: [ { clientCertificate: any } ] }
  - { name: through-groups, action: bypass, include: [ { group: nested } ] }
  - { name: public, action: bypass, include: [ { everyone: true } ] }
applications:
${applications
  .map(
    ({ name, options = "", policy = "asks", hostname = name }) =>
      `  - { name: ${name}, hostname: ${hostname}.example.com, tunnel: office, service: web, policies: [ ${policy} ]${options} }\n`,
  )
  .join("")}`;

async function problems(...applications: readonly Application[]): Promise<readonly string[]> {
  return problemsOf(await folder.load(file(...applications)))
    .filter(({ message }) => !message.endsWith("is not used"))
    .map(({ severity, path, code, message }) => `${severity} ${path} ${code}: ${message}`);
}

const trusting = (ca: string, crl = ""): string => `, clientCertificates: { ca: ${ca}${crl === "" ? "" : `, crl: ${crl}`} }`;
const MACHINES = trusting("{ file: machines.crt }", "{ file: machines.crl }");

describe("clientCertificates", () => {
  test("that fit together are taken: authorities and lists apart, and watched", async () => {
    const ca = "[ { file: machines.crt }, { file: people.crt } ]";
    const result = await folder.load(file({ name: "web", options: trusting(ca, "{ file: machines.crl }") }));
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const rules = result.config.applications[0]?.clientCertificates;
    expect([rules?.ca.length, rules?.crl.length]).toEqual([2, 1]);
    expect(result.watchedFiles.map((path) => path.slice(folder.path.length + 1))).toEqual(
      expect.arrayContaining(["machines.crt", "people.crt", "machines.crl"]),
    );
  });

  test.each<readonly [string, readonly Application[], readonly string[]]>([
    ["nothing", [{ name: "web", options: MACHINES }], []],
    [
      "nothing of a neighbour without certificates",
      [
        { name: "web", options: MACHINES },
        { name: "open", policy: "public" },
      ],
      [],
    ],
    [
      "a policy that nothing answers, through groups too",
      [
        { name: "web", policy: "asks" },
        { name: "other", policy: "through-groups" },
      ],
      [
        'error applications[0].policies[0] ERR_CONFIG_POLICY: policy "asks" looks at client certificates, and "web" asks for none',
        'error applications[1].policies[0] ERR_CONFIG_POLICY: policy "through-groups" looks at client certificates, and "other" asks for none',
      ],
    ],
    [
      "certificates that change nothing",
      [{ name: "web", options: MACHINES, policy: "public" }],
      [
        'warning applications[0].clientCertificates ERR_CONFIG_POLICY: no policy of "web" looks at client certificates: they are asked for, and change nothing',
      ],
    ],
    [
      "two kinds of rules on one host",
      [
        { name: "web", options: `${MACHINES}, path: /a` },
        { name: "other", hostname: "web", options: `${trusting("{ file: people.crt }")}, path: /b` },
      ],
      ['error applications[1].clientCertificates ERR_CONFIG_CONFLICT: "web" on the same host name has other clientCertificates'],
    ],
    [
      "a file without certificates",
      [{ name: "web", options: trusting("{ file: none.pem }") }],
      ["error applications[0].clientCertificates.ca ERR_CONFIG_CERTIFICATE: this file holds no PEM certificate"],
    ],
    [
      "the certificate of a client in place of its authority's",
      [{ name: "web", options: trusting("[ { file: machines.crt }, { file: leaf.crt } ]") }],
      ['error applications[0].clientCertificates.ca[1] ERR_CONFIG_CERTIFICATE: "CN=leaf" is not the certificate of an authority'],
    ],
    [
      "a list that cannot be read",
      [{ name: "web", options: trusting("{ file: machines.crt }", "{ file: broken.crl }") }],
      ["error applications[0].clientCertificates.crl ERR_CONFIG_CERTIFICATE: a revocation list in this file cannot be read"],
    ],
    [
      "an authority in place of a list",
      [{ name: "web", options: trusting("{ file: machines.crt }", "{ file: machines.crt }") }],
      ["error applications[0].clientCertificates.crl ERR_CONFIG_CERTIFICATE: this file holds no PEM revocation list"],
    ],
  ])("check finds %s", async (_title, applications, expected) => {
    expect(await problems(...applications)).toEqual(expected);
  });
});

test("check warns of anonymous visitors at an origin that is told who is asking", async () => {
  const told = ", identityHeaders: { preset: remote }";
  expect(await problems({ name: "web", policy: "public", options: told })).toEqual([
    'warning applications[0].policies[0] ERR_CONFIG_POLICY: policy "public" lets anonymous visitors in, of whom `identityHeaders` tells the origin nothing: it could take them for somebody',
  ]);
});
