import { ManualClock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { describe, expect, test } from "vitest";
import { HEALTHY_AFTER_MS } from "./backoff.ts";
import { type ConnectionEvents, type ServingConnection, type SlotObserver } from "./slot.ts";
import { Supervisor, type TunnelEnd } from "./supervise.ts";

// One call of connect(), answered by the test.
class Attempt {
  readonly events: ConnectionEvents;
  readonly signal: AbortSignal;
  readonly answered: PromiseWithResolvers<ServingConnection> = Promise.withResolvers();

  constructor(events: ConnectionEvents, signal: AbortSignal) {
    this.events = events;
    this.signal = signal;
  }

  async fail(code: `ERR_${string}`, options: { readonly retryable: boolean; readonly retryAfterMs?: number }): Promise<void> {
    this.answered.reject(Object.assign(new SallyportError(code, code, options), { retryAfterMs: options.retryAfterMs }));
    await settled();
  }

  async succeed(localAddress?: string): Promise<FakeConnection> {
    const connection = new FakeConnection(this.events, localAddress);
    this.answered.resolve(connection);
    await settled();
    return connection;
  }
}

class FakeConnection implements ServingConnection {
  readonly connectionId = "c";
  readonly localAddress: string | undefined;
  readonly bytesReceived = 0;
  readonly bytesSent = 0;
  openStreams = 0;
  announcements = 0;
  state: "serving" | "leaving" | "closed" = "serving";
  readonly events: ConnectionEvents;

  constructor(events: ConnectionEvents, localAddress: string | undefined) {
    this.events = events;
    this.localAddress = localAddress;
  }

  announce(): void {
    this.announcements++;
  }

  leave(): void {
    this.state = "leaving";
    if (this.openStreams === 0) this.close();
  }

  close(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.events.onClosed(undefined);
  }

  finishStreams(): void {
    this.openStreams = 0;
    if (this.state === "leaving") this.close();
  }

  lose(code: `ERR_${string}`): void {
    this.state = "closed";
    this.events.onClosed(new SallyportError(code, code, { retryable: true }));
  }
}

// Lets the promise continuations of the supervisor run; no time passes.
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
}

function harness({ connections = 1, random = () => 0.5 }: { readonly connections?: number; readonly random?: () => number } = {}) {
  const clock = new ManualClock();
  const attempts: Attempt[] = [];
  const waits: number[] = [];
  const observer: SlotObserver = {
    onAttempt: () => undefined,
    onConnected: () => undefined,
    onWaiting: (_slot, waitMs) => void waits.push(waitMs),
    onGoaway: () => undefined,
  };
  const connect = (events: ConnectionEvents, signal: AbortSignal): Promise<ServingConnection> => {
    const attempt = new Attempt(events, signal);
    attempts.push(attempt);
    return attempt.answered.promise;
  };
  const supervisor = new Supervisor({ connections, connect, clock, random, observer });
  let end: TunnelEnd | undefined;
  void supervisor.ended.then((value) => (end = value));
  supervisor.start();
  const attempt = (index: number): Attempt => {
    const found = attempts[index];
    if (found === undefined) throw new Error(`attempt ${index} was not made; there are ${attempts.length}`);
    return found;
  };
  return { clock, attempts, attempt, waits, supervisor, end: () => end };
}

const lost = { retryable: true } as const;

