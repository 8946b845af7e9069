// The small value types of connector.yaml. Each turns what is written into what the connector works with, and says
// what to write when it cannot.

import { formatDuration, parseDurationMs } from "@sallyport/shared/duration";
import { z } from "zod";
import type { IssueHints } from "@sallyport/shared/config/issues";

/** The reading of one scalar: a value, or a sentence that says what is wrong. */
export type Reading<Out> = { readonly ok: true; readonly value: Out } | { readonly ok: false; readonly problem: string };

/** A value written as text (or a bare number, which YAML reads as one). */
export function textValue<Out>(read: (text: string) => Reading<Out>, hints: IssueHints): z.ZodType<Out, string | number> {
  return z
    .union([z.string(), z.number()], { error: () => ({ message: "expected text" }) })
    .meta({ remedy: hints.remedy })
    .transform((written, context) => {
      const reading = read(String(written));
      if (reading.ok) return reading.value;
      context.issues.push({ code: "custom", message: reading.problem, params: { ...hints }, input: written });
      return z.NEVER;
    });
}

/** Lifts a function that knows only "fits" or "does not". */
export function fits<Out>(read: (text: string) => Out | undefined, problem: string): (text: string) => Reading<Out> {
  return (text) => {
    const value = read(text);
    return value === undefined ? { ok: false, problem } : { ok: true, value };
  };
}

/** A duration such as `10s`, in milliseconds; both ends of the range included. */
export function duration(minMs: number, maxMs: number): z.ZodType<number, string | number> {
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  const read = (text: string): number | undefined => within(parseDurationMs(text), minMs, maxMs);
  return textValue(fits(read, `expected a duration ${range}`), { remedy: `write a whole number and a unit (ms, s, m, h, d), ${range}` });
}

/** A duration, or `none` for no limit. */
export function durationOrNone(minMs: number, maxMs: number): z.ZodType<number | "none", string | number> {
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  const read = (text: string): number | "none" | undefined => (text === "none" ? "none" : within(parseDurationMs(text), minMs, maxMs));
  return textValue(fits(read, `expected a duration ${range}, or none`), {
    remedy: `write a whole number and a unit (ms, s, m, h, d), or none`,
  });
}

/** `host:port` for a listener; IPv6 in brackets. Port 0 lets the system choose. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

export const socketAddress: z.ZodType<SocketAddress, string | number> = textValue(
  fits(readSocketAddress, "expected an address with a port"),
  {
    remedy: 'write host:port in quotes, for example "127.0.0.1:9091"',
  },
);

function readSocketAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match === null || port > 65_535 ? undefined : { host: match[1] ?? (match[2] as string), port };
}

/** Where a value is read from; never the value itself (R-J4). File paths are relative to the configuration's folder. */
export type Reference = { readonly kind: "file"; readonly file: string } | { readonly kind: "env"; readonly env: string };

const file = z.string().min(1).max(4_096);
const env = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/);

/** `{ file: PATH }` or `{ env: NAME }`. */
export const reference: z.ZodType<Reference, unknown> = z
  .strictObject({ file: file.optional(), env: env.optional() })
  .meta({ remedy: "write { file: PATH } or { env: NAME }" })
  .transform((written, context): Reference => {
    if (written.file !== undefined && written.env === undefined) return { kind: "file", file: written.file };
    if (written.env !== undefined && written.file === undefined) return { kind: "env", env: written.env };
    const remedy = "write { file: PATH } or { env: NAME }";
    context.issues.push({ code: "custom", message: "expected either file or env", params: { remedy }, input: written });
    return z.NEVER;
  });

/** `{ file: PATH }`. */
export const fileReference: z.ZodType<{ readonly file: string }, unknown> = z
  .strictObject({ file })
  .meta({ remedy: "write { file: PATH }" });

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
