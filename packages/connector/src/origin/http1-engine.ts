// HTTP/1.1 to one origin: undici for nearly everything, node:http for what undici cannot do.
// Must not know streams or services.

import { dial } from "./dial.ts";
import type { DialOptions } from "./dial.ts";
import type { OpenOptions, OriginEngine, OriginExchange, OriginHandler, OriginRequest } from "./exchange.ts";
import { Http1Pool } from "./h1-pool.ts";
import { NodeHttpEngine } from "./node-http-engine.ts";
import { UndiciEngine } from "./undici-engine.ts";

export class Http1Engine implements OriginEngine {
  readonly headWaitsForBody = true;
  readonly #pooled: UndiciEngine;
  readonly #single: NodeHttpEngine;

  /** @param poolIdleMs how long an unused connection is kept; 0 keeps none */
  constructor(dialOptions: Omit<DialOptions, "protocol" | "halfOpen">, poolIdleMs: number) {
    const http1: DialOptions = { ...dialOptions, protocol: "http/1.1" };
    this.#pooled = new UndiciEngine(new Http1Pool(http1, poolIdleMs));
    // Half-open, because an upgraded connection ends its two halves one by one.
    this.#single = new NodeHttpEngine((handler) => dial({ ...http1, halfOpen: true }, handler));
  }

  open(request: OriginRequest, handler: OriginHandler, options: OpenOptions = {}): OriginExchange {
    const single = request.upgrade || request.expectContinue || options.bodyPending === true;
    return single ? this.#single.open(request, handler) : this.#pooled.open(request, handler, options);
  }

  close(): void {
    this.#pooled.close();
  }
}
