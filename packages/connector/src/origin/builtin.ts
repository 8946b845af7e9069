// Origins that dial nothing: `status:NNN`, and `hello`, a real node:http server reached through a pair of
// in-process sockets, so that the test page takes the same path as any other origin. Must not know streams.

import { duplexPair } from "node:stream";

import type { Clock } from "@sallyport/shared/clock";
import { NO_FIELDS } from "@sallyport/shared/http/fields";

import type { OriginEngine, OriginExchange, OriginHandler, OriginRequest } from "./exchange.ts";
import { createHelloServer } from "./hello-server.ts";
import { Http1Engine } from "./http1-engine.ts";
import type { Connect } from "./http1-engine.ts";
import type { OriginAddress } from "./options.ts";

export function createBuiltinEngine(address: Extract<OriginAddress, { readonly kind: "status" | "hello" }>, clock: Clock): OriginEngine {
  return address.kind === "status" ? new StatusEngine(address.status) : createHelloEngine(clock);
}

function createHelloEngine(clock: Clock): OriginEngine {
  const server = createHelloServer(clock);
  const connect: Connect = (handler) => {
    let wanted = true;
    process.nextTick(() => {
      if (!wanted) return;
      const [near, far] = duplexPair();
      // A pair does not pass on that one side was destroyed, as a socket would.
      near.on("close", () => far.destroy());
      far.on("close", () => far.writableFinished || near.destroy());
      server.emit("connection", far);
      handler.connected(near);
    });
    return () => void (wanted = false);
  };
  return new Http1Engine(connect, 0, clock);
}

/** Answers before it has read the body, like any origin that does not care for it. */
class StatusEngine implements OriginEngine {
  readonly #status: number;

  constructor(status: number) {
    this.#status = status;
  }

  open(_request: OriginRequest, handler: OriginHandler): OriginExchange {
    let wanted = true;
    process.nextTick(() => {
      if (wanted) handler.ready();
      if (wanted) handler.head(this.#status, this.#status === 204 || this.#status === 304 ? NO_FIELDS : ["Content-Length", "0"], true);
      if (wanted) handler.complete(NO_FIELDS);
    });
    return { write: () => true, end: ignore, pause: ignore, resume: ignore, abort: () => void (wanted = false) };
  }

  close(): void {
    // Nothing is kept.
  }
}

function ignore(): void {}
