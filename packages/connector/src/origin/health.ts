// Active health checks of the origins of one service: a GET per interval and origin, with hysteresis in both
// directions. Must not know requests of visitors.

import type { Clock, Timer } from "@sallyport/shared/clock";

import { ResetCode } from "@sallyport/shared/protocol/codes";

import type { OriginHandler, OriginRequest } from "./exchange.ts";
import type { HealthCheckOptions } from "./options.ts";
import type { Origin } from "./origin.ts";

/** Told on changes only. `reason` is undefined when the origin became healthy. */
export type HealthListener = (origin: Origin, reason: string | undefined) => void;

/** Undefined when the answer was from 200 to 399; else why not. */
type Verdict = string | undefined;

export class HealthMonitor {
  readonly #checks: readonly OriginCheck[];

  constructor(origins: readonly Origin[], options: HealthCheckOptions, host: string | undefined, clock: Clock, listener: HealthListener) {
    this.#checks = origins
      .filter((origin) => origin.engine !== undefined)
      .map((origin) => new OriginCheck(origin, options, host, clock, listener));
  }

  close(): void {
    for (const check of this.#checks) check.close();
  }
}

class OriginCheck {
  readonly #origin: Origin;
  readonly #options: HealthCheckOptions;
  readonly #host: string | undefined;
  readonly #clock: Clock;
  readonly #listener: HealthListener;
  #healthy = true;
  /** Results in a row that contradict `#healthy`. */
  #contradictions = 0;
  #timer: Timer | undefined;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(origin: Origin, options: HealthCheckOptions, host: string | undefined, clock: Clock, listener: HealthListener) {
    this.#origin = origin;
    this.#options = options;
    this.#host = host;
    this.#clock = clock;
    this.#listener = listener;
    this.#timer = clock.after(0, () => this.#run());
  }

  #run(): void {
    this.#cancel = askOrigin(this.#origin, this.#options, this.#host, this.#clock, (answer) => {
      if (this.#closed) return;
      this.#record(verdictOf(answer));
      this.#timer = this.#clock.after(this.#options.intervalMs, () => this.#run());
    });
  }

  #record(verdict: Verdict): void {
    if ((verdict === undefined) === this.#healthy) {
      this.#contradictions = 0;
      return;
    }
    const needed = this.#healthy ? this.#options.unhealthyAfter : this.#options.healthyAfter;
    if (++this.#contradictions < needed) return;
    this.#contradictions = 0;
    this.#healthy = !this.#healthy;
    const reason = verdict === undefined ? undefined : `health check: ${verdict}`;
    this.#origin.setHealth(reason);
    this.#listener(this.#origin, reason);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#cancel?.();
  }
}

export type Answer =
  | { readonly kind: "head"; readonly status: number }
  | { readonly kind: "failed"; readonly code: ResetCode; readonly text: string };

function verdictOf(answer: Answer): Verdict {
  if (answer.kind === "failed") return answer.text;
  return answer.status < 400 ? undefined : `status ${answer.status}`;
}

/**
 * One GET, of which only the response head is read.
 * @param answered called later, once
 * @returns gives up; `answered` is then not called
 */
export function askOrigin(
  origin: Origin,
  options: Pick<HealthCheckOptions, "path" | "timeoutMs">,
  host: string | undefined,
  clock: Clock,
  answered: (answer: Answer) => void,
): () => void {
  let open = true;
  const settle = (answer: Answer): void => {
    if (!open) return;
    open = false;
    timer.cancel();
    exchange?.abort();
    answered(answer);
  };
  const timer = clock.after(options.timeoutMs, () =>
    settle({ kind: "failed", code: ResetCode.ORIGIN_HEADER_TIMEOUT, text: `no answer within ${options.timeoutMs} ms` }),
  );
  const handler: OriginHandler = {
    ready: ignore,
    interim: ignore,
    head: (status) => settle({ kind: "head", status }),
    switched: (_fields, socket) => void socket.destroy(),
    body: ignore,
    complete: ignore,
    writable: ignore,
    failed: ({ code, text }) => settle({ kind: "failed", code, text }),
  };
  // A connection of its own each time: a kept one would not notice that nobody accepts any more.
  const exchange = origin.engine?.open(checkRequest(origin, options.path, host), handler, { fresh: true });
  return () => {
    open = false;
    timer.cancel();
    exchange?.abort();
  };
}

function checkRequest(origin: Origin, path: string, host: string | undefined): OriginRequest {
  const { address } = origin;
  const authority =
    host ?? (address.kind === "http" ? `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}` : "localhost");
  const fields = ["User-Agent", "sallyport-health-check", "Accept", "*/*"];
  return { method: "GET", path, authority, fields, body: { kind: "none" }, expectContinue: false, upgrade: false };
}

function ignore(): void {}