describe("one connection", () => {
  test("waits after a failure for exactly the time it reports, then tries again", async () => {
    const { attempt, attempts, clock, waits, supervisor } = harness();
    await attempt(0).fail("ERR_DIAL_REFUSED", lost);
    expect(waits).toEqual([500]);
    expect(supervisor.status().slots).toEqual([{ state: "waiting", waitMs: 500, code: "ERR_DIAL_REFUSED" }]);
    clock.advance(499);
    expect(attempts).toHaveLength(1);
    clock.advance(1);
    expect(attempts).toHaveLength(2);
  });

  test("a Retry-After replaces the computed wait", async () => {
    const { attempt, attempts, clock, waits } = harness();
    await attempt(0).fail("ERR_DIAL_STATUS", { retryable: true, retryAfterMs: 12_345 });
    expect(waits).toEqual([12_345]);
    clock.advance(12_344);
    expect(attempts).toHaveLength(1);
    clock.advance(1);
    expect(attempts).toHaveLength(2);
  });

  test("waits grow while connections die young and start over after a healthy one", async () => {
    const { attempt, clock, waits } = harness();
    await attempt(0).fail("ERR_DIAL_REFUSED", lost);
    clock.advance(500);
    (await attempt(1).succeed()).lose("ERR_TUNNEL_LOST");
    clock.advance(1_000);
    const healthy = await attempt(2).succeed();
    clock.advance(HEALTHY_AFTER_MS);
    healthy.lose("ERR_TUNNEL_LOST");
    expect(waits).toEqual([500, 1_000, 500]);
  });

  test("a permanent failure ends the tunnel with its reason and leaves no timer", async () => {
    const { attempt, attempts, clock, end } = harness();
    await attempt(0).fail("ERR_HANDSHAKE_REVOKED", { retryable: false });
    expect(end()).toMatchObject({ kind: "refused", error: { code: "ERR_HANDSHAKE_REVOKED" } });
    clock.advance(600_000);
    expect(attempts).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a fault of our own is retried, never fatal", async () => {
    const { attempt, attempts, clock } = harness();
    attempt(0).answered.reject(new TypeError("bug"));
    await settled();
    clock.advance(500);
    expect(attempts).toHaveLength(2);
  });

  test("a connection that closed before connect() resolved is replaced", async () => {
    const { attempt, waits } = harness();
    attempt(0).events.onClosed(new SallyportError("ERR_TUNNEL_LOST", "gone", { retryable: true }));
    await attempt(0).succeed();
    expect(waits).toEqual([500]);
  });
});

