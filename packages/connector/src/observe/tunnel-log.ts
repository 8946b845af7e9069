// What is logged (and counted) about the tunnel: state changes only, so that a quiet log means a quiet tunnel. One child
// logger per connection.

import { LogField } from "@sallyport/shared/log-fields";
import type { SallyportError } from "@sallyport/shared/errors";
import type { Services } from "../config/types.ts";
import type { RelayNotice } from "../tunnel/connect.ts";
import type { Goaway, ServingConnection, SlotObserver } from "../tunnel/slot.ts";
import { errorFields, type Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** More than this and signatures with times in them begin to fail (R-K3). */
export const MAX_CLOCK_SKEW_MS = 30_000;

export class TunnelLog implements SlotObserver {
  readonly #logger: Logger;
  readonly #metrics: () => Metrics;
  readonly #connections = new WeakMap<ServingConnection, Logger>();
  #skewed = false;

  constructor(logger: Logger, metrics: () => Metrics) {
    this.#logger = logger;
    this.#metrics = metrics;
  }

  onAttempt(slot: number, attempt: number): void {
    this.#metrics().attempted();
    this.#logger.debug({ slot, [LogField.attempt]: attempt }, "connecting to the relay");
  }

  onConnected(slot: number, connection: ServingConnection): void {
    const child = this.#logger.child({ [LogField.connectionId]: connection.connectionId, slot });
    this.#connections.set(connection, child);
    child.info("connected to the relay");
  }

  onWaiting(slot: number, waitMs: number, error: SallyportError | undefined): void {
    if (error !== undefined) this.#metrics().failed(error.code);
    this.#logger.warn(
      { slot, [LogField.waitMs]: waitMs, ...(error === undefined ? {} : errorFields(error)) },
      "not connected to the relay: trying again after the wait",
    );
  }

  onGoaway(slot: number, connection: ServingConnection, goaway: Goaway): void {
    const child = this.#connections.get(connection) ?? this.#logger;
    child.info(
      { slot, [LogField.code]: goaway.reason, [LogField.reason]: goaway.text, openStreams: connection.openStreams },
      "the relay asked this connection to leave: opening another one",
    );
  }

  /** Reports a clock that is wrong once, and again after it was right in between. */
  clock({ clockSkewMs }: RelayNotice): void {
    if (clockSkewMs === undefined) return;
    const skewed = Math.abs(clockSkewMs) > MAX_CLOCK_SKEW_MS;
    if (skewed && !this.#skewed)
      this.#logger.warn(
        { skewMs: clockSkewMs, [LogField.remedy]: "set the clock of this machine (NTP)" },
        "this machine's clock differs from the relay's: assertions may be refused",
      );
    this.#skewed = skewed;
  }

  /** What the relay publishes through this tunnel, and where it does not fit the allow list. */
  grants({ grants, tunnel }: RelayNotice, services: Services): void {
    this.#logger.info({ [LogField.tunnel]: tunnel, urls: grants.map(({ url }) => url) }, "published by the relay");
    for (const { service, url } of grants) {
      if (services.has(service)) continue;
      this.#logger.warn(
        {
          [LogField.service]: service,
          url,
          [LogField.remedy]: `add ${service} to services of this connector, or correct the application on the relay`,
        },
        "the relay publishes a service that this connector does not have",
      );
    }
    if (grants.length === 0)
      this.#logger.warn(
        { [LogField.tunnel]: tunnel, [LogField.remedy]: `add an application with tunnel: ${tunnel} to the relay's configuration` },
        "the relay publishes nothing through this tunnel",
      );
  }
}
