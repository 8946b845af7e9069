// What can be wrong with connector.yaml, where, and what to write instead; and how a person at a terminal reads it.
// Holds no value from the file: it might be a secret.

/** Stable codes, documented in docs/errors.md. */
export type ConfigCode =
  | "ERR_CONFIG_FILE"
  | "ERR_CONFIG_SYNTAX"
  | "ERR_CONFIG_DUPLICATE_KEY"
  | "ERR_CONFIG_ALIAS"
  | "ERR_CONFIG_UNKNOWN_KEY"
  | "ERR_CONFIG_MISSING_KEY"
  | "ERR_CONFIG_TYPE"
  | "ERR_CONFIG_VALUE"
  | "ERR_CONFIG_CONFLICT"
  | "ERR_CONFIG_INSECURE"
  | "ERR_CONFIG_REFERENCED_FILE"
  | "ERR_CONFIG_SECRET";

/** Keys and indexes from the root of the document. */
export type ConfigPath = readonly (string | number)[];

/** A problem before its place in the file is looked up. */
export interface Finding {
  /** Default: error. A warning does not stop the configuration from going live. */
  readonly severity?: "error" | "warning";
  readonly path: ConfigPath;
  /** Whether to point at the key or at the value. Default: the value. */
  readonly at?: "key" | "value";
  readonly code: ConfigCode;
  readonly message: string;
  /** What to write or do instead. */
  readonly remedy: string;
}

export interface Problem {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters. */
  readonly column: number;
  /** `services.grafana.url`; empty for the document itself. */
  readonly path: string;
  readonly code: ConfigCode;
  readonly message: string;
  readonly remedy: string;
}

/** More are not listed: nobody reads them, and most follow from the first ones. */
export const MAX_PROBLEMS = 200;

/** Characters that could forge a line or reorder it on a terminal (R-M1). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Quotes a name from the file for a message: control and bidirectional characters escaped, cut at 60 characters. */
export function printable(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(shown).replaceAll(UNPRINTABLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Writes a path the way it is read: `services.grafana.urls[1]`; keys that are no plain words are quoted. */
export function formatPath(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[A-Za-z_][\w-]{0,99}$/.test(step)) text += `[${printable(step)}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === "error");
}

/**
 * ```text
 * error[ERR_CONFIG_UNKNOWN_KEY]: unknown key "hostheader"
 *   --> connector.yaml:5:5  services.wiki.hostheader
 *    = write "hostHeader" instead
 * ```
 */
export function renderProblem(problem: Problem): string {
  const path = problem.path === "" ? "" : `  ${problem.path}`;
  return [
    `${problem.severity}[${problem.code}]: ${problem.message}`,
    `  --> ${problem.file}:${problem.line}:${problem.column}${path}`,
    `   = ${problem.remedy}`,
  ].join("\n");
}

/** All problems in the order of the file, errors first, and a closing count. */
export function renderProblems(problems: readonly Problem[]): string {
  const ordered = problems.toSorted((a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column);
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const warnings = problems.length - errors;
  const counts = [counted(errors, "error"), ...(warnings === 0 ? [] : [counted(warnings, "warning")])];
  return [...ordered.map(renderProblem), counts.join(", ")].join("\n\n");
}

function rank(problem: Problem): number {
  return problem.severity === "error" ? 0 : 1;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