describe("GOAWAY", () => {
  const shutdown = { reason: GoawayReason.SHUTDOWN, delayMs: 0, text: "" };

  test("opens the replacement at once while streams in flight finish on the old connection", async () => {
    const { attempt, attempts, supervisor } = harness();
    const old = await attempt(0).succeed();
    old.openStreams = 3;
    old.events.onGoaway(shutdown);
    expect(attempts).toHaveLength(2);
    expect(old.state).toBe("serving");
    await attempt(1).succeed();
    expect(supervisor.status()).toMatchObject({ leaving: 1, openStreams: 3, slots: [{ state: "serving" }] });
    old.lose("ERR_TUNNEL_LOST");
    expect(supervisor.status()).toMatchObject({ leaving: 0, openStreams: 0, slots: [{ state: "serving" }] });
    expect(attempts, "the end of the old connection starts nothing").toHaveLength(2);
  });

  test("waits the delay that the relay asks for, and no longer than a minute", async () => {
    const { attempt, attempts, clock, waits } = harness();
    (await attempt(0).succeed()).events.onGoaway({ ...shutdown, delayMs: 4_000 });
    clock.advance(4_000);
    (await attempt(1).succeed()).events.onGoaway({ ...shutdown, delayMs: 3_600_000 });
    expect(waits).toEqual([4_000, 60_000]);
    clock.advance(60_000);
    expect(attempts).toHaveLength(3);
  });

  test("a relay that always says 'go away, at once' is not called in a tight loop", async () => {
    const { attempt, attempts, waits } = harness();
    (await attempt(0).succeed()).events.onGoaway(shutdown);
    (await attempt(1).succeed()).events.onGoaway(shutdown);
    expect(attempts).toHaveLength(2);
    expect(waits).toEqual([1_000]);
  });

  test.each([
    GoawayReason.CREDENTIAL_REVOKED,
    GoawayReason.CREDENTIAL_UNKNOWN,
    GoawayReason.TUNNEL_REMOVED,
    GoawayReason.VERSION,
    GoawayReason.HOSTNAME_NOT_GRANTED,
  ])("reason %i ends every connection of the tunnel", async (reason) => {
    const { attempt, clock, end } = harness({ connections: 2 });
    const one = await attempt(0).succeed();
    const two = await attempt(1).succeed();
    one.events.onGoaway({ reason, delayMs: 0, text: "ask the operator" });
    await settled();
    expect(end()).toMatchObject({
      kind: "refused",
      error: { code: "ERR_TUNNEL_REFUSED", message: expect.stringContaining("ask the operator") },
    });
    expect([one.state, two.state]).toEqual(["closed", "closed"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a revocation is heard on a connection that is leaving already", async () => {
    const { attempt, end } = harness();
    const old = await attempt(0).succeed();
    old.events.onGoaway(shutdown);
    old.events.onGoaway({ reason: GoawayReason.CREDENTIAL_REVOKED, delayMs: 0, text: "" });
    await settled();
    expect(end()?.kind).toBe("refused");
  });
});

describe("several connections", () => {
  test("one dying leaves the other alone", async () => {
    const { attempt, supervisor } = harness({ connections: 2 });
    const one = await attempt(0).succeed();
    const two = await attempt(1).succeed();
    two.openStreams = 1;
    one.lose("ERR_TUNNEL_LOST");
    expect(supervisor.status().slots.map(({ state }) => state)).toEqual(["waiting", "serving"]);
    expect(two.state).toBe("serving");
  });

  test("other services are announced on every connection that serves, and none is opened or closed for it (T18)", async () => {
    const { attempt, attempts, supervisor } = harness({ connections: 3 });
    const one = await attempt(0).succeed();
    const two = await attempt(1).succeed();
    supervisor.announce();
    expect([one.announcements, two.announcements, one.state, two.state, attempts.length]).toEqual([1, 1, "serving", "serving", 3]);
  });

  test("after a network change waits end, connections with a vanished address are replaced, others stay", async () => {
    const { attempt, attempts, supervisor } = harness({ connections: 3 });
    const stale = await attempt(0).succeed("192.0.2.1");
    const fine = await attempt(1).succeed("198.51.100.9");
    await attempt(2).fail("ERR_DIAL_DNS", lost);
    supervisor.networkChanged(new Set(["198.51.100.9"]));
    expect(attempts).toHaveLength(5);
    expect([stale.state, fine.state]).toEqual(["closed", "serving"]);
    expect(supervisor.status().slots.map(({ state }) => state)).toEqual(["connecting", "serving", "connecting"]);
  });
});

describe("drain", () => {
  test("ends early when idle", async () => {
    const { attempt, supervisor, end, clock } = harness();
    const connection = await attempt(0).succeed();
    supervisor.drain(30_000);
    await settled();
    expect(connection.state).toBe("closed");
    expect(end()).toEqual({ kind: "closed", cut: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  test("waits for streams in flight and ends with the last one", async () => {
    const { attempt, supervisor, end, clock } = harness({ connections: 2 });
    const one = await attempt(0).succeed();
    const two = await attempt(1).succeed();
    one.openStreams = 1;
    two.openStreams = 1;
    supervisor.drain(30_000);
    one.finishStreams();
    clock.advance(29_000);
    await settled();
    expect(end()).toBeUndefined();
    two.finishStreams();
    await settled();
    expect(end()).toEqual({ kind: "closed", cut: 0 });
  });

  test("cuts what is left when the grace is over, and counts it", async () => {
    const { attempt, supervisor, end, clock } = harness();
    (await attempt(0).succeed()).openStreams = 2;
    supervisor.drain(30_000);
    clock.advance(30_000);
    await settled();
    expect(end()).toEqual({ kind: "closed", cut: 2 });
  });

  test("close() during a drain ends at once", async () => {
    const { attempt, supervisor, end, clock } = harness();
    (await attempt(0).succeed()).openStreams = 1;
    supervisor.drain(30_000);
    supervisor.close();
    await settled();
    expect(end()).toEqual({ kind: "closed", cut: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  test("an attempt under way is aborted, and a connection it still brings is closed", async () => {
    const { attempt, supervisor, end } = harness();
    supervisor.drain(30_000);
    expect(attempt(0).signal.aborted).toBe(true);
    const late = await attempt(0).succeed();
    expect(late.state).toBe("closed");
    expect(end()).toEqual({ kind: "closed", cut: 0 });
  });

  test("a connection that was already leaving is waited for as well", async () => {
    const { attempt, supervisor, end } = harness();
    const old = await attempt(0).succeed();
    old.openStreams = 1;
    old.events.onGoaway({ reason: GoawayReason.SHUTDOWN, delayMs: 0, text: "" });
    await attempt(1).succeed();
    supervisor.drain(30_000);
    await settled();
    expect(end()).toBeUndefined();
    old.finishStreams();
    await settled();
    expect(end()).toEqual({ kind: "closed", cut: 0 });
  });
});
