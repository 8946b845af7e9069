// The small value types of relay.yaml: durations, sizes, names, addresses, host names, paths, references to files and
// secrets. Each turns text into what the relay works with, and says what to write when it cannot.

import { isIP, isIPv6 } from "node:net";
import { formatDuration, parseDurationMs } from "@sallyport/shared/duration";
import { canonicalHostname, defaultPort, formatAuthority } from "@sallyport/shared/http/authority";
import { isReservedPath, normaliseApplicationPath } from "@sallyport/shared/http/path-prefix";
import { z } from "zod";
import { readCidr } from "../authz/ip.ts";
import type { IssueHints } from "@sallyport/shared/config/issues";
import { formatSize, parseSizeBytes } from "./size.ts";
import type { PublicOrigin, SocketAddress } from "./types.ts";

// `remedy` in the metadata is for messages when the type itself is wrong, `kind` for the option tables; the published
// schema has neither.

/** What a custom issue tells issues.ts beside its message. */
export interface ValueHints extends IssueHints {
  /** What the option tables say the type is: `duration, 1s to 5m`. Default: text. */
  readonly kind?: string;
}

/** A value that is read from text: undefined from `read` means refused, with the hint's message and remedy. */
export function textValue<Out>(read: (text: string) => Out | undefined, message: string, hints: ValueHints): z.ZodType<Out, string> {
  return z
    .string()
    .meta({ remedy: hints.remedy, ...(hints.kind === undefined ? {} : { kind: hints.kind }) })
    .transform((text, context) => {
      const value = read(text);
      if (value !== undefined) return value;
      context.issues.push({ code: "custom", message, params: { ...hints }, input: text });
      return z.NEVER;
    });
}

/** A duration such as `10s`, in milliseconds; the range is in milliseconds too, both ends included. */
export function duration(minMs: number, maxMs: number): z.ZodType<number, string> {
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return textValue((text) => within(parseDurationMs(text), minMs, maxMs), `expected a duration ${range}`, {
    remedy: `write a whole number and a unit (ms, s, m, h, d), ${range}`,
    kind: `duration, ${range.replace("from ", "")}`,
  });
}

/** A size such as `16KB`, in bytes; the range is in bytes too, both ends included. */
export function size(minBytes: number, maxBytes: number): z.ZodType<number, string> {
  const range = `from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`;
  return textValue((text) => within(parseSizeBytes(text), minBytes, maxBytes), `expected a size ${range}`, {
    remedy: `write a whole number and a unit (B, KB, MB, GB, TB), ${range}`,
    kind: `size, ${range.replace("from ", "")}`,
  });
}

/** A whole number in a range, both ends included. */
export function count(min: number, max: number): z.ZodType<number, number> {
  return z.int().min(min).max(max);
}

const MAX_APPLICATION_PATH = 1024;
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** The name of a tunnel, application, service or provider, by the rule of policy and group names: it appears in URLs, logs and metrics. */
export const name: z.ZodType<string, string> = textValue((text) => (NAME.test(text) ? text : undefined), "expected a name", {
  remedy: "use 1 to 63 letters, digits, dots, dashes and underscores, starting and ending with a letter or digit",
  kind: "name",
});

/** A reference by name; whether the name exists is checked once the whole file is read. */
export const reference: z.ZodType<string, string> = z.string().min(1).max(63).meta({ kind: "name" });

/** `host:port`; IPv6 in brackets. */
export const socketAddress: z.ZodType<SocketAddress, string> = textValue(readSocketAddress, "expected an address with a port", {
  remedy: 'write host:port in quotes, for example "0.0.0.0:443", "[::]:443" or "127.0.0.1:9090"',
  kind: "host:port",
});

function readSocketAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? (match[2] as string);
  if (port > 65_535 || (match[1] !== undefined && !isIPv6(host))) return undefined;
  // "010.0.0.1" or "1.2.3" are neither addresses nor names that anybody means (R-N5).
  if (match[1] === undefined && isIP(host) === 0 && (/^[\d.]+$/.test(host) || canonicalHostname(host) === undefined)) return undefined;
  return { host, port };
}

