// `sallyport-relay explain`: why a request would be, or was, let in or refused. Runs the code that decides live traffic on
// the configuration in the file (R-M6); changes nothing and asks no relay.

import { systemClock } from "@sallyport/shared/clock";
import { Option, type Command } from "commander";
import { compileApplications } from "../authz/compile.ts";
import { evaluatorsOf } from "../authz/evaluators.ts";
import { explain, type Explanation } from "../authz/explain.ts";
import { renderExplanation } from "../authz/explain-text.ts";
import { noCountry } from "../authz/facts.ts";
import { visitorFacts } from "../authz/policy-tests.ts";
import { loadConfig } from "../config/load.ts";
import { parseTestRequest, policyTestsSchema } from "../config/policy-test-schema.ts";
import type { TestVisitor } from "../config/policy-types.ts";
import { formatPath } from "@sallyport/shared/config/problem";
import { renderProblems } from "@sallyport/shared/config/render";
import { createRouteFor } from "../config/route-for.ts";
import { onlyProvider } from "../config/test-policies.ts";
import type { RelayConfig } from "../config/types.ts";
import { findRecord, readingOf, type RecordedRequest } from "./find-record.ts";
import { configOption, ExitCode, jsonLine, jsonOption, processOutput, type Output } from "./output.ts";

export interface ExplainArguments {
  readonly config: string;
  readonly request?: string;
  readonly requestId?: string;
  readonly asEmail?: string;
  readonly asGroup?: readonly string[];
  readonly asAuthMethod?: readonly string[];
  readonly asProvider?: string;
  readonly asServiceToken?: string;
  readonly asCertificate?: readonly string[];
  readonly asExternal?: readonly string[];
  readonly ip?: string;
  readonly country?: string;
  readonly at?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Without --as options the visitor has not signed in. What is not said (address, country, groups) is unknown,
as it is for a visitor of whom the relay does not know it.

Exit codes: 0 explained, whatever the decision; 1 not possible; 2 usage.

Examples:
  $ sallyport-relay explain --as-email ann@example.com --as-group eng --request "GET https://grafana.example.com/"
  $ sallyport-relay explain --request-id 0198c1f2-6d1e-7c3a-9f52-5b0a4f6f6c11
`;

export function registerExplainCommand(program: Command): void {
  program
    .command("explain")
    .summary("show why a request is let in or refused")
    .description("Shows every step of one decision, for a visitor you describe or for a request from the record.")
    .addOption(configOption())
    .addOption(
      new Option("--request <method and URL>", 'what is asked for, such as "GET https://grafana.example.com/"').conflicts("requestId"),
    )
    .addOption(new Option("--request-id <id>", "a request from the record: who asked and for what is read there"))
    .addOption(new Option("--as-email <address>", "a person with this verified mail address"))
    .addOption(new Option("--as-group <name>", "who is in this group; may be repeated").argParser(collect))
    .addOption(new Option("--as-auth-method <amr>", "who signed in by this method, such as mfa; may be repeated").argParser(collect))
    .addOption(new Option("--as-provider <name>", "who signed in through this identity provider"))
    .addOption(
      new Option("--as-service-token <name>", "a program with this service token").conflicts([
        "asEmail",
        "asGroup",
        "asAuthMethod",
        "asProvider",
      ]),
    )
    .addOption(
      new Option(
        "--as-certificate <name>",
        "with a client certificate that verifies: cn:NAME, dns:NAME, email:, uri:, ip: or fingerprint:HEX; may be repeated",
      ).argParser(collect),
    )
    .addOption(new Option("--as-external <URL=answer>", "an external evaluator's answer, yes or no; may be repeated").argParser(collect))
    .addOption(new Option("--ip <address>", "from this address"))
    .addOption(new Option("--country <code>", "from this country (default: that of the address)"))
    .addOption(new Option("--at <time>", "at this time, RFC 3339 (default: now)"))
    .addOption(jsonOption())
    .addHelpText("after", EXAMPLES)
    .action(async (args: ExplainArguments) => {
      process.exitCode = await runExplain(args, process.env, processOutput());
    });
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** Writes the explanation; returns the exit code. */
export async function runExplain(
  args: ExplainArguments,
  env: Readonly<Record<string, string | undefined>>,
  output: Output,
): Promise<number> {
  if (args.request === undefined && args.requestId === undefined) return usage(output, "say which request: --request or --request-id");
  const loaded = await loadConfig({ file: args.config, env, clock: systemClock });
  if (!loaded.ok) {
    output.error(`${renderProblems(loaded.problems, { color: output.color, lines: loaded.lines })}\n`);
    return ExitCode.problems;
  }
  if (args.requestId !== undefined) return await explainRecorded(loaded.config, args.requestId, args, output);
  const question = readQuestion(visitorOf(args), args.request ?? "");
  if (!question.ok) return usage(output, question.problem);
  writeAnswer(answer(loaded.config, question.as, question.request), args, output);
  return ExitCode.ok;
}

async function explainRecorded(config: RelayConfig, requestId: string, args: ExplainArguments, output: Output): Promise<number> {
  const record = await findRecord(config.records.folder, requestId);
  if (record === undefined) {
    output.error(
      `no record of the request ${JSON.stringify(requestId)} in ${config.records.folder}\n= the record may be older than \`records.maxAge\`, or another relay answered; refused requests without identity are counted, not all recorded\n`,
    );
    return ExitCode.problems;
  }
  const { as, request, unrecorded } = readingOf(record, config.authUrl);
  const question = readQuestion({ ...as, ...visitorOf(args) }, request);
  if (!question.ok) return usage(output, question.problem);
  const asksOutside = evaluatorsOf(config.policies, new Map(config.groups.map((group) => [group.name, group]))).size > 0;
  const said: Readonly<Record<string, boolean>> = {
    groups: args.asGroup !== undefined,
    authMethods: args.asAuthMethod !== undefined,
    external: args.asExternal !== undefined || !asksOutside,
    "alternative names of the certificate": args.asCertificate !== undefined,
  };
  const missing = unrecorded.filter((fact) => said[fact] !== true);
  writeAnswer({ ...answer(config, question.as, question.request), record, unrecorded: missing }, args, output);
  return ExitCode.ok;
}

