// The administrative operations on people's sessions: who is signed in, and ending it. Session ids stay inside; outside a
// session is known by the hash that records have (R-M5). Must not know sockets or commands.

import { SallyportError } from "@sallyport/shared/errors";
import type { Session, SessionFilter } from "../authn/session.ts";
import { type EventFields, hashSessionId } from "../observe/record-line.ts";
import type { State } from "../state/state.ts";
import { type AdminHandlers, type Members, readMembers, readOptionalCount, readOptionalText } from "./api.ts";

/** Most sessions that one answer lists. */
const MAX_LISTED = 10_000;
const DEFAULT_LISTED = 1_000;
const FILTERS = ["email", "provider", "subject"] as const;

/** A session as clients see it. */
export interface SessionView {
  /** Hash of its id, as in records. */
  readonly session: string;
  readonly provider: string;
  readonly subject: string;
  readonly email?: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** When the provider last confirmed the person. */
  readonly claimsAt: number;
  readonly lastSeenAt?: number;
}

export interface SessionOperationsOptions {
  readonly state: Pick<State, "sessions">;
  readonly record: (type: string, actor: string, fields: EventFields) => void;
}

export function createSessionOperations({ state: { sessions }, record }: SessionOperationsOptions): AdminHandlers {
  const view = (session: Session): SessionView => viewSession(session, sessions.lastSeenAt(session.id));
  return {
    "session/list": (input) => {
      const members = readMembers(input, [...FILTERS, "limit"]);
      const limit = Math.min(readOptionalCount(members, "limit") ?? DEFAULT_LISTED, MAX_LISTED);
      return { sessions: sessions.list(readFilter(members), limit).map(view), total: sessions.size };
    },
    /** By exactly one of: the hash of a session, a filter, everybody. */
    "session/revoke": (input) => {
      const members = readMembers(input, [...FILTERS, "session", "all"]);
      const ids = chosen(members, sessions);
      // Recorded before it is tried: when the disk is full, at least the record's buffer has it.
      record("session.revoked", "command", { ...readFilter(members), ...hashField(members), count: ids.length });
      return { ended: endAll(ids, sessions).map(view) };
    },
  };
}

function chosen(members: Members, sessions: State["sessions"]): readonly string[] {
  const filter = readFilter(members);
  const hash = readOptionalText(members, "session");
  const ways = [hash !== undefined, Object.keys(filter).length > 0, members["all"] === true].filter(Boolean).length;
  if (ways !== 1) throw new SallyportError("ERR_ADMIN_INPUT", "Say whose sessions end: one session, a person, or all of them.");
  const candidates =
    hash === undefined
      ? sessions.list(filter, Number.POSITIVE_INFINITY)
      : sessions.list({}, Number.POSITIVE_INFINITY).filter(({ id }) => hashSessionId(id) === hash);
  if (candidates.length === 0 && members["all"] !== true)
    throw new SallyportError("ERR_SESSION_UNKNOWN", "Nobody is signed in like that. See: sallyport-relay session list");
  return candidates.map(({ id }) => id);
}

/** All end, whatever happens to one of them; the first problem of storing it is thrown afterwards. */
function endAll(ids: readonly string[], sessions: State["sessions"]): readonly Session[] {
  const ended: Session[] = [];
  const problems: unknown[] = [];
  for (const id of ids) {
    try {
      const session = sessions.end(id, "revoked");
      if (session !== undefined) ended.push(session);
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw problems[0];
  return ended;
}

function readFilter(members: Members): SessionFilter {
  const filter: Record<string, string> = {};
  for (const name of FILTERS) {
    const value = readOptionalText(members, name);
    if (value !== undefined) filter[name] = value;
  }
  return filter;
}

function hashField(members: Members): EventFields {
  const hash = readOptionalText(members, "session");
  return hash === undefined ? {} : { sessionHash: hash.slice(0, 22) };
}

function viewSession({ id, identity, createdAt, expiresAt, claimsAt }: Session, lastSeenAt: number | undefined): SessionView {
  const { provider, subject, email } = identity;
  return {
    session: hashSessionId(id),
    provider,
    subject,
    ...(email === undefined ? {} : { email }),
    createdAt,
    expiresAt,
    claimsAt,
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
  };
}
