// Logouts of one application (A8, R-I5): in effect at once, still there after a restart, gone with their session.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@sallyport/shared/clock";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openState, type State } from "./state.ts";

const NOTES = "https://notes.example.com";
const clock = new ManualClock();
let folder: string;
let state: State;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-logouts-"));
  state = openState({ folder, clock });
});
afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true });
});

function signIn(): string {
  const identity = {
    kind: "person",
    provider: "corp",
    subject: "ann",
    email: undefined,
    name: undefined,
    groups: undefined,
    authMethods: undefined,
    claims: {},
  } as const;
  const expiresAt = clock.now() + 3_600_000;
  return state.sessions.create({ identity, expiresAt, providerSessionId: undefined, refreshToken: undefined }).session.id;
}

function restart(): void {
  state.close();
  state = openState({ folder, clock });
}

it("survives a restart, for its session and application only", () => {
  const [sessionId, other] = [signIn(), signIn()];
  const told: unknown[] = [];
  state.logouts.onAdded((logout) => told.push(logout));
  state.logouts.add({ sessionId, audience: NOTES });
  expect(told).toEqual([{ sessionId, audience: NOTES }]);
  for (const again of [false, true]) {
    if (again) restart();
    expect(state.logouts.at(sessionId, NOTES)).toBe(clock.now());
    expect([state.logouts.at(other, NOTES), state.logouts.at(sessionId, `${NOTES}/x`)]).toEqual([undefined, undefined]);
  }
});

it("a later one counts", () => {
  const sessionId = signIn();
  state.logouts.add({ sessionId, audience: NOTES });
  clock.advance(5_000);
  state.logouts.add({ sessionId, audience: NOTES });
  restart();
  expect(state.logouts.at(sessionId, NOTES)).toBe(clock.now());
});

it("is forgotten with its session, in memory and on disk", () => {
  const sessionId = signIn();
  state.logouts.add({ sessionId, audience: NOTES });
  state.sessions.end(sessionId, "logout");
  expect(state.logouts.at(sessionId, NOTES)).toBeUndefined();
  restart();
  expect(state.logouts.at(sessionId, NOTES)).toBeUndefined();
});
