// What an origin saw, in its own words: every real origin writes one line per request, and this reads it. Programs write
// `SEEN ` and JSON; servers that log but do not program write `SEEN`, method, target, marker and request line between tabs;
// Caddy has JSON of its own.

/** One request as an origin saw it. What the origin does not tell is undefined. */
export interface Seen {
  /** Value of X-Case; empty when there was none. */
  readonly marker: string;
  readonly method: string;
  /** As it came, undecoded. */
  readonly target: string;
  /** Decoded by the origin: what it would serve. */
  readonly path: string | undefined;
  /** Normalised name (lower case, `_` as `-`) and value. */
  readonly fields: readonly (readonly [name: string, value: string])[] | undefined;
  readonly body: string | undefined;
}

interface SeenLine {
  readonly method: string;
  readonly target: string;
  readonly path?: string;
  readonly fields: readonly (readonly [string, string])[];
  /** base64 */
  readonly body?: string;
}

interface CaddyLine {
  readonly request: { readonly method: string; readonly uri: string; readonly headers: Readonly<Record<string, readonly string[]>> };
}

/** undefined: the line says nothing of a request. */
export function readSeenLine(line: string): Seen | undefined {
  if (line.startsWith('{"') && line.includes('"logger":"http.log.access')) return readCaddy(JSON.parse(line) as CaddyLine);
  const at = line.search(/SEEN(?:\t| \{"method")/);
  if (at < 0) return undefined;
  return line[at + 4] === "\t" ? readTabbed(line.slice(at + 5)) : readJson(JSON.parse(line.slice(at + 5)) as SeenLine);
}

function readTabbed(text: string): Seen {
  const [method = "", target = "", marker = "", requestLine] = text.split("\t");
  const seenTarget = requestLine === undefined ? target : unescaped(requestLine.split(" ")[1] ?? "");
  return { marker: marker === "-" ? "" : marker, method, target: seenTarget, path: undefined, fields: undefined, body: undefined };
}

/** Logs escape what would break their lines. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, plain: string | undefined) =>
    hex === undefined ? (plain ?? "") : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function readCaddy({ request: { method, uri, headers } }: CaddyLine): Seen {
  const fields = Object.entries(headers).flatMap(([name, values]) => values.map((value) => [name, value] as const));
  return readJson({ method, target: uri, fields });
}

function readJson({ method, target, path, fields, body }: SeenLine): Seen {
  const normalised = fields.map(([name, value]) => [name.toLowerCase().replaceAll(/[_.]/g, "-"), value] as const);
  return {
    marker: normalised.find(([name]) => name === "x-case")?.[1] ?? "",
    method,
    target,
    path,
    fields: normalised,
    body: body === undefined ? undefined : Buffer.from(body, "base64").toString("latin1"),
  };
}
