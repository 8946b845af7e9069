import { describe, expect, it } from "vitest";
import type { PolicyConfig, Selector } from "../config/policy-types.ts";
import { DecisionCache, decisionKey } from "./decision-cache.ts";
import { parseIp } from "./ip.ts";
import { application, facts, NEW_YEAR_MS, person, policy } from "./testing.ts";

const requiring = (...selectors: readonly Selector[]): PolicyConfig => policy("p", "allow", { require: selectors });
const ann = person();

describe("the key of a decision", () => {
  const visit = facts({ identity: ann, ip: parseIp("192.0.2.1"), method: "HEAD", nowMs: NEW_YEAR_MS + 59_999 });

  it.each<readonly [string, readonly Selector[], string | undefined]>([
    ["is empty when the identity alone decides", [{ emailDomain: "example.com" }], ""],
    ["holds the method as rules see it", [{ method: "GET" }], "GET"],
    ["holds the address for address and country", [{ ip: "192.0.2.0/24" }, { country: "DE" }], "|192.0.2.1"],
    ["holds the minute for time windows", [{ timeWindow: { timezone: "UTC", from: "08:00" } }], `|${NEW_YEAR_MS / 60_000}`],
    ["holds the certificate", [{ clientCertificate: "any" }], "|none"],
    ["is none when an evaluator outside is asked", [{ externalEvaluation: { url: "https://e/", keysUrl: "https://e/" } }], undefined],
  ])("%s", (_title, selectors, key) => {
    expect(decisionKey(application([requiring(...selectors)]), visit)).toBe(key);
  });

  it("is none while nobody is signed in", () => {
    expect(decisionKey(application([requiring({ method: "GET" })]), facts())).toBeUndefined();
  });
});

describe("a decision cache", () => {
  /** Counts evaluations by the look-ups they make. */
  function counting(): {
    readonly visit: (address: string, identity?: typeof ann) => ReturnType<typeof facts>;
    readonly lookups: () => number;
  } {
    let lookups = 0;
    const countryOf = (): string => {
      lookups += 1;
      return "DE";
    };
    return { visit: (address, identity = ann) => facts({ identity, ip: parseIp(address), countryOf }), lookups: () => lookups };
  }

  it("evaluates once per identity, application and key", () => {
    const { visit, lookups } = counting();
    const cache = new DecisionCache();
    const [first, second] = [application([requiring({ country: "DE" })]), application([requiring({ country: "DE" })])];
    cache.decide(first, visit("192.0.2.1"));
    cache.decide(first, visit("192.0.2.1"));
    expect(lookups()).toBe(1);
    cache.decide(first, visit("192.0.2.2"));
    cache.decide(first, visit("192.0.2.1", person()));
    cache.decide(second, visit("192.0.2.1"));
    expect(lookups()).toBe(4);
  });

  it("forgets what an identity was told after too many different keys", () => {
    const { visit, lookups } = counting();
    const cache = new DecisionCache();
    const app = application([requiring({ country: "DE" })]);
    for (let host = 0; host <= 64; host += 1) cache.decide(app, visit(`192.0.2.${host}`));
    cache.decide(app, visit("192.0.2.64"));
    expect(lookups()).toBe(65);
    cache.decide(app, visit("192.0.2.0"));
    expect(lookups()).toBe(66);
  });

  it("does not remember that an evaluation failed", () => {
    const cache = new DecisionCache();
    const app = application([requiring({ country: "DE" })]);
    const failing = facts({
      identity: ann,
      countryOf: () => {
        throw new Error("database closed");
      },
    });
    expect(cache.decide(app, failing).reason).toBe("evaluator-error");
    expect(cache.decide(app, facts({ identity: ann, countryOf: () => "DE" })).outcome).toBe("allow");
  });
});
