// Fuzz targets of what is decided by: configuration files, the policies in them, and signed tokens (R-G, R-N). No text ends the
// loading with anything else than a result; what loads decides, and denying everybody denies; no token is believed but the issued.

import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@sallyport/connector/config/load";
import { compileApplications } from "@sallyport/relay/authz/compile";
import { evaluate } from "@sallyport/relay/authz/evaluate";
import { explain } from "@sallyport/relay/authz/explain";
import { facts, person, policy, service } from "@sallyport/relay/authz/testing";
import { loadConfig } from "@sallyport/relay/config/load";
import { systemClock } from "@sallyport/shared/clock";
import { parseConfigText } from "@sallyport/shared/config/text";
import { MAX_JWS_LENGTH, verifyJws } from "@sallyport/shared/jws";
import { latin1, promise, type FuzzTarget } from "./target.ts";

const RELAY_YAML = `authUrl: https://auth.example.com
listen: [{ address: "127.0.0.1:8080" }]
state: ./data
tunnels: [{ name: office }]
groups:
  - { name: eng, include: [{ identityGroup: eng }, { email: ops@example.com }] }
policies:
  - { name: open, action: bypass, include: [{ everyone: true }], require: [{ method: [GET] }] }
  - { name: staff, action: allow, include: [{ group: eng }, { emailDomain: example.com }], exclude: [{ email: eve@example.com }] }
  - { name: robots, action: service, include: [{ serviceToken: robot }], require: [{ ip: 192.0.2.0/24 }] }
  - { name: never, action: deny, include: [{ country: XX }, { ip: 203.0.113.0/24 }] }
applications:
  - { name: wiki, hostname: wiki.example.com, tunnel: office, service: wiki, policies: [open, staff, robots, never] }
  - { name: shop, hostname: "*.example.com", path: /shop, tunnel: office, service: shop, policies: [staff] }
`;
const CONNECTOR_YAML = `relay: https://auth.example.com
credential: { file: office.credential }
services:
  wiki: http://127.0.0.1:3000
  shop: { url: "unix:/run/shop.sock", hostHeader: shop.internal, connectTimeout: 10s }
`;
const YAML_WORDS = [
  "\n  ",
  ": ",
  "- ",
  "{ ",
  " }",
  "[",
  "]",
  "&a ",
  "*a",
  "<<: ",
  "!!binary ",
  "|\n",
  "? ",
  "#",
  "\t",
  "__proto__: ",
  "null",
  "true",
  "~",
  "everyone: true",
  "action: deny",
  "include: []",
  "{ env: HOME }",
  "{ file: /dev/null }",
  "0.0.0.0/0",
  "::/0",
  "%YAML 1.1\n---\n",
];

let folder: string | undefined;
const scratch = (): string => (folder ??= mkdtempSync(join(tmpdir(), "sallyport-fuzz-")));

/** Visitors of every kind. */
const VISITORS = [
  facts(),
  facts({ identity: person() }),
  facts({ identity: person({ email: "eve@example.com", groups: ["eng"] }) }),
  facts({ identity: service("robot"), ip: undefined }),
  facts({ method: "DELETE" }),
];
const DENY_ALL = policy("fuzz-deny-all", "deny", { include: [{ everyone: true }] as never });

const configuration: FuzzTarget = {
  name: "configuration",
  seeds: () => latin1(RELAY_YAML, CONNECTOR_YAML),
  words: YAML_WORDS,
  run(input) {
    const text = input.toString("utf8");
    const parsed = parseConfigText("relay.yaml", text);
    promise(parsed.value !== undefined || parsed.problems.length > 0, "refused without a word");
    for (const problem of parsed.problems) promise(problem.line >= 1 && problem.message !== "", "a problem without a place", problem);
    const loaded = parseConfig("connector.yaml", text, {});
    promise(loaded.kind === "loaded" || loaded.problems.length > 0, "refused without a word");
    promise(({} as Record<string, unknown>)["polluted"] === undefined, "the prototype was changed");
    return `${parsed.value === undefined} ${loaded.kind} ${loaded.kind === "loaded" ? "" : [...new Set(loaded.problems.map(({ code }) => code))].slice(0, 2).join(" ")}`;
  },
};

const policies: FuzzTarget = {
  name: "policies",
  seeds: () => latin1(RELAY_YAML),
  words: YAML_WORDS,
  async run(input) {
    const file = join(scratch(), "relay.yaml");
    writeFileSync(file, input, { mode: 0o600 });
    const loaded = await loadConfig({ file, env: {}, clock: systemClock });
    if (!loaded.ok) {
      promise(loaded.problems.length > 0, "refused without a word");
      return [...new Set(loaded.problems.map(({ code }) => code))].slice(0, 2).join(" ");
    }
    const { groups, applications } = loaded.config;
    const compiled = compileApplications(loaded.config);
    const denied = compileApplications({
      groups,
      policies: [...loaded.config.policies, DENY_ALL],
      applications: applications.map(({ name, policies: names }) => ({ name, policies: [...names, DENY_ALL.name] })),
    });
    const outcomes = new Set<string>();
    for (const { name, policies: names } of applications) {
      for (const visitor of VISITORS) {
        const application = compiled.get(name);
        promise(application !== undefined, "an application was lost", name);
        const { outcome, reason } = evaluate(application, visitor);
        promise(reason !== "evaluator-error", "the evaluator threw", name);
        promise(explain(application, visitor).decision.outcome === outcome, "explained otherwise than decided", name);
        if (names.length === 0) promise(outcome === "deny", "no policy, and not denied", name);
        const other = denied.get(name);
        promise(
          other !== undefined && evaluate(other, visitor).outcome === "deny",
          "everybody is denied, and somebody is not",
          name,
          reason,
        );
        outcomes.add(outcome);
      }
    }
    return [...outcomes].toSorted().join(" ");
  },
};

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const KEYS = new Map([["k1", { alg: "ES256" as const, key: publicKey }]]);
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function issue(header: unknown, payload: unknown): string {
  const signed = `${encoded(header)}.${encoded(payload)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const ISSUED = [
  issue({ alg: "ES256", typ: "fuzz", kid: "k1" }, { sub: "ann", aud: "https://a.example.com", exp: 1 }),
  issue({ alg: "ES256", typ: "fuzz", kid: "k1" }, { sub: "bob" }),
];
const OTHERS = [issue({ alg: "ES256", typ: "other", kid: "k1" }, { sub: "ann" }), issue({ alg: "none", typ: "fuzz", kid: "k1" }, {})];

const tokens: FuzzTarget = {
  name: "tokens",
  seeds: () => latin1(...ISSUED, ...OTHERS),
  words: [
    ".",
    "..",
    "=",
    encoded({ alg: "none", typ: "fuzz", kid: "k1" }),
    encoded({ alg: "HS256", typ: "fuzz", kid: "k1" }),
    encoded({ alg: "ES256", typ: "fuzz", kid: "__proto__" }),
    encoded({ alg: "ES256", typ: "fuzz", kid: "k1", crit: ["b64"], b64: false }),
    encoded({ sub: "root" }),
    Buffer.alloc(64).toString("base64url"),
  ],
  run(input) {
    const token = input.toString("latin1");
    const result = verifyJws(token, "fuzz", KEYS);
    if (!result.ok) {
      promise(!ISSUED.includes(token), "an issued token was refused", token);
      return result.problem;
    }
    promise(token.length <= MAX_JWS_LENGTH && ISSUED.includes(token), "believed, and never issued", token);
    return "issued";
  },
};

export const DECISION_TARGETS: readonly FuzzTarget[] = [configuration, policies, tokens];
