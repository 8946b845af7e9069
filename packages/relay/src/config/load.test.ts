import { chmodSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_PROBLEMS, type ConfigCode } from "@sallyport/shared/config/problem";
import { renderProblems } from "@sallyport/shared/config/render";
import { parseIp } from "../authz/ip.ts";
import { ConfigFolder, geoDatabase, minimal, problemsOf } from "./test-support.ts";

let folder: ConfigFolder;
beforeEach(() => {
  folder = new ConfigFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** `line path «underlined text»` of the problems with a code. */
async function places(yaml: string, code: ConfigCode): Promise<readonly string[]> {
  return problemsOf(await folder.load(yaml))
    .filter((problem) => problem.code === code)
    .map(
      ({ line, column, length, path }) => `${line} ${path} «${yaml.split("\n")[line - 1]?.slice(column - 1, column - 1 + length) ?? ""}»`,
    );
}

test("a complete file loads without a warning, with every default filled in", async () => {
  const result = await folder.load(minimal());
  expect(problemsOf(result)).toEqual([]);
  expect(result.ok && result.config).toMatchObject({
    authUrl: { scheme: "http", hostname: "auth.relay.localhost", port: 8080, origin: "http://auth.relay.localhost:8080" },
    listen: [{ address: { host: "127.0.0.1", port: 8080 }, certificates: undefined, redirectToHttps: false, proxyProtocol: false }],
    admin: { host: "127.0.0.1", port: 9090 },
    trustedProxies: [],
    applications: [{ path: "/", keepUnderscoreHeaders: false, limits: { maxRequestBodyBytes: undefined } }],
    limits: {
      maxUrlBytes: 8192,
      maxHeaderBytes: 16_384,
      maxHeaderFields: 100,
      headerTimeoutMs: 15_000,
      keepAliveTimeoutMs: 75_000,
      requestBodyIdleMs: 60_000,
    },
    records: { onWriteFailure: "deny", maxAgeMs: 90 * 86_400_000 },
  });
});

test("six different mistakes are six errors, each with its place and what to write instead", async () => {
  const yaml = `authUrl: https://auth.example.com
listen:
  - address: "0.0.0.0"
trustedProxy: []
state: ./data
tunnels:
  - name: office
policies:
  - { name: engineers, action: permit, include: [ { emailDomain: example.com } ] }
applications:
  - { name: grafana, hostname: grafana.example.com, tunnel: offise, service: grafana, policies: [ engineers ] }
  - { name: wiki, hostname: auth.example.com, tunnel: office, service: wiki, policies: [ engineers ] }
limits: { headerTimeout: 15 }
`;
  const result = await folder.load(yaml);
  expect(result.ok).toBe(false);
  const errors = problemsOf(result).filter((problem) => problem.severity === "error");
  expect(errors.map(({ code, line, path }) => `${line} ${code} ${path}`).sort()).toEqual([
    "11 ERR_CONFIG_REFERENCE applications[0].tunnel",
    "12 ERR_CONFIG_CONFLICT applications[1].hostname",
    "13 ERR_CONFIG_TYPE limits.headerTimeout",
    "3 ERR_CONFIG_VALUE listen[0].address",
    "4 ERR_CONFIG_UNKNOWN_KEY trustedProxy",
    "9 ERR_CONFIG_VALUE policies[0].action",
  ]);
  const remedies = errors.map((problem) => problem.remedy).join("\n");
  for (const hint of [
    '"trustedProxies"',
    '"office"',
    '"0.0.0.0:443"',
    "allow, deny, bypass or service",
    "headerTimeout: 15s",
    "host name of its own",
  ])
    expect(remedies).toContain(hint);
});

describe("each kind of mistake is found at its place (R-N1)", () => {
  const base = minimal();
  const without = (line: RegExp): string => base.replace(line, "");
  const cases: readonly (readonly [title: string, yaml: string, code: ConfigCode, place: string])[] = [
    ["broken YAML", `${base}tests: [`, "ERR_CONFIG_SYNTAX", "11  «»"],
    ["a tab as indentation", `${base}records:\n\tfolder: x\n`, "ERR_CONFIG_SYNTAX", "12  «\t»"],
    ["a second document", `${base}---\n{}\n`, "ERR_CONFIG_SYNTAX", "11  «---»"],
    ["a YAML tag", `${base}tests: !mine []\n`, "ERR_CONFIG_SYNTAX", "11  «!mine»"],
    ["a tag that changes the type", `${base}tests: !!set {}\n`, "ERR_CONFIG_SYNTAX", "11  «{}»"],
    ["a key that is no text", `${base}? [a]\n: b\n`, "ERR_CONFIG_SYNTAX", "11  «[a]»"],
    ["__proto__ as a key", `${base}__proto__: { admin: {} }\n`, "ERR_CONFIG_SYNTAX", "11  «__proto__»"],
    ["an empty file", "", "ERR_CONFIG_TYPE", "1  «»"],
    ["a list instead of a mapping", "- a\n", "ERR_CONFIG_TYPE", "1  «-»"],
    ["a duplicate key", `${base}state: ./other\n`, "ERR_CONFIG_DUPLICATE_KEY", "11  «state»"],
    ["a missing key", without(/^state.*\n/m), "ERR_CONFIG_MISSING_KEY", "1 state «a»"],
    ["a missing key of an entry", base.replace(" service: grafana,", ""), "ERR_CONFIG_MISSING_KEY", "10 applications[0].service «name»"],
    ["an empty value", base.replace("./data", ""), "ERR_CONFIG_TYPE", "4 state «state»"],
    ["an unknown key", `${base}listne: []\n`, "ERR_CONFIG_UNKNOWN_KEY", "11 listne «listne»"],
    ["a merge key", `${base}<<: {}\n`, "ERR_CONFIG_UNKNOWN_KEY", '11 ["<<"] «<<»'],
    [
      "an unknown selector",
      base.replace("everyone: true", "everybody: true"),
      "ERR_CONFIG_UNKNOWN_KEY",
      "8 policies[0].include[0].everybody «everybody»",
    ],
    [
      "an option of a later release",
      base.replace("service: grafana,", "service: grafana, rateLimit: {},"),
      "ERR_CONFIG_NOT_YET",
      "10 applications[0].rateLimit «rateLimit»",
    ],
    [
      "an evaluator without https",
      base.replace("everyone: true", "externalEvaluation: { url: 'http://127.0.0.1/', keysUrl: 'https://a.example/k' }"),
      "ERR_CONFIG_VALUE",
      "8 policies[0].include[0].externalEvaluation.url «'http://127.0.0.1/'»",
    ],
    [
      "a certificate selector where no certificate is asked for",
      base.replace("everyone: true", "clientCertificate: any"),
      "ERR_CONFIG_POLICY",
      "10 applications[0].policies[0] «public»",
    ],
    [
      "client certificates without TLS",
      base.replace("service: grafana,", "service: grafana, clientCertificates: { ca: { file: ca.crt } },"),
      "ERR_CONFIG_CONFLICT",
      "10 applications[0].clientCertificates «clientCertificates»",
    ],
    [
      "client authorities that do not exist",
      base.replace("service: grafana,", "service: grafana, clientCertificates: { ca: { file: nothing.crt } },"),
      "ERR_CONFIG_REFERENCED_FILE",
      "10 applications[0].clientCertificates.ca.file «nothing.crt»",
    ],
    ["a wrong type", base.replace("[ public ]", "public"), "ERR_CONFIG_TYPE", "10 applications[0].policies «public»"],
    ["a bad hostname", base.replace("grafana.relay.localhost", "10.0.0.1"), "ERR_CONFIG_VALUE", "10 applications[0].hostname «10.0.0.1»"],
    [
      "a path with dot segments",
      base.replace("service:", "path: /a/../b, service:"),
      "ERR_CONFIG_VALUE",
      "10 applications[0].path «/a/../b»",
    ],
    [
      "the reserved path",
      base.replace("service:", "path: /.sallyport/x, service:"),
      "ERR_CONFIG_VALUE",
      "10 applications[0].path «/.sallyport/x»",
    ],
    ["a bad address", base.replace('127.0.0.1:8080"', '127.0.0.1"'), "ERR_CONFIG_VALUE", '3 listen[0].address «"127.0.0.1"»'],
    ["host bits in a CIDR", `${base}trustedProxies: [ 10.1.0.0/8 ]\n`, "ERR_CONFIG_VALUE", "11 trustedProxies[0] «10.1.0.0/8»"],
    ["a number out of range", `${base}limits: { headerFields: 1 }\n`, "ERR_CONFIG_VALUE", "11 limits.headerFields «1»"],
    ["a duration out of range", `${base}limits: { headerTimeout: 1h }\n`, "ERR_CONFIG_VALUE", "11 limits.headerTimeout «1h»"],
    ["an empty list of listeners", base.replace(/listen:\n.*\n/, "listen: []\n"), "ERR_CONFIG_VALUE", "2 listen «listen»"],
    ["an unknown tunnel", base.replace("tunnel: office", "tunnel: offise"), "ERR_CONFIG_REFERENCE", "10 applications[0].tunnel «offise»"],
    ["an unknown policy", base.replace("[ public ]", "[ publik ]"), "ERR_CONFIG_REFERENCE", "10 applications[0].policies[0] «publik»"],
    [
      "a policy listed twice",
      base.replace("[ public ]", "[ public, public ]"),
      "ERR_CONFIG_DUPLICATE",
      "10 applications[0].policies[1] «public»",
    ],
    [
      "a name given twice",
      base.replace("  - name: office\n", "  - name: office\n  - name: office\n"),
      "ERR_CONFIG_DUPLICATE",
      "7 tunnels[1].name «office»",
    ],
    [
      "two applications on one hostname and path, written differently",
      `${base.trimEnd()}\n  - { name: other, hostname: GRAFANA.relay.localhost., path: /, tunnel: office, service: x, policies: [ public ] }\n`,
      "ERR_CONFIG_DUPLICATE",
      "11 applications[1].hostname «GRAFANA.relay.localhost.»",
    ],
    [
      "an application on the auth host",
      base.replace("hostname: grafana", "hostname: auth"),
      "ERR_CONFIG_CONFLICT",
      "10 applications[0].hostname «auth.relay.localhost»",
    ],
    [
      "http outside of loopback",
      base.replace("http://auth.relay.localhost:8080", "http://auth.example.com"),
      "ERR_CONFIG_INSECURE",
      "1 authUrl «http://auth.example.com»",
    ],
    [
      "http for an application outside of loopback",
      base.replace("grafana.relay.localhost", "grafana.example.com"),
      "ERR_CONFIG_INSECURE",
      "10 applications[0].hostname «grafana.example.com»",
    ],
    [
      "redirectToHttps with an http authUrl",
      base.replace('8080"\n', '8080"\n    redirectToHttps: true\n'),
      "ERR_CONFIG_CONFLICT",
      "4 listen[0].redirectToHttps «true»",
    ],
    [
      "two listeners on one address",
      base.replace('8080"\n', '8080"\n  - address: "127.0.0.1:8080"\n'),
      "ERR_CONFIG_DUPLICATE",
      '4 listen[1].address «"127.0.0.1:8080"»',
    ],
    [
      "metrics on a public listener",
      `${base}admin: { address: "127.0.0.1:8080" }\n`,
      "ERR_CONFIG_CONFLICT",
      '11 admin.address «"127.0.0.1:8080"»',
    ],
    ["a missing geo database", `${base}geoip: { file: none.mmdb }\n`, "ERR_CONFIG_REFERENCED_FILE", "11 geoip.file «none.mmdb»"],
    [
      "a provider of no known type",
      `${base}identityProviders: [ { type: saml, name: x } ]\n`,
      "ERR_CONFIG_VALUE",
      "11 identityProviders[0].type «saml»",
    ],
    [
      "a secret in the file",
      `${base}identityProviders: [ { type: github, name: x, clientId: y, clientSecret: zzz } ]\n`,
      "ERR_CONFIG_SECRET",
      "11 identityProviders[0].clientSecret «zzz»",
    ],
    [
      "a secret that is not set",
      `${base}identityProviders: [ { type: github, name: x, clientId: y, clientSecret: { env: NOPE } } ]\n`,
      "ERR_CONFIG_SECRET",
      "11 identityProviders[0].clientSecret.env «NOPE»",
    ],
  ];
  test.each(cases)("%s", async (_title, yaml, code, place) => {
    expect(await places(yaml, code)).toEqual([place]);
    expect((await folder.load(yaml)).ok).toBe(false);
  });
});

describe("warnings do not stop a file from going live", () => {
  const cases: readonly (readonly [title: string, yaml: string, code: ConfigCode, place: string])[] = [
    ["everybody trusted as a proxy", minimal("trustedProxies: [ 0.0.0.0/0 ]\n"), "ERR_CONFIG_INSECURE", "11 trustedProxies[0] «0.0.0.0/0»"],
    [
      "metrics reachable from outside",
      minimal('admin: { address: "0.0.0.0:9090" }\n'),
      "ERR_CONFIG_INSECURE",
      '11 admin.address «"0.0.0.0:9090"»',
    ],
    [
      "a tunnel without application",
      minimal().replace("  - name: office\n", "  - name: office\n  - name: spare\n"),
      "ERR_CONFIG_REFERENCE",
      "7 tunnels[1].name «spare»",
    ],
    [
      "https behind nothing",
      minimal().replaceAll("http:", "https:").replace('"127.0.0.1:8080"', '"0.0.0.0:8080"'),
      "ERR_CONFIG_INSECURE",
      '3 listen[0].address «"0.0.0.0:8080"»',
    ],
  ];
  test.each(cases)("%s", async (_title, yaml, code, place) => {
    expect(await places(yaml, code)).toEqual([place]);
    expect((await folder.load(yaml)).ok).toBe(true);
  });
});

describe("certificates", () => {
  const yaml = (cert: string, key: string): string =>
    minimal()
      .replaceAll("http:", "https:")
      .replace('address: "127.0.0.1:8080"', `address: "127.0.0.1:8443"\n    tls: { cert: { file: ${cert} }, key: { file: ${key} } }`);

  test("a pair that belongs together is read with its names, expiry and fingerprint", async () => {
    folder.certificate("tls", ["*.relay.localhost"]);
    const result = await folder.load(yaml("tls.crt", "tls.key"));
    expect(problemsOf(result)).toEqual([]);
    const certificate = result.ok ? result.config.listen[0]?.certificates?.[0] : undefined;
    expect(certificate).toMatchObject({
      names: ["*.relay.localhost"],
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}/) as string,
    });
    expect(certificate?.keyPem.reveal()).toContain("PRIVATE KEY");
    expect(JSON.stringify(certificate)).not.toContain("PRIVATE KEY");
    expect(result.watchedFiles).toEqual([`${folder.path}/relay.yaml`, `${folder.path}/tls.crt`, `${folder.path}/tls.key`]);
  });

  test("missing files, a foreign key, something else than PEM and a mode open to all are named at their place", async () => {
    folder.certificate("one", ["*.relay.localhost"]);
    folder.certificate("two", ["*.relay.localhost"]);
    folder.write("text", "hello");
    expect(await places(yaml("gone.crt", "gone.key"), "ERR_CONFIG_REFERENCED_FILE")).toEqual([
      "4 listen[0].tls.cert.file «gone.crt»",
      "4 listen[0].tls.key.file «gone.key»",
    ]);
    expect(await places(yaml("one.crt", "two.key"), "ERR_CONFIG_CERTIFICATE")).toEqual(["4 listen[0].tls.key.file «two.key»"]);
    expect(await places(yaml("text", "text"), "ERR_CONFIG_CERTIFICATE")).toEqual([
      "4 listen[0].tls.cert.file «text»",
      "4 listen[0].tls.key.file «text»",
    ]);
    chmodSync(`${folder.path}/one.key`, 0o644);
    expect(await places(yaml("one.crt", "one.key"), "ERR_CONFIG_SECRET")).toEqual(["4 listen[0].tls.key.file «one.key»"]);
  });

  test("an expired certificate, and a name that none covers, are warnings", async () => {
    folder.certificate("old", ["auth.relay.localhost"]);
    folder.clock.jump(91 * 86_400_000);
    const result = await folder.load(yaml("old.crt", "old.key"));
    expect(result.ok).toBe(true);
    expect(
      problemsOf(result)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(["applications[0].hostname", "listen[0].tls.cert.file"]);
  });
});

describe("the geo database", () => {
  test("decides about countries from the content that was checked", async () => {
    folder.write("country.mmdb", geoDatabase());
    const result = await folder.load(
      minimal(`geoip: { file: country.mmdb }
tests:
  - { as: { ip: 10.1.2.3 }, request: "GET http://grafana.relay.localhost:8080/", expect: allow }
  - { as: { ip: 200.1.2.3 }, request: "GET http://grafana.relay.localhost:8080/", expect: deny }
`).replace("everyone: true", "country: DE"),
    );
    expect(problemsOf(result)).toEqual([]);
    folder.write("country.mmdb", "gone");
    expect(result.ok && result.config.geoip?.countryOf(parseIp("10.1.2.3"))).toBe("DE");
  });

  test("of another kind, or no database at all, is refused", async () => {
    const yaml = minimal("geoip: { file: x.mmdb }\n");
    for (const content of ["hello", geoDatabase("GeoLite2-ASN")]) {
      folder.write("x.mmdb", content);
      expect(await places(yaml, "ERR_CONFIG_REFERENCED_FILE")).toEqual(["11 geoip.file «x.mmdb»"]);
    }
  });
});

describe("policy tests of the file", () => {
  const withTests = (expect: string): string =>
    minimal(`tests:
  - { as: {}, request: "GET http://grafana.relay.localhost:8080/x", expect: allow }
  - { as: {}, request: "GET http://grafana.relay.localhost:8080/.sallyport/", expect: deny }
  - { as: {}, request: "GET http://grafana.relay.localhost/", expect: deny, reason: ERR_HOST_UNKNOWN }
  - { as: {}, request: "GET http://other.relay.localhost:8080/", expect: ${expect} }
`);

  test("that hold let it go live", async () => {
    expect(problemsOf(await folder.load(withTests("deny")))).toEqual([]);
  });

  test("that fail keep it from going live, and say what came out instead", async () => {
    expect(await places(withTests("allow"), "ERR_CONFIG_TEST_FAILED")).toEqual(["15 tests[3] «as»"]);
    expect(problemsOf(await folder.load(withTests("allow")))[0]?.message).toBe(
      "this test fails: expected allow, got deny (ERR_HOST_UNKNOWN)",
    );
  });
});

test("of thousands of mistakes the first are listed, and that there are more is said", async () => {
  const applications = Array.from(
    { length: 3000 },
    (_, index) => `  - { name: a${index}, hostname: a${index}.relay.localhost, tunnel: none, service: s, x${index}: 1 }`,
  );
  const problems = problemsOf(await folder.load(minimal().replace(/applications:\n.*\n/, `applications:\n${applications.join("\n")}\n`)));
  expect(problems).toHaveLength(MAX_PROBLEMS + 1);
  expect(problems.at(-1)).toMatchObject({ severity: "error", code: "ERR_CONFIG_TOO_MANY_PROBLEMS" });
});

test("a file that everybody may write is refused: who writes it decides who may enter (R-J4)", async () => {
  chmodSync(folder.write("relay.yaml", minimal()), 0o666);
  expect(problemsOf(await folder.load(minimal())).map(({ code }) => code)).toEqual(["ERR_CONFIG_INSECURE"]);
});

test("a missing file, a folder and bytes that are no UTF-8 are problems, not exceptions", async () => {
  expect(problemsOf(await folder.load(Uint8Array.of(0x61, 0xff, 0xfe))).map(({ code }) => code)).toEqual(["ERR_CONFIG_FILE"]);
});

test("a secret comes from the environment or from a file without its last newline, and prints as [redacted]", async () => {
  folder.env["GH_SECRET"] = "s3cr3t";
  folder.write("pin", "smtp://u:p4ss@mail.example.com\n");
  const result = await folder.load(
    minimal(`identityProviders:
  - { type: github, name: gh, clientId: id, clientSecret: { env: GH_SECRET } }
  - { type: one-time-pin, name: pin, smtp: { url: { file: pin }, from: door@example.com } }
`),
  );
  const [github, pin] = result.ok ? result.config.identityProviders : [];
  expect(github?.type === "github" && github.clientSecret.reveal()).toBe("s3cr3t");
  expect(pin?.type === "one-time-pin" && pin.smtp?.url.reveal()).toBe("smtp://u:p4ss@mail.example.com");
  expect(JSON.stringify(result)).not.toMatch(/s3cr3t|p4ss/);
});

test("an empty or missing secret is refused, from a file and from the environment (R-J5)", async () => {
  folder.env["EMPTY"] = " ";
  folder.write("empty", "\n");
  for (const source of ["{ env: EMPTY }", "{ env: NOT_SET }", "{ file: empty }", "{ file: not-there }"]) {
    const result = await folder.load(
      minimal(`identityProviders:\n  - { type: github, name: gh, clientId: id, clientSecret: ${source} }\n`),
    );
    expect(problemsOf(result).map(({ code }) => code)).toEqual([
      source.includes("not-there") ? "ERR_CONFIG_REFERENCED_FILE" : "ERR_CONFIG_SECRET",
    ]);
  }
});

test("a secret that others can change, or everybody can read, is refused; its group may read it (R-J4)", async () => {
  const yaml = minimal("identityProviders:\n  - { type: github, name: gh, clientId: id, clientSecret: { file: secret } }\n");
  for (const [mode, codes] of [
    [0o600, []],
    [0o640, []],
    [0o644, ["ERR_CONFIG_SECRET"]],
    [0o660, ["ERR_CONFIG_SECRET"]],
    [0o602, ["ERR_CONFIG_SECRET"]],
  ] as const) {
    chmodSync(folder.write("secret", "s3cr3t"), mode);
    const result = await folder.load(yaml);
    expect([
      mode,
      problemsOf(result)
        .filter(({ severity }) => severity === "error")
        .map(({ code }) => code),
    ]).toEqual([mode, codes]);
    expect(result.ok).toBe(codes.length === 0);
  }
});

test("no excerpt shows a secret that somebody wrote into the file by mistake (R-J4)", async () => {
  const yaml = minimal(`identityProviders:
  - { type: github, nam: gh, clientId: id, clientSecret: s3cr3t-one }
  - type: one-time-pin
    name: pin
    smtp: { url: "smtps://u:s3cr3t-two@mail.example.com", from: door@example.com }
    password: |
      s3cr3t-three
      s3cr3t-four
`);
  const result = await folder.load(yaml);
  const shown = renderProblems(problemsOf(result), { color: false, lines: result.lines }) + JSON.stringify(result);
  expect(problemsOf(result).length).toBeGreaterThan(3);
  expect(shown).not.toContain("s3cr3t");
});

test.each([
  ["behind a broken value", "clientSecret: s3cr3t: x\n"],
  ["in an unclosed bracket", "a: { clientSecret: s3cr3t, b: [\n"],
  ["in a block", "password: |\n  s3cr3t\n  s3cr3t\nb: [\n"],
  ["in a URL", "smtp: [ smtps://u:s3cr3t@mail.example.com\n"],
  ["beside a duplicate key", "a: 1\na: { clientSecret: s3cr3t }\n"],
])("nor does one of a file that is no YAML: %s", async (_title, yaml) => {
  const result = await folder.load(yaml);
  expect(result.ok).toBe(false);
  expect(renderProblems(problemsOf(result), { color: false, lines: result.lines }) + JSON.stringify(result)).not.toContain("s3cr3t");
});

test("whatever the text, loading ends in a result", async () => {
  const words = [
    "authUrl",
    "listen",
    "policies",
    "include",
    "applications",
    ": ",
    "\n",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "*a",
    "&a ",
    "!!x ",
    "'",
    '"',
    "|",
    "\t",
    "0",
    "null",
    "~",
    "? ",
    "<<",
    "__proto__",
    "#",
    "---",
    "\u0000",
    "\u{1f600}",
  ];
  const soup = fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((parts) => parts.join(""));
  const mutation = fc
    .tuple(fc.nat(minimal().length), fc.nat(20), fc.string({ maxLength: 8, unit: "binary" }))
    .map(([at, cut, text]) => minimal().slice(0, at) + text + minimal().slice(at + cut));
  await fc.assert(
    fc.asyncProperty(fc.oneof(soup, mutation), async (yaml) => {
      const result = await folder.load(yaml);
      const lines = yaml.split(/\r\n|\n|\r/).length;
      for (const problem of problemsOf(result)) {
        expect(problem.line).toBeGreaterThanOrEqual(1);
        expect(problem.line).toBeLessThanOrEqual(lines);
        expect(problem.remedy).not.toBe("");
      }
      expect(typeof renderProblems(problemsOf(result), { color: true, lines: result.lines })).toBe("string");
    }),
    { numRuns: 300 },
  );
});
