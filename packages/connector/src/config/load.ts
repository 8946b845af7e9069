// Reads connector.yaml: every problem at once, or a configuration to run with. Used at the start, by `check` and on
// each reload, so that all three judge alike.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import type { Environment } from "../tunnel/proxy.ts";
import { MAX_CONFIG_BYTES, readDocument } from "./document.ts";
import { findingsOf } from "./issues.ts";
import { directoryProblem } from "./permissions.ts";
import { hasErrors, MAX_PROBLEMS, type Problem } from "./problem.ts";
import { Resolver } from "./resolve.ts";
import { configSchema } from "./schema.ts";
import type { ConnectorConfig } from "./types.ts";

export type LoadResult =
  | { readonly kind: "loaded"; readonly config: ConnectorConfig; readonly warnings: readonly Problem[]; readonly files: readonly string[] }
  | { readonly kind: "refused"; readonly problems: readonly Problem[]; readonly files: readonly string[] };

/**
 * Loads a configuration file. Never throws for anything the file or its references hold.
 * `files` are absolute paths whose change is a reason to load again.
 */
export function loadConfig(file: string, environment: Environment): LoadResult {
  const absolute = resolve(file);
  const unsafe = directoryProblem(absolute);
  if (unsafe !== undefined) return refused(file, absolute, "ERR_CONFIG_INSECURE", unsafe.problem, unsafe.remedy);
  let content: Buffer;
  try {
    content = readFileSync(absolute);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    return refused(
      file,
      absolute,
      "ERR_CONFIG_FILE",
      `the file cannot be read (${code})`,
      "check the path given with --config and its permissions",
    );
  }
  if (content.length > MAX_CONFIG_BYTES) {
    return refused(
      file,
      absolute,
      "ERR_CONFIG_FILE",
      `the file is larger than ${MAX_CONFIG_BYTES} bytes`,
      "this is probably not a connector.yaml",
    );
  }
  return parseConfig(file, content.toString("utf8"), environment);
}

/** As {@link loadConfig}, for text that was read already. `file` names it in problems and anchors relative paths. */
export function parseConfig(file: string, text: string, environment: Environment): LoadResult {
  const absolute = resolve(file);
  const document = readDocument(file, text);
  if (document.problems.length > 0) return { kind: "refused", problems: document.problems.slice(0, MAX_PROBLEMS), files: [absolute] };
  const parsed = configSchema.safeParse(document.value);
  if (!parsed.success) {
    const problems = findingsOf(parsed.error.issues, document.value, annotatedSchema()).map((finding) => document.locate(finding));
    return { kind: "refused", problems: problems.slice(0, MAX_PROBLEMS), files: [absolute] };
  }
  const resolver = new Resolver(absolute, environment);
  const config = resolver.resolve(parsed.data);
  const problems = resolver.findings.map((finding) => document.locate(finding)).slice(0, MAX_PROBLEMS);
  const files = [absolute, ...resolver.files];
  return hasErrors(problems) ? { kind: "refused", problems, files } : { kind: "loaded", config, warnings: problems, files };
}

let annotated: unknown;

// With the `remedy` annotations that the published schema leaves out. Built once.
function annotatedSchema(): unknown {
  annotated ??= z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
  return annotated;
}

function refused(file: string, absolute: string, code: Problem["code"], message: string, remedy: string): LoadResult {
  return {
    kind: "refused",
    problems: [{ severity: "error", file, line: 1, column: 1, path: "", code, message, remedy }],
    files: [absolute],
  };
}
