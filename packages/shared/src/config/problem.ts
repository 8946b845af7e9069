// What can be wrong with a configuration, and where. A problem is made to be read by a person with the file open
// and by a program with --json; it names the place, the fault and what to write instead. Holds no secret value.

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
  | "ERR_CONFIG_NOT_YET"
  | "ERR_CONFIG_REFERENCE"
  | "ERR_CONFIG_DUPLICATE"
  | "ERR_CONFIG_CONFLICT"
  | "ERR_CONFIG_INSECURE"
  | "ERR_CONFIG_REFERENCED_FILE"
  | "ERR_CONFIG_CERTIFICATE"
  | "ERR_CONFIG_SECRET"
  | "ERR_CONFIG_POLICY"
  | "ERR_CONFIG_TEST_FAILED"
  | "ERR_CONFIG_RESTART"
  | "ERR_CONFIG_TOO_MANY_PROBLEMS";

/** Keys and indexes from the root of the document. */
export type ConfigPath = readonly (string | number)[];

export interface Problem {
  /** A warning does not stop the configuration from going live. */
  readonly severity: "error" | "warning";
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters. */
  readonly column: number;
  /** Characters to underline, at least 1, never past the end of the line. */
  readonly length: number;
  /** `applications[2].hostname`; empty for the document itself. */
  readonly path: string;
  readonly code: ConfigCode;
  readonly message: string;
  /** What to write or do instead. */
  readonly remedy: string;
}

/** A problem before its place in the file is looked up. */
export interface Finding {
  readonly severity?: "error" | "warning";
  readonly path: ConfigPath;
  /** Whether to point at the key or at the value. Default: the value. */
  readonly at?: "key" | "value";
  readonly code: ConfigCode;
  readonly message: string;
  readonly remedy: string;
}

/** More than this many problems are not listed: nobody reads them, and most follow from the first ones. */
export const MAX_PROBLEMS = 200;

const PLAIN_KEY = /^[A-Za-z_][\w-]{0,99}$/;

/** Writes a path the way it is read: `applications[2].hostname`; keys that are no plain words are quoted. */
export function formatPath(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!PLAIN_KEY.test(step)) text += `[${printable(step, 60)}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** Quotes text from a file for a message: control and bidirectional characters escaped, cut at `maxLength`. */
export function printable(text: string, maxLength = 80): string {
  const shown = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return JSON.stringify(shown).replaceAll(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Characters that could forge a line or reorder it on a terminal (R-M1). */
export const UNPRINTABLE: RegExp = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}
