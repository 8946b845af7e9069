import { beforeEach, describe, expect, test } from "vitest";
import { type ActiveExchange, ActiveExchanges } from "./active.ts";

let active: ActiveExchanges<ActiveExchange>;

function begin(tunnel: string, party: string, count = 1): ActiveExchange[] {
  return Array.from({ length: count }, () => {
    const exchange = { place: undefined, tunnel, party, revoke: () => {} };
    active.add(exchange);
    return exchange;
  });
}

/** As many as are admitted, one after the other. */
function fill(tunnel: string, party: string): ActiveExchange[] {
  const begun: ActiveExchange[] = [];
  while (active.admits(tunnel, party)) begun.push(...begin(tunnel, party));
  return begun;
}

beforeEach(() => {
  active = new ActiveExchanges({ maxStreamsPerTunnel: 100, maxStreamsPerIdentity: 80 });
});

describe("R-L7: exchanges under way", () => {
  test("are bounded for one party, whatever tunnels they use", () => {
    active.limits = { maxStreamsPerTunnel: 100, maxStreamsPerIdentity: 10 };
    begin("office", "a", 6);
    begin("lab", "a", 4);
    expect([active.admits("office", "a"), active.admits("lab", "a"), active.admits("office", "b")]).toEqual([false, false, true]);
  });

  test("are bounded for a tunnel, and another tunnel does not notice", () => {
    for (let i = 0; i < 10; i++) begin("office", `p${i}`, 10);
    expect([active.admits("office", "new"), active.admits("lab", "new")]).toEqual([false, true]);
  });

  test("of one greedy party never take the last quarter of a tunnel from the others", () => {
    expect(fill("office", "greedy")).toHaveLength(75);
    expect(fill("office", "modest").length).toBe(25);
    expect(active.size).toBe(100);
  });

  test("that many parties want are shared out evenly at the end", () => {
    begin("office", "greedy", 75);
    for (let round = 0; round < 100; round++) {
      for (const party of ["b", "c", "d", "e", "f"]) if (active.admits("office", party)) begin("office", party);
    }
    const counts = ["b", "c", "d", "e", "f"].map((party) => [...active].filter((exchange) => exchange.party === party).length);
    expect(counts).toEqual([5, 5, 5, 5, 5]);
  });

  test("make room when they end, once each", () => {
    const [first, ...others] = fill("office", "a");
    expect(active.admits("office", "a")).toBe(false);
    active.remove(first as ActiveExchange);
    active.remove(first as ActiveExchange);
    begin("office", "a");
    expect(active.admits("office", "a")).toBe(false);
    for (const exchange of others) active.remove(exchange);
    expect(active.size).toBe(1);
  });
});
