// What sign-in remembers between two requests: used ids, hand-over codes, round trips, bindings, form tokens. Each is bounded.

import { ManualClock } from "@sallyport/shared/clock";
import { describe, expect, it } from "vitest";
import { ensureBinding, isSameBinding, readBinding } from "./binding.ts";
import { HANDOVER_LIFETIME_MS, Handovers } from "./handover.ts";
import { LOOP_WINDOW_MS, LoopGuard, MAX_ROUND_TRIPS } from "./loop-guard.ts";
import { FormTokens, isSameOrigin } from "./same-origin.ts";
import { SingleUse } from "./single-use.ts";

describe("ids are used once (R-F1)", () => {
  it("a second use is refused until the id has expired anyway", () => {
    const clock = new ManualClock();
    const used = new SingleUse(clock);
    expect(used.claim("a", clock.now() + 100, "x")).toBe("claimed");
    expect(used.claim("a", clock.now() + 100, "y")).toBe("used");
    clock.advance(101);
    expect(used.claim("b", clock.now() + 100, "x")).toBe("claimed");
    expect(used.size).toBe(1);
  });

  it("a full memory lets nobody pass rather than forget", () => {
    const clock = new ManualClock();
    const used = new SingleUse(clock, 2);
    const claim = (id: string, source: string): string => used.claim(id, clock.now() + 100, source);
    expect([claim("a", "x"), claim("b", "y"), claim("c", "z")]).toEqual(["claimed", "claimed", "full"]);
    clock.advance(101);
    expect(claim("c", "z")).toBe("claimed");
  });

  it("one source alone fills half of it, more of them share, and others always find room", () => {
    const clock = new ManualClock();
    const used = new SingleUse(clock, 1_000);
    let next = 0;
    const fill = (source: string): number => {
      for (let count = 0; ; count++) if (used.claim(`${next++}`, clock.now() + 100, source) === "full") return count;
    };
    expect([fill("a"), fill("b"), fill("c")]).toEqual([500, 250, 125]);
    expect(used.claim("visitor", clock.now() + 100, "d")).toBe("claimed");
    clock.advance(101);
    expect(fill("b")).toBe(500);
  });
});

describe("hand-over codes (R-H2)", () => {
  const cookie = ensureBinding("https", []).hash;
  const handover = { hostname: "app.example.com", path: "/x", sessionId: "s", binding: cookie };

  it("are good once, on their host, in their browser", () => {
    const handovers = new Handovers(new ManualClock());
    const code = handovers.issue(handover);
    expect(handovers.take(code, "app.example.com", cookie)).toEqual({ kind: "taken", handover });
    expect(handovers.take(code, "app.example.com", cookie).kind).toBe("unknown");
  });

  it("are used up by a try at another host or from another browser", () => {
    const handovers = new Handovers(new ManualClock());
    const [first, second] = [handovers.issue(handover), handovers.issue(handover)];
    expect(handovers.take(first, "other.example.com", cookie).kind).toBe("unknown");
    expect(handovers.take(first, "app.example.com", cookie).kind).toBe("unknown");
    expect(handovers.take(second, "app.example.com", ensureBinding("https", []).hash)).toEqual({ kind: "foreign", path: "/x" });
    expect(handovers.take(second, "app.example.com", cookie).kind).toBe("unknown");
    expect(handovers.take(handovers.issue(handover), "app.example.com", undefined).kind).toBe("foreign");
  });

  it("last half a minute", () => {
    const clock = new ManualClock();
    const handovers = new Handovers(clock);
    const [first, second] = [handovers.issue(handover), handovers.issue(handover)];
    clock.advance(HANDOVER_LIFETIME_MS - 1);
    expect(handovers.take(first, "app.example.com", cookie).kind).toBe("taken");
    clock.advance(1);
    expect(handovers.take(second, "app.example.com", cookie).kind).toBe("unknown");
  });

  it("are bounded: the oldest gives way", () => {
    const handovers = new Handovers(new ManualClock(), 2);
    const codes = [1, 2, 3].map(() => handovers.issue(handover));
    expect(handovers.size).toBe(2);
    expect(codes.map((code) => handovers.take(code, "app.example.com", cookie).kind)).toEqual(["unknown", "taken", "taken"]);
  });
});

