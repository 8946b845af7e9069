import { describe, expect, it } from "vitest";
import type { GroupConfig, PolicyConfig, PolicyTestConfig } from "../config/policy-types.ts";
import { MAX_GROUP_DEPTH } from "./group-graph.ts";
import { lintPolicies, type LintInput } from "./lint.ts";
import { policy } from "./testing.ts";

interface File {
  readonly groups?: readonly GroupConfig[];
  readonly policies?: readonly PolicyConfig[];
  readonly applications?: readonly { readonly name: string; readonly policies: readonly string[] }[];
  readonly tests?: readonly PolicyTestConfig[];
}

/** All policies in one application unless the file says otherwise, so that only what a test is about is found. */
function input(file: File, overrides: Partial<LintInput> = {}): LintInput {
  const { groups = [], policies = [], tests = [] } = file;
  const applications = file.applications ?? [{ name: "app", policies: policies.map(({ name }) => name) }];
  const placed = <T>(section: string, values: readonly T[]) => values.map((value, index) => ({ value, path: [section, index] }));
  return {
    groups: placed("groups", groups),
    policies: placed("policies", policies),
    applications: placed("applications", applications),
    tests: placed("tests", tests),
    groupNames: new Set(groups.map(({ name }) => name)),
    policyNames: new Set(policies.map(({ name }) => name)),
    providerNames: new Set(["corp"]),
    hasGeoip: true,
    serviceTokenNames: undefined,
    ...overrides,
  };
}

const found = (file: File, overrides: Partial<LintInput> = {}): readonly string[] =>
  lintPolicies(input(file, overrides)).map(({ severity, path, message }) => `${severity} ${path.join(".")}: ${message}`);

const people = policy("people", "allow", { include: [{ emailDomain: "example.com" }] });

describe("lint finds nothing", () => {
  it("in policies of every action that make sense", () => {
    const groups: readonly GroupConfig[] = [
      { name: "engineering", include: [{ identityGroup: "eng" }, { email: "ops@example.com" }] },
      { name: "office", include: [{ ip: "192.0.2.0/24" }] },
    ];
    const policies = [
      policy(
        "engineers",
        "allow",
        {
          include: [{ group: "engineering" }],
          require: [{ country: "DE" }, { authMethod: "mfa" }],
          exclude: [{ email: "intern@example.com" }],
        },
        3_600_000,
      ),
      policy("ci", "service", { include: [{ serviceToken: "deploy-bot" }], require: [{ group: "office" }] }),
      policy("status", "bypass", { include: [{ everyone: true }], require: [{ method: "GET" }] }),
      policy("embargo", "deny", { include: [{ country: ["KP", "SY"] }, { email: "eve@example.com" }] }),
    ];
    expect(found({ groups, policies })).toEqual([]);
  });
});

describe("lint finds unknown names", () => {
  it.each([
    ["group", policy("p", "allow", { include: [{ group: "nobody" }] }), 'error policies.0.include.0.group: there is no group "nobody"'],
    [
      "identity provider",
      policy("p", "allow", { require: [{ identityProvider: "git" }] }),
      'error policies.0.require.0.identityProvider: there is no identity provider "git"',
    ],
  ])("of a %s", (_title, one, message) => {
    expect(found({ policies: [one] })).toEqual([message]);
  });

  it("of service tokens, where the state is open, as a warning", () => {
    const policies = [policy("p", "service", { include: [{ serviceToken: "bot" }] })];
    expect(found({ policies }, { serviceTokenNames: new Set() })).toEqual([
      'warning policies.0.include.0.serviceToken: there is no service token "bot" yet',
    ]);
    expect(found({ policies }, { serviceTokenNames: new Set(["bot"]) })).toEqual([]);
    expect(found({ policies })).toEqual([]);
  });

  it("but not of definitions that are there and broken", () => {
    const policies = [policy("p", "allow", { include: [{ group: "broken" }] })];
    expect(found({ policies }, { groupNames: new Set(["broken"]) })).toEqual([]);
  });

  it("in tests", () => {
    const test: PolicyTestConfig = {
      as: { provider: "git" },
      request: "GET https://x/",
      expect: "deny",
      policy: "nope",
      reason: "because",
    };
    const messages = found({ policies: [people], tests: [test] });
    expect(messages).toEqual([
      'error tests.0.policy: there is no policy "nope"',
      'error tests.0.as.provider: there is no identity provider "git"',
      'error tests.0.reason: there is no reason code "because"',
    ]);
  });
});

