// One entry of the allow list at work: its origins, their balancing, and the compiled request rules. A reload
// that changes an entry makes a new Service; streams under way keep the old one. Must not know the tunnel.

import { createHash } from "node:crypto";

import type { Clock } from "@sallyport/shared/clock";
import { DURATION_BUCKETS_SECONDS, PlainHistogram } from "@sallyport/shared/plain-histogram";
import { Secret } from "@sallyport/shared/secret";

import { compileHeaderEdit } from "./header-edit.ts";
import type { HeaderEdit } from "./header-edit.ts";
import { HealthMonitor } from "./health.ts";
import type { HealthListener } from "./health.ts";
import { Origin } from "./origin.ts";
import type { ServiceOptions } from "./options.ts";
import { createRequestBuilder } from "./request.ts";
import type { RequestBuilder } from "./request.ts";

/** As announced to the relay. */
export type ServiceKind = "http" | "tcp" | "builtin";

/** How long the exchanges of a service took (O4). */
export interface Durations {
  /** From OPEN to the origin's final head. */
  readonly head: PlainHistogram;
  /** From OPEN to the end of both halves, or to what cut them off. */
  readonly total: PlainHistogram;
}

export class Service {
  readonly name: string;
  readonly kind: ServiceKind;
  readonly options: ServiceOptions["options"];
  readonly origins: readonly Origin[];
  readonly buildRequest: RequestBuilder;
  readonly editResponse: HeaderEdit | undefined;
  /** Equal for equal definitions, secrets included. */
  readonly fingerprint: string;
  readonly durations: Durations = {
    head: new PlainHistogram(DURATION_BUCKETS_SECONDS),
    total: new PlainHistogram(DURATION_BUCKETS_SECONDS),
  };
  readonly #monitor: HealthMonitor | undefined;
  #turn = 0;

  constructor(name: string, definition: ServiceOptions, clock: Clock, onHealth: HealthListener) {
    this.name = name;
    this.kind = kindOf(definition);
    this.options = definition.options;
    this.origins = definition.origins.map((address) => new Origin(address, definition.options, clock));
    this.buildRequest = createRequestBuilder(definition.options);
    this.editResponse = compileHeaderEdit(definition.options.setResponseHeaders, definition.options.removeResponseHeaders);
    this.fingerprint = fingerprintOf(definition);
    if (definition.healthCheck !== undefined) {
      this.#monitor = new HealthMonitor(this.origins, definition.healthCheck, definition.options.hostHeader, clock, onHealth);
    }
  }

  /**
   * The origin for the next attempt: the one with the fewest exchanges among those available; when none is, any,
   * because an error that says why is worth more than a refusal that does not.
   * @returns undefined when all were tried
   */
  pick(tried: readonly Origin[]): Origin | undefined {
    if (this.origins.length === 1) return tried.length === 0 ? this.origins[0] : undefined;
    const turn = this.#turn++;
    return (
      this.#leastOutstanding(turn, (origin) => origin.available && !tried.includes(origin)) ??
      this.#leastOutstanding(turn, (origin) => !tried.includes(origin))
    );
  }

  /** Starts at another origin each time, so that equals take turns. */
  #leastOutstanding(turn: number, candidate: (origin: Origin) => boolean): Origin | undefined {
    let best: Origin | undefined;
    for (let i = 0; i < this.origins.length; i++) {
      const origin = this.origins[(turn + i) % this.origins.length] as Origin;
      if (candidate(origin) && (best === undefined || origin.outstanding < best.outstanding)) best = origin;
    }
    return best;
  }

  /** Stops checking and closes what is unused; connections in use close when their exchange ends. */
  close(): void {
    this.#monitor?.close();
    for (const origin of this.origins) origin.close();
  }
}

function kindOf({ origins }: ServiceOptions): ServiceKind {
  switch (origins[0].kind) {
    case "tcp":
      return "tcp";
    case "status":
    case "hello":
      return "builtin";
    case "http":
    case "unix":
      return "http";
  }
}

export function fingerprintOf(definition: ServiceOptions): string {
  // JSON.stringify would ask a Secret for its JSON first; `this` still has the value itself.
  const text = JSON.stringify(definition, function (this: Record<string, unknown>, key: string, value: unknown) {
    const original = this[key];
    return original instanceof Secret ? original.reveal() : value;
  });
  return createHash("sha256").update(text).digest("base64");
}
