import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { diffConfigs } from "./diff.ts";
import type { LoadResult } from "./load.ts";
import { optionRows } from "./option-tables.ts";
import { ConfigFolder, geoDatabase } from "./test-support.ts";

// R-J5: an option that is accepted and does nothing is a lie. Here each documented option is changed by itself, and what
// the relay would run on must change with it; below, each value that the relay runs on must be read somewhere.

const BASE = `
authUrl: https://auth.example.com
listen: [ { address: "127.0.0.1:443", tls: { cert: { file: a.crt }, key: { file: a.key } } }, { address: "127.0.0.1:80" } ]
admin: { address: "127.0.0.1:9090" }
state: ./data
geoip: { file: a.mmdb }
identityProviders:
  - { type: oidc, name: corp, issuer: https://idp.example.com, clientId: id, clientSecret: { env: ONE } }
  - { type: one-time-pin, name: pin, smtp: { url: { env: ONE }, from: a@example.com } }
  - { type: github, name: hub, clientId: id, clientSecret: { env: ONE } }
tunnels: [ { name: office }, { name: home } ]
groups: [ { name: staff, include: [ { emailDomain: example.com } ] } ]
policies: [ { name: one, action: allow, include: [ { group: staff } ] }, { name: two, action: deny, include: [ { ip: 10.0.0.0/8 } ] } ]
applications: [ { name: web, hostname: web.example.com, tunnel: office, service: web, policies: [ one, two ], originBasicAuth: { user: door, password: { env: ONE } }, clientCertificates: { ca: { file: a.crt } } } ]
tests: [ { as: { email: ann@example.com, provider: corp, ip: 192.0.2.1 }, request: GET https://web.example.com/, expect: allow } ]
`;

/** A value that differs from the one in BASE, by option. */
const CHANGES: Readonly<Record<string, unknown>> = {
  authUrl: "https://login.example.com",
  "listen[].address": "127.0.0.1:8443",
  "listen[].tls.cert": { file: "b.crt" },
  "listen[].tls.key": { file: "b.key" },
  "listen[].redirectToHttps": true,
  "listen[].proxyProtocol": true,
  "admin.address": "127.0.0.1:9191",
  state: "./other",
  trustedProxies: ["10.0.0.0/8"],
  geoip: { file: "b.mmdb" },
  "identityProviders[].type": "github",
  "identityProviders[].name": "other",
  "identityProviders[].issuer": "https://other.example.com",
  "identityProviders[].clientId": "other",
  "identityProviders[].clientSecret": { env: "TWO" },
  "identityProviders[].label": "Other",
  "identityProviders[].preset": "okta",
  "identityProviders[].scopes": ["openid"],
  "identityProviders[].groupsClaim": "roles",
  "identityProviders[].algorithms": ["RS256"],
  "identityProviders[].emailVerified": "assumed",
  "identityProviders[].authorizationParameters": { prompt: "login" },
  "identityProviders[].allowPrivateNetwork": true,
  "identityProviders[].url": "https://github.example.com",
  "identityProviders[].delivery": "terminal",
  "identityProviders[].recipients": ["example.com"],
  "identityProviders[].smtp.url": { env: "TWO" },
  "identityProviders[].smtp.from": "b@example.com",
  "identityProviders[].smtp.tls": "if-offered",
  "tunnels[].name": "other",
  "groups[].name": "other",
  "groups[].include": [{ emailDomain: "example.org" }],
  "groups[].require": [{ authMethod: "mfa" }],
  "groups[].exclude": [{ email: "bob@example.com" }],
  "policies[].name": "other",
  "policies[].action": "deny",
  "policies[].include": [{ email: "ann@example.com" }],
  "policies[].require": [{ authMethod: "mfa" }],
  "policies[].exclude": [{ email: "bob@example.com" }],
  "policies[].sessionDuration": "1h",
  "applications[].name": "other",
  "applications[].hostname": "other.example.com",
  "applications[].path": "/x",
  "applications[].tunnel": "home",
  "applications[].service": "other",
  "applications[].policies": ["two"],
  "applications[].serviceTokens.basic": true,
  "applications[].serviceTokens.jsonHeader": "Authorization",
  "applications[].keepUnderscoreHeaders": true,
  "applications[].limits.maxRequestBody": "1MB",
  "applications[].sessionDuration": "1h",
  "applications[].idleTimeout": "1h",
  "applications[].allowedOrigins": ["https://app.example.com"],
  "applications[].cors.preflight": "forward",
  "applications[].cors.methods": ["GET"],
  "applications[].cors.headers": ["X-Test"],
  "applications[].cors.maxAge": "1m",
  "applications[].sameSite": "none",
  "applications[].frameAncestors": ["https://app.example.com"],
  "applications[].identityHeaders.preset": "remote",
  "applications[].identityHeaders.headers": { "X-WebAuth-User": "user" },
  "applications[].originBasicAuth.user": "other",
  "applications[].originBasicAuth.password": { env: "TWO" },
  "applications[].clientCertificates.ca": [{ file: "b.crt" }, { file: "c.crt" }],
  "applications[].clientCertificates.crl": { file: "c.crl" },
  "applications[].compatibility": "cloudflare-access",
  "applications[].accessAudience": "ab".repeat(32),
  "tests[].as.email": "ann@example.org",
  "tests[].as.groups": ["eng"],
  "tests[].as.authMethods": ["mfa"],
  "tests[].as.claims": { department: "sales" },
  "tests[].as.provider": "pin",
  "tests[].as.serviceToken": "bot",
  "tests[].as.ip": "10.0.0.1",
  "tests[].as.country": "DE",
  "tests[].as.time": "2026-01-01T00:00:00Z",
  "tests[].as.clientCertificate.commonName": "ci",
  "tests[].as.clientCertificate.subjectAlternativeNames": ["dns:ci.example.com"],
  "tests[].as.clientCertificate.fingerprint": "ab".repeat(32),
  "tests[].as.external": { "https://door.example.com/ask": true },
  "tests[].request": "GET https://nowhere.example.com/",
  "tests[].expect": "deny",
  "tests[].policy": "two",
  "tests[].reason": "bypassed",
  "limits.url": "4KB",
  "limits.headers": "8KB",
  "limits.headerFields": 50,
  "limits.headerTimeout": "5s",
  "limits.keepAliveTimeout": "5s",
  "limits.requestBodyIdle": "5s",
  "limits.connections": 5,
  "limits.connectionsPerAddress": 5,
  "limits.streamsPerConnection": 5,
  "limits.streamsPerTunnel": 5,
  "limits.streamsPerIdentity": 5,
  "sessions.duration": "1h",
  "sessions.idleTimeout": "1h",
  "sessions.claimsMaxAge": "5m",
  "pages.name": "Example Ltd",
  "pages.logo": { file: "a.svg" },
  "pages.accent": "#7a1fa2",
  "pages.contact": "mailto:help@example.com",
  "pages.texts.signIn": "Use your account.",
  "pages.texts.denied": "Ask your manager.",
  "pages.texts.footer": "Example Ltd",
  "records.folder": "./elsewhere",
  "records.fileSize": "1MB",
  "records.totalSize": "20MB",
  "records.maxAge": "1d",
  "records.onWriteFailure": "allow",
};

