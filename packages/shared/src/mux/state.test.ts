import { expect, it } from "vitest";
import { canReceive, canSend, transition, type StreamEvent, type StreamState } from "./state.ts";

/** docs/protocol.md section 5, every cell. */
const TABLE: ReadonlyArray<readonly [StreamState, StreamEvent, StreamState]> = [
  ["open", "end-sent", "half-closed-local"],
  ["open", "end-received", "half-closed-remote"],
  ["open", "reset", "closed"],
  ["half-closed-local", "end-sent", "half-closed-local"],
  ["half-closed-local", "end-received", "closed"],
  ["half-closed-local", "reset", "closed"],
  ["half-closed-remote", "end-sent", "closed"],
  ["half-closed-remote", "end-received", "half-closed-remote"],
  ["half-closed-remote", "reset", "closed"],
  ["closed", "end-sent", "closed"],
  ["closed", "end-received", "closed"],
  ["closed", "reset", "closed"],
];

it.each(TABLE)("goes from %s by %s to %s", (state, event, next) => {
  expect(transition(state, event)).toBe(next);
});

it("lets each half be used until it ended", () => {
  const states: readonly StreamState[] = ["open", "half-closed-local", "half-closed-remote", "closed"];
  expect(states.map(canSend)).toEqual([true, false, true, false]);
  expect(states.map(canReceive)).toEqual([true, true, false, false]);
});
