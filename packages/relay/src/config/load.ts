// relay.yaml from the disk to a configuration that may go live: read, parse, check every rule, read what it refers to,
// compile the policies and run the tests. All problems at once (O2). Never throws for anything in the file.

import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import type { Clock } from "@sallyport/shared/clock";
import { checkCertificateNames } from "./check-certificates.ts";
import { checkClientCertificates } from "./check-client-certificates.ts";
import { checkNetwork } from "./check-network.ts";
import { checkOriginIdentity } from "./check-origin-identity.ts";
import { checkPolicies } from "./check-policies.ts";
import { checkProviders } from "./check-providers.ts";
import { testPolicies } from "./test-policies.ts";
import { checkReferences } from "./check-references.ts";
import { RELAY_SCHEMA } from "./json-schema.ts";
import { readBounded, type Surroundings } from "./files.ts";
import { findingsOf, finding } from "@sallyport/shared/config/issues";
import { hasErrors, MAX_PROBLEMS, type Finding, type Problem } from "@sallyport/shared/config/problem";
import { assemble, resolveReferences } from "./resolve.ts";
import { parseDocument } from "./schema.ts";
import { survey } from "./survey.ts";
import { MAX_CONFIG_BYTES, parseConfigText, type ConfigText } from "@sallyport/shared/config/text";
import type { RelayConfig } from "./types.ts";

export interface LoadOptions {
  /** Path of relay.yaml. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

interface LoadReport {
  /** Lines of the file for excerpts, secrets blanked; empty when it could not be read. */
  readonly lines: readonly string[];
  /** Absolute paths of the file and of all it refers to, as far as known. */
  readonly watchedFiles: readonly string[];
}

export type LoadResult =
  | (LoadReport & { readonly ok: true; readonly config: RelayConfig; readonly warnings: readonly Problem[] })
  | (LoadReport & { readonly ok: false; readonly problems: readonly Problem[] });

/** Loads a configuration file. */
export async function loadConfig(options: LoadOptions): Promise<LoadResult> {
  const file = resolve(options.file);
  const reading = await readBounded(file, MAX_CONFIG_BYTES);
  if (!reading.ok) return unreadable(options.file, file, reading.reason);
  const source = decode(reading.bytes);
  if (source === undefined) return unreadable(options.file, file, "it is not UTF-8 text");
  const text = parseConfigText(options.file, source);
  if (text.value === undefined) return { ok: false, problems: text.problems, lines: text.lines, watchedFiles: [file] };
  const around: Surroundings = { folder: dirname(file), env: options.env, nowMs: options.clock.now() };
  const hash = createHash("sha256").update(reading.bytes).digest("hex");
  return await judge(text, file, hash, around, worldWritable(reading.mode, file));
}

async function judge(text: ConfigText, file: string, hash: string, around: Surroundings, early: readonly Finding[]): Promise<LoadResult> {
  const parsed = parseDocument(text.value);
  const issues = parsed.ok ? [] : parsed.issues;
  const document = parsed.ok ? parsed.document : undefined;
  const known = survey(text.value, issues, document);
  const resolved = await resolveReferences(known, around);
  const watchedFiles = [...new Set([file, ...resolved.files])];
  const findings: Finding[] = [
    ...early,
    ...findingsOf(issues, text.value, RELAY_SCHEMA),
    ...checkReferences(known),
    ...checkNetwork(known),
    ...checkProviders(known),
    ...resolved.findings,
    ...checkCertificateNames(known, resolved),
    ...checkPolicies(known),
    ...checkClientCertificates(known),
    ...checkOriginIdentity(known),
  ];
  if (document !== undefined && !findings.some(isError)) findings.push(...testPolicies(document, resolved.geoip?.countryOf, around.nowMs));
  const problems = locateFirst(text, findings);
  if (document === undefined || hasErrors(problems)) return { ok: false, problems, lines: text.lines, watchedFiles };
  return {
    ok: true,
    config: assemble(document, resolved, { file, hash, watchedFiles }),
    warnings: problems,
    lines: text.lines,
    watchedFiles,
  };
}

function unreadable(shown: string, file: string, reason: string): LoadResult {
  const problem: Problem = {
    severity: "error",
    file: shown,
    line: 1,
    column: 1,
    length: 1,
    path: "",
    code: "ERR_CONFIG_FILE",
    message: `cannot use the configuration file: ${reason}`,
    remedy: "give the path of relay.yaml with --config",
  };
  return { ok: false, problems: [problem], lines: [], watchedFiles: [file] };
}

function isError(one: Finding): boolean {
  return (one.severity ?? "error") === "error";
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Who can write this file decides who may enter (R-J4). */
function worldWritable(mode: number, file: string): Finding[] {
  if ((mode & 0o002) === 0) return [];
  return [
    finding(
      [],
      "ERR_CONFIG_INSECURE",
      "every user of this machine can write this file, and so decide who may enter",
      `take the right away: chmod o-w ${file}`,
    ),
  ];
}

/** Errors first. Beyond the bound nothing is looked up: each look-up reads through the file. */
function locateFirst(text: ConfigText, findings: readonly Finding[]): readonly Problem[] {
  const ordered = [...findings.filter(isError), ...findings.filter((one) => !isError(one))];
  const problems = ordered.slice(0, MAX_PROBLEMS).map((one) => text.locate(one));
  const next = ordered[MAX_PROBLEMS];
  if (next === undefined) return problems;
  const rest = finding([], "ERR_CONFIG_TOO_MANY_PROBLEMS", "more problems are not listed", "mend those above and run the check again");
  return [...problems, text.locate({ ...rest, severity: next.severity ?? "error" })];
}