let folder: ConfigFolder;
beforeAll(() => {
  folder = new ConfigFolder();
  for (const name of ["a", "b"]) folder.certificate(name, ["*.example.com"]);
  folder.authority("c");
  folder.revocationList("c", "c.crl");
  folder.write("a.mmdb", geoDatabase());
  folder.write("a.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
  folder.write("b.mmdb", geoDatabase("GeoIP2-Country"));
  Object.assign(folder.env, { ONE: "one", TWO: "two" });
});
afterAll(() => folder[Symbol.dispose]());

/** Options that hold no others. */
function leaves(): readonly string[] {
  const paths = optionRows().map(({ path }) => path);
  return paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`) || other.startsWith(`${path}[]`)));
}

/** Sets an option in the first entry of each list, except where that entry is of another kind. */
function changed(path: string, value: unknown): string {
  const document = parse(BASE) as Record<string, unknown>;
  const steps = path.replaceAll("[]", ".[]").split(".");
  let node: Record<string, unknown> = document;
  for (const step of steps.slice(0, -1)) {
    const child = step === "[]" ? (node as unknown as Record<string, unknown>[])[entryFor(path)] : (node[step] ??= {});
    node = child as Record<string, unknown>;
  }
  node[steps.at(-1) as string] = value;
  return stringify(document);
}

function entryFor(path: string): number {
  if (/^identityProviders\[\]\.(?:smtp|delivery|recipients)/.test(path)) return 1;
  if (path === "identityProviders[].url") return 2;
  return path === "listen[].redirectToHttps" ? 1 : 0;
}

test("every documented option is in the table (R-J5)", () => {
  expect(Object.keys(CHANGES).toSorted()).toEqual(leaves().toSorted());
});

test.each(Object.entries(CHANGES))("%s makes a difference (R-J5)", async (path, value) => {
  const before = await folder.load(BASE);
  if (!before.ok) throw new Error(JSON.stringify(before.problems));
  const after: LoadResult = await folder.load(changed(path, value));
  // Some changes make the file contradict itself (a renamed tunnel): being refused is an effect as well.
  expect(after.ok ? diffConfigs(before.config, after.config).totalChanges : 1).toBeGreaterThan(0);
  const key = path.split(".").at(-1) ?? "";
  expect(
    after.ok ? [] : after.problems.filter((problem) => problem.code === "ERR_CONFIG_UNKNOWN_KEY" && problem.path.endsWith(key)),
  ).toEqual([]);
});

describe("what the relay runs on is read outside of the configuration", () => {
  const source = new URL("..", import.meta.url).pathname;
  const code = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("config/"))
    .map((file) => readFileSync(join(source, file), "utf8"))
    .join("\n");
  /** Arrives with sign-in, and `check` says so. */
  const LATER = ["identityProviders"];

  test("every key", async () => {
    const result = await folder.load(BASE);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const { source: _source, ...config } = result.config;
    const keys = new Set<string>();
    const collect = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(collect);
      else if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
        for (const [key, inner] of Object.entries(value).filter(([name]) => !LATER.includes(name))) {
          keys.add(key);
          collect(inner);
        }
      }
    };
    collect(config);
    // For messages about the configuration itself, not for running.
    for (const key of ["certificateFile", "privateKeyFile", "fingerprint", "hash", "expiresAt"]) keys.delete(key);
    expect([...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(code))).toEqual([]);
  });
});
