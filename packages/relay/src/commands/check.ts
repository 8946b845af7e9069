// `sallyport-relay check`: everything that is wrong with a configuration, at once, with the place and what to write.

import { systemClock } from "@sallyport/shared/clock";
import type { Command } from "commander";
import { loadConfig, type LoadResult } from "../config/load.ts";
import { renderProblems } from "@sallyport/shared/config/render";
import type { RelayConfig } from "../config/types.ts";
import { configOption, ExitCode, jsonLine, jsonOption, processOutput, type Output } from "./output.ts";

export interface CheckArguments {
  readonly config: string;
  readonly json?: boolean;
}

export function registerCheckCommand(program: Command): void {
  program
    .command("check")
    .summary("check a configuration, and run its policy tests")
    .description(
      "Checks a configuration without starting anything: every mistake at once, with its place and what to write instead,\nthen what is suspicious, then the file's own policy tests. Reads the files and environment variables it refers to.",
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExit codes: 0 fit to go live (warnings aside), 1 problems, 2 usage.\n\nExample:\n  $ sallyport-relay check --config relay.yaml && systemctl reload sallyport-relay\n",
    )
    .action(async (args: CheckArguments) => {
      const result = await loadConfig({ file: args.config, env: process.env, clock: systemClock });
      process.exitCode = reportCheck(result, args, processOutput(process.stdout));
    });
}

/** Writes the report; returns the exit code. */
export function reportCheck(result: LoadResult, args: CheckArguments, output: Output): number {
  const problems = result.ok ? result.warnings : result.problems;
  if (args.json === true) {
    output.out(
      jsonLine({
        ok: result.ok,
        file: args.config,
        problems,
        ...(result.ok ? { hash: result.config.source.hash, counts: counts(result.config) } : {}),
      }),
    );
  } else {
    if (problems.length > 0) output.out(`${renderProblems(problems, { color: output.color, lines: result.lines })}\n\n`);
    output.out(result.ok ? `${args.config} is fit to go live: ${describe(result.config)}\n` : `${args.config} cannot go live\n`);
  }
  return result.ok ? ExitCode.ok : ExitCode.problems;
}

interface Counts {
  readonly applications: number;
  readonly tunnels: number;
  readonly policies: number;
  readonly testsPassed: number;
}

function counts(config: RelayConfig): Counts {
  return {
    applications: config.applications.length,
    tunnels: config.tunnels.length,
    policies: config.policies.length,
    testsPassed: config.tests.length,
  };
}

function describe(config: RelayConfig): string {
  const { applications, tunnels, policies, testsPassed } = counts(config);
  const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;
  const parts = [
    count(applications, "application", "applications"),
    count(tunnels, "tunnel", "tunnels"),
    count(policies, "policy", "policies"),
  ];
  return [...parts, testsPassed === 0 ? "no policy tests" : `${count(testsPassed, "policy test", "policy tests")} passed`].join(", ");
}
