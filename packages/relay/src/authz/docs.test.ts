// docs/policies.md is for administrators: what it shows must be what the relay takes and says.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { groupsSchema, policiesSchema, policyTestsSchema, SELECTOR_KINDS, selectorSchema } from "../config/policy-schema.ts";
import type { GroupConfig, PolicyConfig, PolicyTestConfig } from "../config/policy-types.ts";
import { MAX_GROUP_DEPTH } from "./group-graph.ts";
import { evaluate } from "./evaluate.ts";
import { visitorFacts } from "./policy-tests.ts";
import { REASON_CODES } from "./reasons.ts";
import { application, NEW_YEAR_MS } from "./testing.ts";

const text = readFileSync(new URL("../../../../docs/policies.md", import.meta.url), "utf8");
const blocks: readonly unknown[] = [...text.matchAll(/```yaml\n(.*?)```/gs)].map((match): unknown => parse(match[1] ?? ""));
const selectors = blocks.filter((block): block is unknown[] => Array.isArray(block)).flat();
const documents = blocks.filter(
  (block): block is Record<string, unknown> => typeof block === "object" && block !== null && !Array.isArray(block),
);

describe("docs/policies.md", () => {
  it("has an example of every selector", () => {
    const shown = new Set(selectors.flatMap((selector) => Object.keys(selector as object)));
    expect(SELECTOR_KINDS.filter((kind) => !shown.has(kind))).toEqual([]);
  });

  it.each(selectors.map((selector) => [JSON.stringify(selector), selector]))("shows %s as the relay takes it", (_title, selector) => {
    expect(selectorSchema.safeParse(selector).error?.issues).toBeUndefined();
  });

  it("shows groups, policies and tests as the relay takes them", () => {
    expect(documents.length).toBeGreaterThan(2);
    for (const document of documents) {
      expect(groupsSchema.safeParse(document["groups"]).error?.issues).toBeUndefined();
      expect(policiesSchema.safeParse(document["policies"]).error?.issues).toBeUndefined();
      expect(policyTestsSchema.safeParse(document["tests"]).error?.issues).toBeUndefined();
    }
  });

  it("promises tests that hold for its first example", () => {
    const [first] = documents;
    const tests = documents.flatMap((document) => policyTestsSchema.parse(document["tests"]) as readonly PolicyTestConfig[]);
    const groups = groupsSchema.parse(first?.["groups"]) as readonly GroupConfig[];
    const app = application(policiesSchema.parse(first?.["policies"]) as readonly PolicyConfig[], groups);
    const options = { countryOf: () => undefined, nowMs: NEW_YEAR_MS, defaultProvider: "corp" };
    for (const { as, request, expect: outcome, policy } of tests) {
      const decision = evaluate(app, visitorFacts(as, request.split(" ")[0] ?? "", options));
      expect([request, decision.outcome, policy ?? decision.policy]).toEqual([request, outcome, decision.policy]);
    }
  });

  it("lists every reason code, and no other", () => {
    const table = text.slice(text.indexOf("## Reason codes"), text.indexOf("## What `check` finds"));
    expect([...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1] ?? "").toSorted()).toEqual([...REASON_CODES].toSorted());
  });

  it("names the depth to which groups may nest", () => {
    expect(text).toContain(`(up to ${MAX_GROUP_DEPTH} levels)`);
  });
});
