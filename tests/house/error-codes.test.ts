// docs/errors.md and the sources name the same error codes: a code that a user can meet is explained, and an
// explanation whose code is gone does not stay behind.

import { expect, test } from "vitest";
import { files, read } from "./tree.ts";

// Codes of Node, OpenSSL and libraries: read by us, never given out.
const FOREIGN =
  /^ERR_(?:TLS|SSL|OSSL|HTTP2|HTTP_(?!CHOOSE|NO_GRANT)|SQLITE|STREAM|SOCKET|INVALID|PROXY|JW[STKE]|JOSE|UNESCAPED|OUT_OF_RANGE|PARSE_ARGS|ASSERTION$)/;
const CODE = /\bERR_[A-Z0-9]+(?:_[A-Z0-9]+)+\b(?!_)|\bERR_(?:USAGE|EXPECT|OVERLOADED|PATH)\b(?!_)/g;

function codes(text: string): readonly string[] {
  return (text.match(CODE) ?? []).filter((code) => !FOREIGN.test(code));
}

/** A comment may speak of any code; the program gives out only what stands in its code. */
function givenOut(source: string): readonly string[] {
  return codes(source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1"));
}

const sources = files("packages/*/src/**/*.ts").filter((file) => !/\.test\.ts$|test-support|-suite\.ts$|\/testing\//.test(file));
const inSources = new Map(sources.flatMap((file) => givenOut(read(file)).map((code) => [code, file] as const)));

test("every code in the sources is explained in docs/errors.md", () => {
  const explained = new Set(codes(read("docs/errors.md")));
  const missing = [...inSources].filter(([code]) => !explained.has(code)).map(([code, file]) => `${code} (${file})`);
  expect(missing, "add what happened, who sees it and the remedy to docs/errors.md\n").toEqual([]);
});

test("every code in docs/errors.md exists", () => {
  const stale = [...new Set(codes(read("docs/errors.md")))].filter((code) => !inSources.has(code));
  expect(stale, "remove from docs/errors.md what no source gives out any more\n").toEqual([]);
});