it("lint finds an evaluator that is written in two ways, through groups too", () => {
  const evaluator = (keysUrl: string) => ({ externalEvaluation: { url: "https://a.example/ask", keysUrl } });
  const groups: readonly GroupConfig[] = [{ name: "asked", include: [evaluator("https://a.example/keys")] }];
  const policies = [
    policy("p", "allow", { include: [{ group: "asked" }] }),
    policy("q", "allow", { require: [evaluator("https://a.example/keys")], exclude: [evaluator("https://evil.example/keys")] }),
  ];
  expect(found({ groups, policies })).toEqual([
    "error policies.1.exclude.0.externalEvaluation: the same evaluator has other settings elsewhere in the file",
  ]);
});

describe("lint finds groups", () => {
  const group = (name: string, ...others: readonly string[]): GroupConfig => ({
    name,
    include: others.length === 0 ? [{ everyone: true }] : others.map((other) => ({ group: other })),
  });

  it("that contain themselves, and those that lead there", () => {
    const groups = [group("a", "b"), group("b", "c", "a"), group("c"), group("d", "a")];
    const messages = found({ groups, policies: [policy("p", "allow", { include: [{ group: "d" }] })] });
    expect(messages).toEqual([
      "error groups.0.name: group a contains itself",
      "error groups.1.name: group b contains itself",
      "error groups.3.name: group d leads to a group that contains itself",
    ]);
  });

  it("that nest deeper than they may", () => {
    const chain = (length: number): readonly GroupConfig[] =>
      Array.from({ length }, (_, index) => (index === 0 ? group("g0") : group(`g${index}`, `g${index - 1}`)));
    const using = (length: number): File => ({
      groups: chain(length),
      policies: [policy("p", "allow", { include: [{ group: `g${length - 1}` }] })],
    });
    expect(found(using(MAX_GROUP_DEPTH))).toEqual([]);
    expect(found(using(MAX_GROUP_DEPTH + 1))).toEqual([`error groups.${MAX_GROUP_DEPTH}.name: group g${MAX_GROUP_DEPTH} nests too deep`]);
  });

  it("in long chains without exhausting the stack", () => {
    const groups = Array.from({ length: 10_000 }, (_, index) => group(`g${index}`, `g${(index + 1) % 10_000}`)).slice(0, 9_999);
    expect(found({ groups }).length).toBeGreaterThan(9_000);
  });
});

describe("lint finds selectors that cannot work with an action:", () => {
  it.each([
    [
      "a service token in an allow policy",
      policy("p", "allow", { include: [{ email: "a@example.com" }, { serviceToken: "bot" }] }),
      "error policies.0.include.1.serviceToken: an allow policy is for people: a service token never matches it",
    ],
    [
      "a person in a service policy",
      policy("p", "service", { include: [{ serviceToken: "bot" }, { email: "a@example.com" }] }),
      "error policies.0.include.1.email: a service token has no email: this never matches",
    ],
    [
      "a person in a bypass policy",
      policy("p", "bypass", { include: [{ ip: "192.0.2.1" }], exclude: [{ email: "a@example.com" }] }),
      "error policies.0.exclude.0.email: bypass is decided before anybody signs in, so email cannot be known",
    ],
    [
      "an evaluator in a bypass policy",
      policy("p", "bypass", { include: [{ externalEvaluation: { url: "https://e/", keysUrl: "https://e/" } }] }),
      "error policies.0.include.0.externalEvaluation: an external evaluator is asked about somebody who signed in, which bypass does not wait for",
    ],
    [
      "a session length in a deny policy",
      policy("p", "bypass", {}, 3_600_000),
      "error policies.0.sessionDuration: a session length has no effect with action bypass",
    ],
    [
      "everyone in a service policy",
      policy("p", "service", {}),
      "warning policies.0.include.0.everyone: with action service, everyone is every valid service token",
    ],
  ])("%s", (_title, one, message) => {
    expect(found({ policies: [one] })).toEqual([message]);
  });

  it("a person behind two groups in a bypass policy", () => {
    const groups: readonly GroupConfig[] = [
      { name: "outer", include: [{ group: "inner" }] },
      { name: "inner", include: [{ ip: "192.0.2.1" }], exclude: [{ email: "a@example.com" }] },
    ];
    const policies = [policy("p", "bypass", { include: [{ group: "outer" }] })];
    expect(found({ groups, policies })).toEqual([
      "error policies.0.include.0.group: bypass is decided before anybody signs in, and group outer asks who it is",
    ]);
  });

  it("a country without a geo database", () => {
    const policies = [policy("p", "allow", { require: [{ country: "DE" }] })];
    expect(found({ policies }, { hasGeoip: false })).toEqual([
      "error policies.0.require.0.country: without a geo database every country is unknown",
    ]);
  });

  it("a block that is a whole address family", () => {
    const policies = [policy("p", "deny", { include: [{ ip: ["192.0.2.0/24", "0.0.0.0/0"] }] }), people];
    expect(found({ policies })).toEqual(["warning policies.0.include.0.ip.1: 0.0.0.0/0 is every IPv4 address, and no IPv6 address"]);
  });
});

