// YAML text to plain values, with the place of every value kept for messages. Strict on purpose: one document,
// unique string keys, no tags, no merge keys, few aliases, bounded size and depth (R-N1).
// Must not know what the keys mean.

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Scalar } from "yaml";
import { MAX_PROBLEMS, type ConfigPath, type Finding, type Problem, formatPath, printable } from "./problem.ts";
import { blankByText, sensitiveSpans } from "./redact.ts";
import { MAX_ALIASES, parsingCost, rangeOfNode, structureFaults, TOO_DEEP } from "./structure.ts";

/** 10,000 applications take about 2 MB. */
export const MAX_CONFIG_BYTES: number = 8 * 1024 * 1024;
export interface Place {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** A parsed configuration file, or as much of it as could be read. */
export interface ConfigText {
  readonly file: string;
  /** Lines for excerpts, with the values of keys that hold secrets blanked. */
  readonly lines: readonly string[];
  /** Undefined when the text is no usable YAML. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Turns a finding into a problem by looking up where its path stands. */
  locate(finding: Finding): Problem;
}

/** Reads YAML. Never throws, whatever the text. */
export function parseConfigText(file: string, text: string): ConfigText {
  const counter = new LineCounter();
  const lines = text.split(/\r\n|\n|\r/);
  const shownLines = blankByText(lines);
  const problemAt = (place: Place, finding: Finding, path: ConfigPath = finding.path): Problem => ({
    severity: finding.severity ?? "error",
    file,
    ...place,
    path: formatPath(path),
    code: finding.code,
    message: finding.message,
    remedy: finding.remedy,
  });
  const unusable = (finding: Finding, offset = 0): ConfigText => ({
    file,
    lines: shownLines,
    value: undefined,
    problems: [problemAt(placeOf(counter, lines, offset, offset + 1), finding)],
    locate: (other) => problemAt({ line: 1, column: 1, length: 1 }, other),
  });

  if (parsingCost(text) === "excessive") return unusable(TOO_DEEP);
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: counter,
      strict: true,
      // structure.ts looks for duplicates: the parser's own search takes quadratic time.
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
      logLevel: "error",
    });
  } catch {
    // The composer recurses: absurd nesting ends in a RangeError rather than in a list of errors.
    return unusable(TOO_DEEP);
  }
  const place = (start: number, end: number): Place => placeOf(counter, lines, start, end);
  const faults = [...document.errors, ...document.warnings]
    .slice(0, MAX_PROBLEMS)
    .map((fault) => problemAt(place(...fault.pos), syntaxFinding(fault.code, fault.message)));
  if (faults.length > 0) return { ...unusable(TOO_DEEP), problems: faults };

  const structural = structureFaults(document).slice(0, MAX_PROBLEMS);
  if (structural.length > 0) {
    return { ...unusable(TOO_DEEP), problems: structural.map(({ range, finding }) => problemAt(place(...range), finding)) };
  }
  return {
    file,
    lines: blank(lines, counter, sensitiveSpans(document)),
    value: document.toJS({ maxAliasCount: MAX_ALIASES }),
    problems: [],
    locate: (finding) => {
      const path = writtenPath(document, finding.path);
      return problemAt(place(...rangeOf(document, path, finding.at ?? "value")), finding, path);
    },
  };
}

const SYNTAX_REMEDY: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces; YAML does not allow tabs there",
  BAD_INDENT: "align this line with its neighbours: keys of one mapping start in one column",
  MULTIPLE_DOCS: "keep one document per file: remove the `---` and what follows",
  MISSING_CHAR: "close the quote or bracket that was opened, or quote the whole value",
  UNEXPECTED_TOKEN: "quote the value if it starts with a special character such as * & ! % @ { [",
  TAG_RESOLVE_FAILED: "remove the tag; values are plain text, numbers, lists and mappings",
};

function syntaxFinding(code: string, message: string): Finding {
  // The parser's messages may quote the file; the excerpt shows the place already.
  const what = message.split("\n", 1)[0]?.replace(/[:;]\s.*$/, "") ?? code;
  return {
    path: [],
    code: "ERR_CONFIG_SYNTAX",
    message: `not valid YAML: ${what}`,
    remedy: SYNTAX_REMEDY[code] ?? "check indentation, quotes and brackets around this place",
  };
}

/** The source range of a path; of the nearest ancestor where the path does not exist (a missing key). */
function rangeOf(document: Document.Parsed, path: ConfigPath, at: "key" | "value"): readonly [number, number] {
  let node: unknown = document.contents;
  let range: readonly [number, number] = [0, 1];
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
      if (pair === undefined) return range;
      // A whole mapping or list is pointed at through its key: underlining its first line would mark the wrong thing.
      const atKey = (last && at === "key") || !isScalar(pair.value) || !spansText(pair.value);
      range = rangeOfNode(atKey ? pair.key : pair.value);
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      if (item === undefined) return range;
      range = rangeOfNode(firstKey(item) ?? item);
      node = item;
    } else return range;
  }
  return range;
}

/** `grafana: 3000` may stand for `grafana: { url: 3000 }`: a path that goes on below a scalar ends at the scalar. */
function writtenPath(document: Document.Parsed, path: ConfigPath): ConfigPath {
  let node: unknown = document.contents;
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isScalar(node) && node.value !== null) return path.slice(0, index);
    node = isMap(node) || isSeq(node) ? node.get(step, true) : undefined;
  }
  return path;
}

/** An empty value (`key:`) has no text of its own to point at. */
function spansText(scalar: Scalar): boolean {
  return scalar.range !== null && scalar.range !== undefined && scalar.range[1] > scalar.range[0];
}

function firstKey(item: unknown): unknown {
  return isMap(item) ? item.items[0]?.key : undefined;
}

function placeOf(counter: LineCounter, lines: readonly string[], start: number, end: number): Place {
  const { line, col } = counter.linePos(start);
  let safeLine = Math.min(Math.max(line, 1), Math.max(lines.length, 1));
  let column = Math.max(col, 1);
  // What is missing at the end of the file is missing behind the last line that says something.
  for (; safeLine > 1 && isBlank(lines[safeLine - 1]); safeLine--) column = (lines[safeLine - 2] ?? "").length + 1;
  const restOfLine = (lines[safeLine - 1] ?? "").length - column + 1;
  return { line: safeLine, column, length: Math.max(1, Math.min(end - start, restOfLine)) };
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || line.trim() === "";
}

/** Stars over the spans, which may run over several lines. */
function blank(lines: readonly string[], counter: LineCounter, spans: readonly (readonly [number, number])[]): readonly string[] {
  const shown = [...lines];
  for (const [start, end] of spans) {
    const from = counter.linePos(start);
    const to = counter.linePos(end);
    for (let line = from.line; line <= to.line; line++) {
      const text = shown[line - 1] ?? "";
      const left = line === from.line ? from.col - 1 : 0;
      const right = line === to.line ? to.col - 1 : text.length;
      shown[line - 1] = text.slice(0, left) + "*".repeat(Math.max(0, right - left)) + text.slice(right);
    }
  }
  return shown;
}

/** For messages: what kind of thing stands there. Never the value itself, which might be a secret. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return "text";
  return typeof value === "number" ? `the number ${value}` : printable(String(value));
}
