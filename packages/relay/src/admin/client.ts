// The side of the admin socket that commands use.

import { request } from "node:http";
import { SallyportError, type ErrorCode } from "@sallyport/shared/errors";
import type { AdminClient, AdminHandlers } from "./api.ts";
import { ADMIN_PATH_PREFIX, adminSocketPath } from "./socket.ts";

const CALL_TIMEOUT_MS = 60_000;
/** Answers are lists at most; more than this is no answer of ours. */
const MAX_ANSWER_BYTES = 67_108_864;

/** A client of the relay that runs on this state folder; undefined when none answers. */
export async function connectAdmin(folder: string): Promise<AdminClient | undefined> {
  const path = adminSocketPath(folder);
  const client: AdminClient = {
    live: true,
    call: (operation, input = {}) => post(path, operation, input),
    close: () => Promise.resolve(),
  };
  try {
    await client.call("ping");
    return client;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Nothing there, or a socket whose relay is dead.
    if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
    if (code === "EACCES") {
      throw new SallyportError("ERR_ADMIN_ACCESS", `You may not use ${path}. Run the command as the user that the relay runs as.`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** The same operations, in this process. `close` lets go of what they work on. */
export function localAdmin(handlers: AdminHandlers, close: () => Promise<void>): AdminClient {
  return {
    live: false,
    async call(operation, input = {}) {
      const handler = Object.hasOwn(handlers, operation) ? handlers[operation] : undefined;
      if (handler === undefined)
        throw new SallyportError("ERR_ADMIN_NOT_RUNNING", "This needs a running relay. Start it with: sallyport-relay serve");
      // Through JSON, so that a command sees the same types either way.
      return JSON.parse(JSON.stringify((await handler(input)) ?? null)) as unknown;
    },
    close,
  };
}

function post(socketPath: string, operation: string, input: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const call = request(
      { socketPath, path: ADMIN_PATH_PREFIX + operation, method: "POST", headers, timeout: CALL_TIMEOUT_MS },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > MAX_ANSWER_BYTES) response.destroy(new Error("the relay's answer is too large"));
        });
        response.on("error", reject);
        response.on("end", () => {
          try {
            const body: unknown = JSON.parse(text);
            if (response.statusCode === 200) resolve(body);
            else reject(remoteError(body));
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      },
    );
    call.on("timeout", () =>
      call.destroy(new SallyportError("ERR_ADMIN_TIMEOUT", "The relay did not answer within a minute; its log may say why.")),
    );
    call.on("error", reject);
    call.end(JSON.stringify(input));
  });
}

function remoteError(body: unknown): SallyportError {
  const { error, message } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const code = typeof error === "string" && error.startsWith("ERR_") ? (error as ErrorCode) : "ERR_ADMIN_FAULT";
  return new SallyportError(
    code,
    typeof message === "string" ? message : "The relay answered with an error that this command does not know.",
  );
}
