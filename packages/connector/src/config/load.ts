// Reads connector.yaml: every problem at once, or a configuration to run with. Used at the start, by `check` and on
// each reload, so that all three judge alike.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { findingsOf } from "@sallyport/shared/config/issues";
import { hasErrors, MAX_PROBLEMS, type Problem } from "@sallyport/shared/config/problem";
import { MAX_CONFIG_BYTES, parseConfigText } from "@sallyport/shared/config/text";
import type { Environment } from "../tunnel/proxy.ts";
import { CONNECTOR_SCHEMA } from "./json-schema.ts";
import { directoryProblem } from "./permissions.ts";
import { Resolver } from "./resolve.ts";
import { configSchema } from "./schema.ts";
import type { ConnectorConfig } from "./types.ts";

interface LoadReport {
  /** Absolute paths whose change is a reason to load again. */
  readonly files: readonly string[];
  /** Lines of the file for excerpts, secrets blanked; empty when it could not be read. */
  readonly lines: readonly string[];
}

export type LoadResult =
  | (LoadReport & { readonly kind: "loaded"; readonly config: ConnectorConfig; readonly warnings: readonly Problem[] })
  | (LoadReport & { readonly kind: "refused"; readonly problems: readonly Problem[] });

/** Loads a configuration file. Never throws for anything the file or its references hold. */
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
  const document = parseConfigText(file, text);
  const { lines } = document;
  if (document.problems.length > 0) return { kind: "refused", problems: document.problems, files: [absolute], lines };
  const parsed = configSchema.safeParse(document.value);
  if (!parsed.success) {
    const findings = findingsOf(parsed.error.issues, document.value, CONNECTOR_SCHEMA).slice(0, MAX_PROBLEMS);
    return { kind: "refused", problems: findings.map((finding) => document.locate(finding)), files: [absolute], lines };
  }
  const resolver = new Resolver(absolute, environment);
  const config = resolver.resolve(parsed.data);
  const problems = resolver.findings.slice(0, MAX_PROBLEMS).map((finding) => document.locate(finding));
  const files = [absolute, ...resolver.files];
  return hasErrors(problems) ? { kind: "refused", problems, files, lines } : { kind: "loaded", config, warnings: problems, files, lines };
}

function refused(file: string, absolute: string, code: Problem["code"], message: string, remedy: string): LoadResult {
  return {
    kind: "refused",
    problems: [{ severity: "error", file, line: 1, column: 1, length: 1, path: "", code, message, remedy }],
    files: [absolute],
    lines: [],
  };
}
