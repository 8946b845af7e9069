// The administrative operations as a table: name -> function from JSON to JSON. The socket serves it, and a command may
// run it in its own process when no relay is running. Must not know HTTP.

import { SallyportError } from "@sallyport/shared/errors";

/** Takes what a client sent, unchecked; returns what JSON can hold. Throws a SallyportError for what a client did wrong. */
export type AdminHandler = (input: unknown) => unknown;

/** Operation names: `credential/create`. */
export type AdminHandlers = Readonly<Record<string, AdminHandler>>;

export interface AdminClient {
  /** True when a relay answers; false when the command works on the state itself. */
  readonly live: boolean;
  /** @throws SallyportError with the code that the handler threw. */
  call(operation: string, input?: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export type Members = Readonly<Record<string, unknown>>;

/** The input as an object whose member names are all among these. @throws ERR_ADMIN_INPUT */
export function readMembers(input: unknown, allowed: readonly string[]): Members {
  if (typeof input !== "object" || input === null || Array.isArray(input)) throw inputError("an object is needed");
  const unknown = Object.keys(input).find((name) => !allowed.includes(name));
  if (unknown !== undefined) throw inputError(`unknown member ${JSON.stringify(unknown.slice(0, 40))}`);
  return input as Members;
}

export function readText(members: Members, name: string): string {
  const value = members[name];
  if (typeof value !== "string" || value.length > 4_096) throw inputError(`"${name}" must be text`);
  return value;
}

export function readOptionalText(members: Members, name: string): string | undefined {
  return members[name] === undefined ? undefined : readText(members, name);
}

/** A whole number of at least 0. */
export function readCount(members: Members, name: string): number {
  const value = members[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw inputError(`"${name}" must be a whole number`);
  return value;
}

export function readOptionalCount(members: Members, name: string): number | undefined {
  return members[name] === undefined ? undefined : readCount(members, name);
}

/** Bytes in base64url. */
export function readBytes(members: Members, name: string): Uint8Array {
  const text = readText(members, name);
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw inputError(`"${name}" must be base64url`);
  return new Uint8Array(Buffer.from(text, "base64url"));
}

function inputError(what: string): SallyportError {
  return new SallyportError(
    "ERR_ADMIN_INPUT",
    `The relay did not accept this: ${what}. The command and the relay may be of different versions.`,
  );
}
