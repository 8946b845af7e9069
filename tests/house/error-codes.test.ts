// docs/errors.md and the sources name the same error codes: a code that a user can meet is explained, and an
// explanation whose code is gone does not stay behind.

import { expect, test } from "vitest";
import { files, read } from "./tree.ts";

// `ERR_X_...` of Node and of libraries: read by us, never given out.
const FOREIGN =
  /^ERR_(?:HTTP2|STREAM|INVALID|SOCKET|TLS|SSL|UNHANDLED|PARSE_ARGS|JW[STKE]|JOSE|SQLITE|SERVER|ASSERTION|OUT_OF_RANGE|STRING_TOO|UNKNOWN|MODULE|UNESCAPED|HTTP_|BUFFER|WORKER|HANDSHAKE|SYSTEM)/;
const CODE = /\bERR_[A-Z0-9]+(?:_[A-Z0-9]+)+\b/g;

function codes(text: string): readonly string[] {
  return (text.match(CODE) ?? []).filter((code) => !code.endsWith("_"));
}

/** Only what stands in quotes is a value; a comment may speak of Node's codes. */
function givenOut(source: string): readonly string[] {
  const quoted = source.match(/["'`]ERR_[A-Z0-9_]+["'`]/g) ?? [];
  return quoted.map((code) => code.slice(1, -1)).filter((code) => !FOREIGN.test(code));
}

const sources = files("packages/*/src/**/*.ts").filter((file) => !file.endsWith(".test.ts"));
const inSources = new Map(sources.flatMap((file) => givenOut(read(file)).map((code) => [code, file] as const)));

test("every code in the sources is explained in docs/errors.md", () => {
  const explained = new Set(codes(read("docs/errors.md")));
  const missing = [...inSources].filter(([code]) => !explained.has(code)).map(([code, file]) => `${code} (${file})`);
  expect(missing, "add what happened, who sees it and the remedy to docs/errors.md\n").toEqual([]);
});

test("every code in docs/errors.md exists", () => {
  const stale = [...new Set(codes(read("docs/errors.md")))].filter((code) => !inSources.has(code) && !FOREIGN.test(code));
  expect(stale, "remove from docs/errors.md what no source gives out any more\n").toEqual([]);
});
