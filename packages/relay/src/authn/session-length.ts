// How long a login counts (A5): the policy that lets somebody in decides, else the application, else the relay. Absolute,
// from the login on. Pure.

import type { Session } from "./session.ts";

export interface SessionUse {
  readonly session: Session;
  /** Last use before this one, milliseconds since the epoch. */
  readonly lastSeenAt: number | undefined;
  readonly lengths: SessionLengths;
  /** Of the application; the relay's own is the store's business. */
  readonly idleTimeoutMs: number | undefined;
  readonly nowMs: number;
}

export type SessionVerdict = "good" | "too-old" | "idle";

/** Whether a live session is good for this use, or a new login is needed first. Asked before the use is noted. */
export function judgeSession({ session, lastSeenAt, lengths, idleTimeoutMs, nowMs }: SessionUse): SessionVerdict {
  if (isTooOld(session, lengths, nowMs)) return "too-old";
  const idle = idleTimeoutMs !== undefined && lastSeenAt !== undefined && lastSeenAt + idleTimeoutMs <= nowMs;
  return idle ? "idle" : "good";
}

/** Lengths that apply to one request, milliseconds; undefined: not set there. */
export interface SessionLengths {
  readonly policyMs: number | undefined;
  readonly applicationMs: number | undefined;
  readonly globalMs: number;
}

/** Whether the login is too old for what it is used for; the session itself may still be good elsewhere. */
export function isTooOld(session: Session, lengths: SessionLengths, nowMs: number): boolean {
  return nowMs >= session.createdAt + (lengths.policyMs ?? lengths.applicationMs ?? lengths.globalMs);
}

/** The longest that any of them grants: how long a new session lives, so that each can cut it to its own measure. */
export function longestSessionMs(globalMs: number, others: Iterable<number | undefined>): number {
  let longest = globalMs;
  for (const lengthMs of others) if (lengthMs !== undefined && lengthMs > longest) longest = lengthMs;
  return longest;
}
