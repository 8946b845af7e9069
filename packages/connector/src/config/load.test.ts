import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { DEFAULT_ORIGIN_OPTIONS } from "../origin/options.ts";
import { loadConfig, type LoadResult, parseConfig } from "./load.ts";
import { renderProblems } from "@sallyport/shared/config/render";
import { publishedSchema } from "./json-schema.ts";
import type { ConnectorConfig } from "./types.ts";

const folder = mkdtempSync(join(tmpdir(), "config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function parse(text: string, environment: Record<string, string> = {}): LoadResult {
  return parseConfig(join(folder, "connector.yaml"), text, environment);
}

function loaded(text: string, environment?: Record<string, string>): ConnectorConfig {
  const result = parse(text, environment);
  if (result.kind === "refused") throw new Error(renderProblems(result.problems, { color: false, lines: result.lines }));
  return result.config;
}

/** What a person sees, with the folder's changing name cut off. */
function shown(text: string, environment?: Record<string, string>): string {
  const result = parse(text, environment);
  const { lines } = result;
  return renderProblems(result.kind === "refused" ? result.problems : result.warnings, { color: false, lines }).replaceAll(
    `${folder}/`,
    "",
  );
}

describe("what is accepted", () => {
  test("the example of the documentation", () => {
    const config = loaded(`
relay: https://auth.example.com
credential: { file: office.credential }
services:
  grafana: http://127.0.0.1:3000
  wiki: { url: unix:/run/wiki.sock, hostHeader: wiki.internal, connectTimeout: 10s }
`);
    expect(config).toMatchObject({
      relay: "https://auth.example.com",
      credential: { kind: "file", path: join(folder, "office.credential") },
      connections: 2,
      admin: undefined,
      proxy: { kind: "environment" },
    });
    expect([...config.services.keys()]).toEqual(["grafana", "wiki"]);
    expect(config.services.get("grafana")).toEqual({
      origins: [{ kind: "http", secure: false, http2: false, host: "127.0.0.1", port: 3000 }],
      options: DEFAULT_ORIGIN_OPTIONS,
      healthCheck: undefined,
    });
    expect(config.services.get("wiki")).toMatchObject({
      origins: [{ kind: "unix", path: "/run/wiki.sock" }],
      options: { hostHeader: "wiki.internal", connectTimeoutMs: 10_000 },
    });
  });

  test("require for one service and for all, in the spelling in which names are compared", () => {
    const { requirements } = loaded(`
require: { kinds: [person] }
services:
  wiki:
    url: 3000
    require:
      applications: [ https://Wiki.example.com:443/, https://example.com/wiki/ ]
      emails: [ Ann@EXAMPLE.com ]
      emailDomains: [ EXAMPLE.com ]
  grafana: 3001
`);
    const all = { kinds: new Set(["person"]), applications: undefined, groups: undefined, emails: undefined, emailDomains: undefined };
    const own = {
      kinds: undefined,
      applications: new Set(["https://wiki.example.com", "https://example.com/wiki"]),
      groups: undefined,
      emails: new Set(["Ann@example.com"]),
      emailDomains: new Set(["example.com"]),
    };
    expect([...requirements]).toEqual([
      ["wiki", [all, own]],
      ["grafana", [all]],
    ]);
  });

  test.each([
    ["{}", "demands nothing"],
    ["{ groups: [] }", "must not be empty"],
    ["{ kinds: [admin] }", "not a kind of caller"],
    ["{ kind: [person] }", 'unknown key "kind"'],
    ["{ emails: [example.com] }", "expected a mail address"],
    ['{ emailDomains: ["@example.com"] }', "expected a mail domain"],
    ["{ applications: [wiki] }", "expected the public URL of an application"],
    ["{ applications: ['https://wiki.example.com/?q'] }", "expected the public URL of an application"],
    ["[ eng ]", "expected a mapping"],
  ])("but not require: %s", (written, message) => {
    expect(shown(`services: { wiki: { url: 3000, require: ${written} } }`)).toContain(message);
  });

  test("the example that comes with the project", () => {
    expect(
      parseConfig("connector.yaml", readFileSync(new URL("../../../../examples/connector.yaml", import.meta.url), "utf8"), {}).kind,
    ).toBe("loaded");
  });

  test("a bare port, written as a number or as text", () => {
    const origin = { kind: "http", host: "127.0.0.1", port: 3000 };
    expect(loaded("services: { a: 3000 }").services.get("a")?.origins).toMatchObject([origin]);
    expect(loaded('services: { a: "3000" }').services.get("a")?.origins).toMatchObject([origin]);
  });

  test.each<[string, string, Record<string, unknown>]>([
    ["connectTimeout", "3s", { connectTimeoutMs: 3_000 }],
    ["responseHeaderTimeout", "90s", { responseHeaderTimeoutMs: 90_000 }],
    ["responseHeaderTimeout", "none", { responseHeaderTimeoutMs: undefined }],
    ["poolIdle", "1s", { poolIdleMs: 1_000 }],
    ["requestBodyIdle", "5m", { requestBodyIdleMs: 300_000 }],
    ["requestBodyIdle", "none", { requestBodyIdleMs: undefined }],
    ["maxConnections", "7", { maxConnections: 7 }],
    ["maxQueuedRequests", "0", { maxQueuedRequests: 0 }],
    ["hostHeader", "wiki.internal:8080", { hostHeader: "wiki.internal:8080" }],
    ["serverName", "wiki.internal", { serverName: "wiki.internal" }],
    ["insecureSkipVerify", "true", { insecureSkipVerify: true }],
    ["setRequestHeaders", "{ X-A: b, X-N: 7 }", { setRequestHeaders: { "X-A": "b", "X-N": "7" } }],
    ["removeRequestHeaders", "[X-A]", { removeRequestHeaders: ["X-A"] }],
    ["setResponseHeaders", "{ X-A: b }", { setResponseHeaders: { "X-A": "b" } }],
    ["removeResponseHeaders", "[Server]", { removeResponseHeaders: ["Server"] }],
    ["stripPrefix", "/app", { stripPrefix: "/app" }],
    ["addPrefix", "/base", { addPrefix: "/base" }],
  ])("the option %s: %s reaches the origin's options", (key, written, expected) => {
    const { services } = loaded(`services:\n  a:\n    url: https://wiki.internal\n    ${key}: ${written}\n`);
    expect(services.get("a")?.options).toEqual({ ...DEFAULT_ORIGIN_OPTIONS, ...expected });
  });

  test("several origins, HTTP/2 and a health check", () => {
    const { services } = loaded(`
services:
  api:
    urls: [ "http://10.0.0.1:80", "http://10.0.0.2:80" ]
    http2: true
    healthCheck: { path: /healthz, interval: 1s, timeout: 500ms, unhealthyAfter: 2, healthyAfter: 1 }
`);
    expect(services.get("api")).toMatchObject({
      origins: [
        { host: "10.0.0.1", http2: true },
        { host: "10.0.0.2", http2: true },
      ],
      healthCheck: { path: "/healthz", intervalMs: 1_000, timeoutMs: 500, unhealthyAfter: 2, healthyAfter: 1 },
    });
  });

  test("secrets come from the environment or from files, and do not print", () => {
    writeFileSync(join(folder, "token"), "from-file\n", { mode: 0o640 });
    const { services, proxy } = loaded(
      "proxy: { env: OUT }\nservices:\n  a:\n    url: 3000\n    setRequestHeaders: { X-E: { env: TOKEN }, X-F: { file: token } }\n",
      { TOKEN: "from-env", OUT: "http://user:word@proxy:3128" },
    );
    const headers = services.get("a")?.options.setRequestHeaders ?? {};
    expect(JSON.stringify(headers)).toBe('{"X-E":"[redacted]","X-F":"[redacted]"}');
    const reveal = (name: string): string => (headers[name] as { reveal(): string }).reveal();
    expect([reveal("X-E"), reveal("X-F")]).toEqual(["from-env", "from-file"]);
    expect(proxy).toEqual({ kind: "url", url: new URL("http://user:word@proxy:3128") });
  });

  test("files that are referred to are named, so that a change of them reloads", () => {
    writeFileSync(join(folder, "token"), "x", { mode: 0o600 });
    const result = parse("services:\n  a: { url: 3000, setRequestHeaders: { X-F: { file: token } } }\n");
    expect(result.files).toEqual([join(folder, "connector.yaml"), join(folder, "token")]);
  });
});

test.each([0o644, 0o666, 0o660])("a file with a secret is refused with mode %o, with the command that repairs it (R-J4)", (mode) => {
  writeFileSync(join(folder, "token"), "s3cr3t");
  chmodSync(join(folder, "token"), mode);
  const result = parse("services:\n  a: { url: 3000, setRequestHeaders: { X-F: { file: token } } }\n");
  expect(result).toMatchObject({
    kind: "refused",
    problems: [{ code: "ERR_CONFIG_SECRET", remedy: expect.stringContaining("run: chmod g-w,o= ") }],
  });
  expect(JSON.stringify(result)).not.toContain("s3cr3t");
});

test("docs/connector.schema.json, for editors, is generated from the schema", async () => {
  const schema = `${JSON.stringify(publishedSchema(), null, 2)}\n`;
  expect(schema).not.toContain("remedy");
  await expect(schema).toMatchFileSnapshot("../../../../docs/connector.schema.json");
});

describe("what is refused", () => {
  test("all problems at once, each with its place and a remedy", () => {
    expect(
      shown(`relay: http://auth.example.com
conections: 3
services:
  Grafana: http://127.0.0.1:3000
  wiki:
    url: unix:run/wiki.sock
    hostheader: wiki.internal
    connectTimeout: 10
  api: { http2: yes }
`),
    ).toMatchInlineSnapshot(`
      "error[ERR_CONFIG_VALUE]: expected the relay's authUrl
       --> connector.yaml:1:8  relay
        |
      1 | relay: http://auth.example.com
        |        ^^^^^^^^^^^^^^^^^^^^^^^
        = write https://auth.example.com, as in relay.yaml (http:// is for loopback only)

      error[ERR_CONFIG_UNKNOWN_KEY]: unknown key "conections"
       --> connector.yaml:2:1  conections
        |
      2 | conections: 3
        | ^^^^^^^^^^
        = write "connections" instead

      error[ERR_CONFIG_VALUE]: not a service name
       --> connector.yaml:4:3  services.Grafana
        |
      4 |   Grafana: http://127.0.0.1:3000
        |   ^^^^^^^
        = use 1 to 64 lower-case letters, digits, -, _ and ., starting with a letter or digit

      error[ERR_CONFIG_VALUE]: a unix socket needs an absolute path, for example unix:/run/wiki.sock
       --> connector.yaml:6:10  services.wiki.url
        |
      6 |     url: unix:run/wiki.sock
        |          ^^^^^^^^^^^^^^^^^^
        = write where the service listens, for example http://127.0.0.1:3000, unix:/run/wiki.sock or just 3000

      error[ERR_CONFIG_UNKNOWN_KEY]: unknown key "hostheader"
       --> connector.yaml:7:5  services.wiki.hostheader
        |
      7 |     hostheader: wiki.internal
        |     ^^^^^^^^^^
        = write "hostHeader" instead

      error[ERR_CONFIG_VALUE]: expected a duration from 1ms to 10m
       --> connector.yaml:8:21  services.wiki.connectTimeout
        |
      8 |     connectTimeout: 10
        |                     ^^
        = write a whole number and a unit (ms, s, m, h, d), from 1ms to 10m

      error[ERR_CONFIG_TYPE]: expected true or false, found text
       --> connector.yaml:9:17  services.api.http2
        |
      9 |   api: { http2: yes }
        |                 ^^^
        = Speak HTTP/2 to the origin: by ALPN over TLS, else with prior knowledge. Needed for gRPC.

      7 errors"
    `);
  });

  test("conflicts that no single key shows", () => {
    expect(
      shown(`services:
  none: {}
  both: { url: 3000, urls: [ 3001 ] }
  mixed: { urls: [ "http://127.0.0.1:1", "tcp://127.0.0.1:2" ] }
  ssh: { url: "tcp://127.0.0.1:22", healthCheck: { path: / } }
  ca: { url: https://wiki.internal, ca: { file: absent.pem } }
  token: { url: 3000, setRequestHeaders: { Authorization: { env: UNSET } } }
`),
    ).toMatchInlineSnapshot(`
      "error[ERR_CONFIG_CONFLICT]: neither url nor urls is written
       --> connector.yaml:2:3  services.none
        |
      2 |   none: {}
        |   ^^^^
        = write url for one origin or urls for several

      error[ERR_CONFIG_CONFLICT]: both url and urls are written
       --> connector.yaml:3:3  services.both
        |
      3 |   both: { url: 3000, urls: [ 3001 ] }
        |   ^^^^
        = write url for one origin or urls for several

      error[ERR_CONFIG_CONFLICT]: tcp:// origins are mixed with others
       --> connector.yaml:4:12  services.mixed.urls
        |
      4 |   mixed: { urls: [ "http://127.0.0.1:1", "tcp://127.0.0.1:2" ] }
        |            ^^^^
        = make two services of them

      error[ERR_CONFIG_CONFLICT]: health checks are HTTP requests, and no origin of this service speaks HTTP
       --> connector.yaml:5:37  services.ssh.healthCheck
        |
      5 |   ssh: { url: "tcp://127.0.0.1:22", healthCheck: { path: / } }
        |                                     ^^^^^^^^^^^
        = remove healthCheck

      error[ERR_CONFIG_REFERENCED_FILE]: the file cannot be read (ENOENT)
       --> connector.yaml:6:37  services.ca.ca
        |
      6 |   ca: { url: https://wiki.internal, ca: { file: absent.pem } }
        |                                     ^^
        = check the path (relative ones start at the configuration's folder) and its permissions

      error[ERR_CONFIG_SECRET]: the environment variable UNSET is not set
       --> connector.yaml:7:44  services.token.setRequestHeaders.Authorization
        |
      7 |   token: { url: 3000, setRequestHeaders: { Authorization: { env: UNSET } } }
        |                                            ^^^^^^^^^^^^^
        = set it for this process, or refer to a file

      6 errors"
    `);
  });

  test("warnings do not stop a configuration", () => {
    expect(
      shown(`admin: { address: "0.0.0.0:9091" }
services:
  wiki: { url: https://wiki.internal, insecureSkipVerify: true }
  plain: { url: http://127.0.0.1:1, serverName: a.b }
`),
    ).toMatchInlineSnapshot(`
      "warning[ERR_CONFIG_INSECURE]: metrics and health have no sign-in and are not on loopback
       --> connector.yaml:1:19  admin.address
        |
      1 | admin: { address: "0.0.0.0:9091" }
        |                   ^^^^^^^^^^^^^^
        = use 127.0.0.1, or make sure that only your monitoring reaches this address

      warning[ERR_CONFIG_INSECURE]: the origin's certificate is not verified
       --> connector.yaml:3:59  services.wiki.insecureSkipVerify
        |
      3 |   wiki: { url: https://wiki.internal, insecureSkipVerify: true }
        |                                                           ^^^^
        = give its authority with ca, or the name in its certificate with serverName

      warning[ERR_CONFIG_CONFLICT]: serverName has no effect: no origin of this service is https://
       --> connector.yaml:4:49  services.plain.serverName
        |
      4 |   plain: { url: http://127.0.0.1:1, serverName: a.b }
        |                                                 ^^^
        = remove it, or write https://

      0 errors, 3 warnings"
    `);
  });

  test.each<[string, string]>([
    ["", "ERR_CONFIG_TYPE"],
    ["[]", "ERR_CONFIG_TYPE"],
    ["relay: https://a.example", "ERR_CONFIG_MISSING_KEY"],
    ["services: {}", "ERR_CONFIG_VALUE"],
    ["services: { a: 3000 }\nservices: { a: 3000 }", "ERR_CONFIG_DUPLICATE_KEY"],
    ["services: { a: &x { url: *x } }", "ERR_CONFIG_ALIAS"],
    ["services: { a: 3000", "ERR_CONFIG_SYNTAX"],
    ["connections: 0\nservices: { a: 3000 }", "ERR_CONFIG_VALUE"],
    ["connections: 17\nservices: { a: 3000 }", "ERR_CONFIG_VALUE"],
    ["credential: { file: a, env: B }\nservices: { a: 3000 }", "ERR_CONFIG_VALUE"],
    ["proxy: http://user:word@proxy:1\nservices: { a: 3000 }", "ERR_CONFIG_SECRET"],
    ["services: { a: { url: 3000, setRequestHeaders: { Host: x } } }", "ERR_CONFIG_VALUE"],
    ["services: { a: { url: 3000, setRequestHeaders: { X-A: [1] } } }", "ERR_CONFIG_VALUE"],
    ["services: { a: { url: 3000, stripPrefix: app } }", "ERR_CONFIG_VALUE"],
    ["services: { a: { url: 3000, healthCheck: {} } }", "ERR_CONFIG_MISSING_KEY"],
    ['services: { a: { url: "tcp://127.0.0.1:1", http2: true } }', "ERR_CONFIG_CONFLICT"],
    ["services: { a: file:/etc/passwd }", "ERR_CONFIG_VALUE"],
    ["services: { a: http://user:word@host }", "ERR_CONFIG_VALUE"],
    ["services: { __proto__: 3000 }", "ERR_CONFIG_SYNTAX"],
  ])("%j with %s", (text, code) => {
    const result = parse(text);
    expect(result.kind === "refused" ? result.problems.map((problem) => problem.code) : "accepted").toContain(code);
  });

  test("no message repeats a value of the file", () => {
    const text =
      'proxy: http://user:hunter2@proxy:1\nservices: { a: { url: http://user:hunter2@host, setRequestHeaders: { X: "hunter2\\n" } } }';
    expect(shown(text)).not.toContain("hunter2");
  });

  test("a file that is no YAML is told once, with the line, and without the secrets in it", () => {
    const text = "services:\n  wiki:\n    url: 3000\n    setRequestHeaders:\n      Authorization: Bearer hunter2\n    hostHeader: [\n";
    expect(shown(text)).toMatchInlineSnapshot(`
      "error[ERR_CONFIG_SYNTAX]: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]
       --> connector.yaml:6:18
        |
      6 |     hostHeader: [
        |                  ^
        = align this line with its neighbours: keys of one mapping start in one column

      1 error"
    `);
    expect(parse(text).lines.join()).not.toContain("hunter2");
    expect(parse("services: { a: { url: 1, setRequestHeaders: { Authorization: hunter2 }").lines.join()).not.toContain("hunter2");
  });

  test("a file that is not there, with what to do", () => {
    const result = loadConfig(join(folder, "absent.yaml"), {});
    expect(result).toMatchObject({ kind: "refused", problems: [{ code: "ERR_CONFIG_FILE", remedy: expect.stringContaining("--config") }] });
  });
});