describe("the loop guard (R-F1)", () => {
  it("stops the fourth round trip for one URL within a minute", () => {
    const clock = new ManualClock();
    const loops = new LoopGuard(clock);
    for (let trip = 0; trip < MAX_ROUND_TRIPS; trip++) {
      expect(loops.isLooping("b", "u")).toBe(false);
      loops.completed("b", "u");
    }
    expect([loops.isLooping("b", "u"), loops.isLooping("b", "v"), loops.isLooping("c", "u")]).toEqual([true, false, false]);
    clock.advance(LOOP_WINDOW_MS);
    expect(loops.isLooping("b", "u")).toBe(false);
    expect(loops.size).toBe(0);
  });

  it("is bounded", () => {
    const loops = new LoopGuard(new ManualClock(), 10);
    for (let n = 0; n < 50; n++) loops.completed("b", `u${n}`);
    expect(loops.size).toBe(10);
  });
});

describe("the login cookie", () => {
  it("is set where there is none, and stays as it is where there is one", () => {
    const fresh = ensureBinding("https", []);
    expect(fresh.fields[1]).toMatch(/^__Host-Sallyport_Login=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    const cookie = (fresh.fields[1] as string).split(";")[0] as string;
    expect(ensureBinding("https", ["Cookie", cookie])).toEqual({ hash: fresh.hash, fields: [] });
    expect(fresh.hash).toHaveLength(22);
  });

  it("counts as missing when it is malformed or there are two (R-H3)", () => {
    const [a, b] = ["a".repeat(43), "b".repeat(43)];
    expect(readBinding("http", ["Cookie", `Sallyport_Login=${a}`])).toBeDefined();
    expect(readBinding("https", ["Cookie", `Sallyport_Login=${a}`])).toBeUndefined();
    expect(readBinding("http", ["Cookie", `Sallyport_Login=${a}; Sallyport_Login=${b}`])).toBeUndefined();
    expect(readBinding("http", ["Cookie", "Sallyport_Login=short"])).toBeUndefined();
    expect(isSameBinding(undefined, undefined)).toBe(false);
    expect(isSameBinding("", "")).toBe(false);
  });
});

describe("forms (R-H4)", () => {
  const origin = "https://auth.example.com";
  it.each([
    [true, ["Origin", origin]],
    [true, ["Origin", "null", "Sec-Fetch-Site", "same-origin"]],
    [true, ["Sec-Fetch-Site", "same-origin"]],
    [true, ["Origin", origin, "Sec-Fetch-Site", "same-origin"]],
    [false, []],
    [false, ["Origin", "null"]],
    [false, ["Origin", "https://evil.example"]],
    [false, ["Origin", "http://auth.example.com"]],
    [false, ["Origin", "https://evil.example", "Sec-Fetch-Site", "same-origin"]],
    [false, ["Origin", origin, "Sec-Fetch-Site", "cross-site"]],
    [false, ["Origin", "null", "Sec-Fetch-Site", "same-site"]],
    [false, ["Sec-Fetch-Site", "none"]],
    [false, ["Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "same-origin"]],
  ] as const)("%s for %j", (expected, fields) => {
    expect(isSameOrigin(fields, origin)).toBe(expected);
  });

  it("a token is good for its action and holder only", () => {
    const tokens = new FormTokens(new Uint8Array(32).fill(1));
    const token = tokens.issue("logout", "s1");
    expect(tokens.isValid(token, "logout", "s1")).toBe(true);
    expect([
      tokens.isValid(token, "logout", "s2"),
      tokens.isValid(token, "other", "s1"),
      tokens.isValid(undefined, "logout", "s1"),
    ]).toEqual([false, false, false]);
    expect(new FormTokens(new Uint8Array(32).fill(2)).isValid(token, "logout", "s1")).toBe(false);
  });
});
