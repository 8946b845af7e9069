// Destination of COPY and MOVE (RFC 4918 section 10.3) names a second path of the same service. What a service does to
// the path and host of a request it does to that one too (R-A13), or the origin would act on another resource than the
// one that was decided. Pure; must not know sockets or streams.

import type { Fields } from "@sallyport/shared/http/fields";
import { readTarget } from "@sallyport/shared/http/path";

export interface DestinationRewrite {
  /** What the service does to paths; undefined: the path does not fit. */
  readonly path: (path: string) => string | undefined;
  /** The authority visitors use, as the relay decided it. */
  readonly authority: string;
  /** Host towards the origin. */
  readonly originAuthority: string;
}

/** @returns the fields with Destination rewritten; undefined when it cannot be expressed to the origin */
export function rewriteDestination(fields: Fields, rewrite: DestinationRewrite): Fields | undefined {
  const at = fields.findIndex((name, i) => i % 2 === 0 && name.length === 11 && name.toLowerCase() === "destination");
  if (at < 0) return fields;
  const value = rewritten(fields[at + 1] as string, rewrite);
  return value === undefined ? undefined : fields.with(at + 1, value);
}

function rewritten(value: string, { path, authority, originAuthority }: DestinationRewrite): string | undefined {
  const read = readTarget(value);
  if (read.kind === "refused" || read.kind === "asterisk") return undefined;
  if (read.kind === "path") return path(read.path);
  const target = path(read.origin.path);
  // Another host than the request's own stays as it is: the origin says itself what it makes of that.
  const host = read.authority.toLowerCase() === authority.toLowerCase() ? originAuthority : read.authority;
  return target === undefined ? undefined : `${read.scheme}://${host}${target}`;
}
