// Problems as a person at a terminal reads them: the place, the line, a caret under it, what to write instead.

import { type Problem, UNPRINTABLE } from "./problem.ts";

/** Longer lines are cut around the caret. */
const MAX_EXCERPT = 120;

/** https://no-color.org: set and not empty means no. */
export function wantsColor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

export interface RenderOptions {
  /** ANSI colours; only for a terminal that wants them. */
  readonly color: boolean;
  /** Lines of the file the problems are about, secrets blanked; none when it could not be read. */
  readonly lines: readonly string[];
}

/**
 * ```text
 * error[ERR_CONFIG_UNKNOWN_KEY]: unknown key "hostnam"
 *   --> relay.yaml:12:5  applications[0].hostnam
 *    |
 * 12 |     hostnam: grafana.example.com
 *    |     ^^^^^^^
 *    = write "hostname"
 * ```
 */
export function renderProblem(problem: Problem, options: RenderOptions): string {
  const paint = painter(options.color);
  const tint = problem.severity === "error" ? paint.red : paint.yellow;
  const number = String(problem.line);
  const gutter = " ".repeat(number.length);
  const head = `${tint(`${problem.severity}[${problem.code}]`)}${paint.bold(`: ${problem.message}`)}`;
  const where = `${gutter}${paint.blue("-->")} ${problem.file}:${problem.line}:${problem.column}${problem.path === "" ? "" : `  ${problem.path}`}`;
  const remedy = `${gutter} ${paint.blue("=")} ${problem.remedy}`;
  const source = options.lines[problem.line - 1];
  if (source === undefined || source.trim() === "") return [head, where, remedy].join("\n");
  const { text, column } = excerpt(source, problem.column);
  const carets = "^".repeat(Math.max(1, Math.min(problem.length, text.length - column + 1)));
  return [
    head,
    where,
    paint.blue(`${gutter} |`),
    `${paint.blue(`${number} |`)} ${text}`,
    `${paint.blue(`${gutter} |`)} ${" ".repeat(column - 1)}${tint(carets)}`,
    remedy,
  ].join("\n");
}

/** All problems, errors first, in the order of the file, and a closing count. */
export function renderProblems(problems: readonly Problem[], options: RenderOptions): string {
  const ordered = [...problems].sort((a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column);
  return [...ordered.map((problem) => renderProblem(problem, options)), summary(problems)].join("\n\n");
}

/** `2 errors, 1 warning` */
export function summary(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const warnings = problems.length - errors;
  const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;
  return warnings === 0 ? count(errors, "error") : `${count(errors, "error")}, ${count(warnings, "warning")}`;
}

function rank(problem: Problem): number {
  return problem.severity === "error" ? 0 : 1;
}

function excerpt(source: string, column: number): { readonly text: string; readonly column: number } {
  // One column per character, so that the caret stays under its place.
  const safe = source.replaceAll("\t", " ").replaceAll(UNPRINTABLE, "?");
  if (safe.length <= MAX_EXCERPT) return { text: safe, column };
  const start = Math.max(0, Math.min(column - 1 - MAX_EXCERPT / 3, safe.length - MAX_EXCERPT));
  const offset = Math.floor(start);
  return { text: safe.slice(offset, offset + MAX_EXCERPT), column: column - offset };
}

type Paint = (text: string) => string;

function painter(color: boolean): { readonly red: Paint; readonly yellow: Paint; readonly blue: Paint; readonly bold: Paint } {
  const style =
    (code: number): Paint =>
    (text) =>
      color ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { red: style(31), yellow: style(33), blue: style(34), bold: style(1) };
}
