// From OPEN to the request an origin gets: hop-by-hop and framing fields written here and never taken over (R-D2),
// header edits and prefixes applied after the decision (R-A9). The multiplexer has judged the grammar of every field
// before (R-D3, shared/protocol/open-grammar.ts). Pure; must not know sockets or streams.

import { classifyField, FieldClass } from "@sallyport/shared/http/field-names";
import type { Fields } from "@sallyport/shared/http/fields";
import { addPathPrefix, normaliseApplicationPath, stripPathPrefix } from "@sallyport/shared/http/path-prefix";
import { StreamKind } from "@sallyport/shared/protocol/head";
import type { OpenHead } from "@sallyport/shared/protocol/head";

import type { OriginRequest, RequestBody } from "./exchange.ts";
import { compileHeaderEdit } from "./header-edit.ts";
import { rewriteDestination } from "./destination.ts";
import type { OriginOptions } from "./options.ts";

export type BuiltRequest =
  | { readonly ok: true; readonly request: OriginRequest }
  /** `problem`: ASCII, for the log; names no value. */
  | { readonly ok: false; readonly problem: string };

export type RequestBuilder = (open: OpenHead, end: boolean) => BuiltRequest;

/** Methods whose requests have a body by definition: without one they say `Content-Length: 0` (RFC 9110 section 8.6). */
const BODY_METHODS: ReadonlySet<string> = new Set(["PATCH", "POST", "PUT"]);

/** Compiles what the options of a service do to its requests. */
export function createRequestBuilder(options: OriginOptions): RequestBuilder {
  const edit = compileHeaderEdit(options.setRequestHeaders, options.removeRequestHeaders);
  const rewrite = createPathRewrite(options);
  return (open, end) => {
    const path = rewrite(open.path);
    if (path === undefined) return refuse("path does not fit the service's prefix");
    const body = bodyOf(open, end);
    const kept = keptFields(open, body.kind !== "none");
    const authority = options.hostHeader ?? open.authority;
    const moves = open.method === "COPY" || open.method === "MOVE";
    const fields = moves
      ? rewriteDestination(kept.fields, { path: rewrite, authority: open.authority, originAuthority: authority })
      : kept.fields;
    if (fields === undefined) return refuse("destination does not fit the service's prefix");
    return {
      ok: true,
      request: {
        method: open.method,
        path,
        authority,
        fields: edit === undefined ? fields : edit(fields),
        body,
        expectContinue: kept.expectContinue,
        upgrade: open.kind === StreamKind.UPGRADE,
      },
    };
  };
}

function refuse(problem: string): BuiltRequest {
  return { ok: false, problem };
}

function createPathRewrite({ stripPrefix, addPrefix }: OriginOptions): (path: string) => string | undefined {
  const strip = stripPrefix === undefined ? undefined : normaliseApplicationPath(stripPrefix);
  const add = addPrefix === undefined ? undefined : normaliseApplicationPath(addPrefix);
  return (path) => {
    let result = path;
    if (strip !== undefined) {
      const stripped = stripPathPrefix(result, strip);
      if (!stripped.ok) return undefined;
      result = stripped.path;
    }
    if (add !== undefined) {
      const added = addPathPrefix(result, add);
      if (!added.ok) return undefined;
      result = added.path;
    }
    return result;
  };
}

interface KeptFields {
  readonly fields: Fields;
  readonly expectContinue: boolean;
}

function keptFields(open: OpenHead, hasBody: boolean): KeptFields {
  const fields: string[] = [];
  let expectContinue = false;
  for (let i = 0; i < open.fields.length; i += 2) {
    const name = open.fields[i] as string;
    const value = open.fields[i + 1] as string;
    switch (classifyField(name)) {
      // The relay has judged what a Connection field named. Its list is not followed here: it could only take away
      // fields that the relay itself has set (R-C4).
      case FieldClass.CONNECTION:
      case FieldClass.HOP_BY_HOP:
        continue;
      case FieldClass.TE:
        // All that TE may say beyond this hop; gRPC origins insist on it.
        if (/(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(value)) fields.push(name, "trailers");
        continue;
      case FieldClass.REWRITTEN:
        // Without a body nobody waits (RFC 9110 section 10.1.1). Other expectations do not pass the relay (R-D6).
        if (hasBody && name.toLowerCase() === "expect" && value.toLowerCase() === "100-continue") {
          expectContinue = true;
          fields.push(name, value);
        }
        continue;
      default:
        fields.push(name, value);
    }
  }
  return { fields, expectContinue };
}

function bodyOf(open: OpenHead, end: boolean): RequestBody {
  // The stream stays open for the raw bytes after a 101; the request itself has no body (R-D5).
  if (open.kind === StreamKind.UPGRADE) return { kind: "none" };
  if (!end) return open.contentLength === undefined ? { kind: "unknown" } : { kind: "length", bytes: open.contentLength };
  return BODY_METHODS.has(open.method) ? { kind: "length", bytes: 0 } : { kind: "none" };
}
