// Running a connector until it ends: first signal drains, second ends at once (T6). Shared by `run` and `http`.

import { SallyportError } from "@sallyport/shared/errors";
import type { Connector } from "../connector.ts";
import { errorFields, type Logger } from "../observe/logger.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export interface ServeOptions {
  /** How long streams in flight may take to finish after the first signal. Default of the command line: 30 s. */
  readonly graceMs: number;
  readonly logger: Logger;
  /** Who watches. Default `log`: a refusal is a line of the log too, for programs; a `person` reads it once. */
  readonly audience?: "log" | "person";
}

/** Starts the connector and returns the exit code when it has ended. */
export async function serve(connector: Connector, { graceMs, logger, audience = "log" }: ServeOptions, io: Io): Promise<ExitCode> {
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals === 1) {
      logger.info(
        { graceMs, openStreams: connector.status().tunnel.openStreams },
        "draining: no new streams, those in flight may finish; a second signal ends at once",
      );
      connector.drain(graceMs);
    } else {
      connector.close();
    }
  };
  const undo = [io.keepAlive(), io.onSignal("SIGTERM", onSignal), io.onSignal("SIGINT", onSignal)];
  try {
    await connector.start();
    const end = await connector.ended;
    if (end.kind === "refused") {
      if (audience === "log") logger.error(errorFields(end.error), "the relay refuses this connector for good");
      io.err(explainRefusal(end.error));
      return ExitCode.REFUSED;
    }
    logger.info({ cutStreams: end.cut }, "connector ended");
    return signals > 1 ? ExitCode.FAILED : ExitCode.OK;
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    io.err(`error[${error.code}]: ${error.message}`);
    return ExitCode.FAILED;
  } finally {
    for (const step of undo) step();
  }
}

/** A permanent refusal, with what to do about it. */
export function explainRefusal(error: SallyportError): string {
  const { remedy } = error as { readonly remedy?: unknown };
  const advice =
    typeof remedy === "string" ? remedy : "ask the relay's operator; `sallyport-relay status` there shows tunnels and credentials";
  return `error[${error.code}]: ${error.message}\n   = ${advice}`;
}
