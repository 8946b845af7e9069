// Which parts of a configuration file may hold a secret, so that excerpts in messages do not print it (R-J4).
// Secrets belong in {env} and {file} references; this is for the file in which somebody wrote one by mistake.

import { type Document, isMap, isPair, isScalar, visit } from "yaml";

const SECRET_KEY = /secret|passw|passphrase|private_?key|api_?key|token|credential/i;
/** Keys that match above but hold the public name of something. */
const PUBLIC_KEYS = new Set(["serviceToken", "anyServiceToken", "serviceTokens"]);
/** Key names in a reference to a secret: what they hold is a name, not the secret. */
const REFERENCE_KEYS = new Set(["env", "file"]);
/** Mappings from header names to values: any of them may be a secret. */
const HEADER_EDITS = /^set(?:Request|Response)Headers$/;
const URL_WITH_PASSWORD = /\/\/[^/\s:@]*:[^/\s@]+@/;

/** Start and end offsets of scalars that look like secrets. A multi-line one is covered up to the end of its first line. */
export function sensitiveSpans(document: Document.Parsed): (readonly [number, number])[] {
  const spans: (readonly [number, number])[] = [];
  visit(document, {
    Scalar(_key, node, ancestors) {
      if (node.range === null || node.range === undefined || _key === "key") return;
      const key = keyAbove(ancestors);
      const secret = key !== undefined && (SECRET_KEY.test(key) || ancestors.some(isHeaderEdits));
      const named = secret && !PUBLIC_KEYS.has(key) && !REFERENCE_KEYS.has(key);
      const looks = typeof node.value === "string" && URL_WITH_PASSWORD.test(node.value);
      if (named || looks) spans.push([node.range[0], node.range[1]]);
    },
  });
  return spans;
}

function isHeaderEdits(node: unknown): boolean {
  return isPair(node) && isScalar(node.key) && typeof node.key.value === "string" && HEADER_EDITS.test(node.key.value);
}

function keyAbove(ancestors: readonly unknown[]): string | undefined {
  const pair = ancestors.at(-1) as { readonly key?: unknown } | undefined;
  if (pair === undefined || isMap(pair) || !("key" in pair)) return undefined;
  return isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : undefined;
}

const SECRET_LINE =
  /^(.*?\b[\w-]*(?:secret|passw|passphrase|private_?key|api_?key|credential|set(?:request|response)headers)[\w-]*["']?\s*:\s*)(?!\{\s*(?:env|file)\s*:)(.+)$/i;
const HEADER_EDITS_LINE = /^\s*["']?set(?:Request|Response)Headers["']?\s*:\s*(?:#.*)?$/;

/**
 * The same for text that is no YAML, by lines: whatever follows a key that may hold a secret, and every line below it
 * that is indented deeper.
 */
export function blankByText(lines: readonly string[]): readonly string[] {
  let within: number | undefined;
  return lines.map((line) => {
    const indent = line.search(/\S/);
    if (within !== undefined && (indent === -1 || indent > within)) return "*".repeat(line.length);
    within = HEADER_EDITS_LINE.test(line) ? indent : undefined;
    const match = SECRET_LINE.exec(line);
    if (match === null) return line.replace(URL_WITH_PASSWORD, (url) => "*".repeat(url.length));
    const [, before = "", value = ""] = match;
    if (/^[|>]/.test(value)) within = indent;
    return before + "*".repeat(value.length);
  });
}
