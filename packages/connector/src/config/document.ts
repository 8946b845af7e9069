// YAML text to a plain value, keeping where each key and value stands. Must not know what the configuration means.

import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, visit } from "yaml";
import { type ConfigCode, type ConfigPath, type Finding, formatPath, type Problem } from "./problem.ts";

/** A connector.yaml of this size is a mistake. */
export const MAX_CONFIG_BYTES = 1_048_576;

export interface ConfigDocument {
  readonly value: unknown;
  /** Syntax problems; when there are any, `value` means nothing. */
  readonly problems: readonly Problem[];
  locate(finding: Finding): Problem;
}

/** Reads one YAML document. Aliases and duplicate keys are problems: both make a file say something else than it seems to. */
export function readDocument(file: string, text: string): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, prettyErrors: false, schema: "core" });
  const at = (offset: number): { readonly line: number; readonly column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problem = (offset: number, code: ConfigCode, message: string, remedy: string): Problem => ({
    severity: "error",
    file,
    ...at(offset),
    path: "",
    code,
    message,
    remedy,
  });
  const problems = document.errors.map((error) =>
    error.code === "DUPLICATE_KEY"
      ? problem(error.pos[0], "ERR_CONFIG_DUPLICATE_KEY", "this key is written twice", "keep one of the two")
      : problem(
          error.pos[0],
          "ERR_CONFIG_SYNTAX",
          `not valid YAML (${error.code})`,
          "check indentation, quotes and colons near this place",
        ),
  );
  visit(document, {
    Alias: (_key, node) =>
      void problems.push(problem(node.range?.[0] ?? 0, "ERR_CONFIG_ALIAS", "aliases are not allowed", "write the value out")),
  });
  return {
    value: problems.length > 0 ? undefined : (document.toJS() as unknown),
    problems,
    locate: ({ severity = "error", path, at: side = "value", code, message, remedy }) => ({
      severity,
      file,
      ...at(offsetOf(document.contents, path, side)),
      path: formatPath(writtenPath(document.contents, path)),
      code,
      message,
      remedy,
    }),
  };
}

// A path that does not exist (a missing key) points at the nearest thing that does: the key of its parent.
function offsetOf(root: Node | null, path: ConfigPath, side: "key" | "value"): number {
  let node: unknown = root;
  let offset = startOf(root) ?? 0;
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => isPair(item) && isNode(item.key) && keyText(item.key) === String(step));
      if (pair === undefined) return offset;
      const keyOffset = startOf(pair.key) ?? offset;
      offset = last && side === "value" ? (startOf(pair.value) ?? keyOffset) : keyOffset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number") {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

// `grafana: 3000` stands for `grafana: { url: 3000 }`: a path that goes on below a scalar ends at the scalar.
function writtenPath(root: Node | null, path: ConfigPath): ConfigPath {
  let node: unknown = root;
  for (const [index, step] of path.entries()) {
    if (isScalar(node)) return path.slice(0, index);
    node = isMap(node) || isSeq(node) ? node.get(step, true) : undefined;
  }
  return path;
}

function keyText(key: Node): string {
  return isAlias(key) ? "" : String((key as { readonly value?: unknown }).value);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