/** What the command found out; this is the JSON that `--json` prints. */
interface Answer {
  readonly request: string;
  /** Undefined when no policy was asked. */
  readonly explanation: Explanation | undefined;
  /** Why no policy was asked. */
  readonly refused: string | undefined;
  readonly record?: RecordedRequest;
  /** Facts of the recorded visitor that the record does not hold. */
  readonly unrecorded?: readonly string[];
}

function answer(config: RelayConfig, as: TestVisitor, request: string): Answer {
  const parsed = parseTestRequest(request);
  if (parsed === undefined) throw new TypeError("a request that was checked cannot be read");
  const route = createRouteFor(config, compileApplications(config))(parsed.url, parsed.method);
  if (route.kind === "refused") return { request, explanation: undefined, refused: route.code };
  const facts = visitorFacts(as, parsed.method, {
    countryOf: config.geoip?.countryOf ?? noCountry,
    nowMs: systemClock.now(),
    defaultProvider: onlyProvider(config),
  });
  return { request, explanation: explain(route.application, facts), refused: undefined };
}

function writeAnswer(found: Answer, args: ExplainArguments, output: Output): void {
  if (args.json === true) {
    output.out(jsonLine(found));
    return;
  }
  const { explanation, refused, record, unrecorded = [] } = found;
  if (record !== undefined) {
    const by = record.policy === undefined ? "" : `, policy ${record.policy}`;
    output.out(`recorded ${record.time}: ${record.decision} (${record.reason}${by}), status ${record.status}\n`);
    output.out(`decided again now, by the configuration in ${args.config}:\n`);
    if (unrecorded.length > 0)
      output.out(`(not in the record, hence unknown here: ${unrecorded.join(", ")}; give them with --as options)\n`);
    output.out("\n");
  }
  output.out(explanation === undefined ? `deny: no policy was asked (${refused ?? "no application"})\n` : renderExplanation(explanation));
}

type Question =
  | { readonly ok: true; readonly as: TestVisitor; readonly request: string }
  | { readonly ok: false; readonly problem: string };

/** Visitors and requests are read by the rules of policy tests, so that both mean the same. */
function readQuestion(as: TestVisitor, request: string): Question {
  const read = policyTestsSchema.safeParse([{ as, request, expect: "deny" }]);
  const [test] = read.data ?? [];
  if (test !== undefined) return { ok: true, as: test.as, request: test.request };
  const [issue] = read.error?.issues ?? [];
  const place = formatPath((issue?.path ?? []).slice(1) as (string | number)[]);
  return { ok: false, problem: `${place}: ${issue?.message ?? "not understood"}` };
}

function visitorOf(args: ExplainArguments): TestVisitor {
  const visitor: Record<keyof TestVisitor, unknown> = {
    email: args.asEmail,
    groups: args.asGroup,
    authMethods: args.asAuthMethod,
    provider: args.asProvider,
    serviceToken: args.asServiceToken,
    ip: args.ip,
    country: args.country,
    time: args.at,
    claims: undefined,
    clientCertificate: args.asCertificate && certificateOf(args.asCertificate),
    external: args.asExternal && answersOf(args.asExternal),
  };
  return Object.fromEntries(Object.entries(visitor).filter(([, value]) => value !== undefined)) as TestVisitor;
}

/** `cn:ci` and `fingerprint:AB...` are fields of their own; what else there is, is an alternative name. */
function certificateOf(names: readonly string[]): unknown {
  const field = (prefix: string): string | undefined => names.find((name) => name.startsWith(prefix))?.slice(prefix.length);
  const alternatives = names.filter((name) => !/^(?:cn|fingerprint):/.test(name));
  const [commonName, fingerprint] = [field("cn:"), field("fingerprint:")];
  return {
    ...(commonName === undefined ? {} : { commonName }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(alternatives.length === 0 ? {} : { subjectAlternativeNames: alternatives }),
  };
}

/** Anything but yes and no is left to the schema to refuse. */
function answersOf(pairs: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.lastIndexOf("=");
      const answer = pair.slice(at + 1);
      return [pair.slice(0, Math.max(at, 0)), answer === "yes" ? true : answer === "no" ? false : answer];
    }),
  );
}

function usage(output: Output, problem: string): number {
  output.error(`error: ${problem}\n`);
  return ExitCode.usage;
}