/** An address range such as `10.0.0.0/8`; a single address is a range of one. Output is canonical. */
export const cidr: z.ZodType<string, string> = textValue(canonicalCidr, "expected an address range", {
  remedy: 'write a CIDR whose host bits are zero, for example "10.0.0.0/8" or "2001:db8::/32", or one address',
  kind: "address range",
});

function canonicalCidr(text: string): string | undefined {
  const reading = readCidr(text);
  return reading.kind === "cidr" ? `${reading.cidr.first.text}/${reading.cidr.prefix}` : undefined;
}

/** The hostname of an application; one leading `*.` stands for exactly one label. */
export const hostname: z.ZodType<string, string> = textValue(readHostname, "expected a host name", {
  remedy: "write a name such as grafana.example.com, without scheme, port or path; a wildcard is one leading *. (*.dev.example.com)",
  kind: "host name",
});

function readHostname(text: string): string | undefined {
  const wildcard = text.startsWith("*.");
  const canonical = canonicalHostname(wildcard ? text.slice(2) : text);
  // "*.com" would claim a whole top-level domain.
  if (canonical === undefined || (wildcard && !canonical.includes("."))) return undefined;
  return wildcard ? `*.${canonical}` : canonical;
}

/** The path of an application: plain segments, so that it has exactly one reading (R-A3). */
export const applicationPath: z.ZodType<string, string> = textValue(readApplicationPath, "expected an absolute path of plain segments", {
  remedy: "write / or a path such as /api/v1: plain ASCII without %, ;, ? and #, no // or dot segments, and not /.sallyport",
  kind: "path",
});

function readApplicationPath(text: string): string | undefined {
  // ASCII without escapes, so that the path stands in URLs and audiences as it is written here.
  const path = text.length <= MAX_APPLICATION_PATH && /^[!-$&-~]*$/.test(text) ? normaliseApplicationPath(text) : undefined;
  return path !== undefined && isReservedPath([path]) === "none" ? path : undefined;
}

/** `https://auth.example.com[:port]`: an origin and nothing more. */
export const publicOrigin: z.ZodType<PublicOrigin, string> = textValue(readPublicOrigin, "expected the public origin of the relay", {
  remedy: "write scheme and host name, and a port where it is not the default: https://auth.example.com",
  kind: "URL",
});

function readPublicOrigin(text: string): PublicOrigin | undefined {
  const match = /^(https?):\/\/([^/?#@\s:[\]]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?\/?$/.exec(text);
  if (match === null) return undefined;
  const scheme = match[1] as "http" | "https";
  const host = match[2] as string;
  const hostname = canonicalHostname(host, { allowIp: true });
  const port = match[3] === undefined ? defaultPort(scheme) : Number(match[3]);
  if (hostname === undefined || port < 1 || port > 65_535) return undefined;
  return { scheme, hostname, port, origin: `${scheme}://${formatAuthority(hostname, port, scheme)}` };
}

/** `{file: PATH}`: relative to the folder of the configuration file. */
export interface FileReference {
  readonly file: string;
}

/** `{env: NAME}`: the value of an environment variable. */
export interface EnvironmentReference {
  readonly env: string;
}

/** Where a secret is read from; never the secret itself (R-J4). */
export type SecretReference = FileReference | EnvironmentReference;

const filePath = z.string().min(1).max(4096).meta({ description: "Path; relative paths start at the folder of the configuration file." });

export const fileReference: z.ZodType<FileReference, FileReference> = z
  .strictObject({ file: filePath })
  .meta({ kind: "file reference", remedy: "write { file: PATH }" });

export const secretReference: z.ZodType<SecretReference, SecretReference> = z
  .union([
    z.strictObject({
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/)
        .meta({ description: "Name of an environment variable." }),
    }),
    z.strictObject({ file: filePath }),
  ])
  .meta({
    kind: "secret reference",
    remedy: "keep secrets out of this file: write { env: NAME } for an environment variable or { file: PATH } for a file",
  });

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