describe("lint finds policies that can never match:", () => {
  it.each([
    ["two countries at once", { require: [{ country: ["DE", "FR"] }, { country: "US" }] }],
    ["two addresses of one person", { require: [{ email: "a@example.com" }, { email: "b@example.com" }] }],
    [
      "all that is included is excluded",
      { include: [{ identityGroup: "eng" }], exclude: [{ email: "a@example.com" }, { identityGroup: "eng" }] },
    ],
    ["everyone is excluded", { include: [{ identityGroup: "eng" }], exclude: [{ everyone: true as const }] }],
    ["a group of programs alone", { include: [{ group: "bots" }] }],
  ])("%s", (_title, rules) => {
    const groups: readonly GroupConfig[] = [{ name: "bots", include: [{ serviceToken: "bot" }] }];
    const messages = found({ groups, policies: [people, policy("p", "allow", rules)] }).filter((message) => !message.includes("not used"));
    expect(messages).toEqual(["warning policies.1.name: policy p can never match"]);
  });

  it("not the same country twice, nor different groups of one person", () => {
    const one = policy("p", "allow", {
      require: [{ country: ["DE", "FR"] }, { country: "DE" }, { identityGroup: "a" }, { identityGroup: "b" }],
    });
    expect(found({ policies: [one] })).toEqual([]);
  });
});

describe("lint finds applications that nobody can open:", () => {
  it.each([
    ["without policies", [], "application app has no policies: everybody is denied"],
    [
      "with a deny policy for everyone",
      [people, policy("stop", "deny", {})],
      "policy stop denies everybody: nobody can open application app",
    ],
    ["with deny policies only", [policy("stop", "deny", { include: [{ country: "DE" }] })], "no policy of application app lets anybody in"],
  ])("%s", (_title, policies, message) => {
    expect(found({ policies })).toEqual([`warning applications.0.name: ${message}`]);
  });

  it("but not those with a policy that has a mistake of its own", () => {
    expect(found({ applications: [{ name: "app", policies: ["broken"] }] })).toEqual([]);
  });
});

it("lint finds policies and groups that nothing uses", () => {
  const file: File = {
    groups: [{ name: "g", include: [{ everyone: true }] }],
    policies: [people, policy("spare", "bypass", {})],
    applications: [{ name: "app", policies: ["people"] }],
  };
  expect(found(file)).toEqual(["warning policies.1.name: policy spare is not used", "warning groups.0.name: group g is not used"]);
});

it("every finding says what to do", () => {
  const file: File = {
    groups: [{ name: "a", include: [{ group: "a" }] }],
    policies: [policy("p", "service", {}), policy("q", "bypass", { include: [{ email: "a@example.com" }] })],
    applications: [],
  };
  const findings = lintPolicies(input(file));
  expect(findings.length).toBeGreaterThan(3);
  expect(findings.filter(({ remedy }) => remedy.length < 10)).toEqual([]);
});
