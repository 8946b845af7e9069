// A real server behind the connector that tells what it saw. Must not know Sallyport.

import { Program, type ProgramOptions } from "../../../harness/program.ts";
import { RecordingOrigin } from "../origin.ts";
import { readSeenLine, type Seen } from "./seen.ts";

export interface RealOrigin {
  /** Also the connector's service and the first label of the hostname. */
  readonly name: string;
  readonly port: number;
  /** Whether it also tells of requests that it refuses itself. */
  readonly refusals: "told" | "untold";
  seen(): readonly Seen[];
  /** For failures. */
  log(): string;
}

export interface ProgramOrigin extends ProgramOptions {
  readonly port: number;
  readonly refusals: RealOrigin["refusals"];
}

/** A program that writes one line for every request. Ends with the stack. */
export function programOrigin(stack: AsyncDisposableStack, options: ProgramOrigin): RealOrigin & { readonly program: Program } {
  const program = stack.use(new Program(options));
  const seen: Seen[] = [];
  program.onLine((line) => {
    const one = readSeenLine(line);
    if (one !== undefined) seen.push(one);
  });
  const { name, port, refusals } = options;
  return { name, port, refusals, program, seen: () => seen, log: () => program.tail() };
}

/** The strictest reader there is, in this process: the bytes themselves. */
export async function strictOrigin(
  stack: AsyncDisposableStack,
  name = "strict",
): Promise<RealOrigin & { readonly origin: RecordingOrigin }> {
  const origin = await new RecordingOrigin().listen();
  stack.defer(() => origin.close());
  const seen = (): readonly Seen[] =>
    origin.requests.map(({ method, target, fields, body, values }) => ({
      marker: values("x-case")[0] ?? "",
      method,
      target,
      path: target.replace(/\?.*$/, ""),
      fields: fields.map(([key, value]) => [key.toLowerCase().replaceAll(/[_.]/g, "-"), value] as const),
      body,
    }));
  return { name, port: origin.port, refusals: "told", origin, seen, log: () => origin.violations.join("\n") };
}
