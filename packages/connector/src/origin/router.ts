// The connector's allow list at work (T15, R-K4): a service name from the relay leads to the origins that this
// machine's own configuration gives it, or nowhere. Entry point of the origin side; everything else in this
// folder hangs below it. Must not know connections of the tunnel, assertions or files.

import type { Clock } from "@sallyport/shared/clock";
import { LogField } from "@sallyport/shared/log-fields";
import type { Stream, StreamAcceptor, StreamHandler } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { StreamKind } from "@sallyport/shared/protocol/head";
import type { OpenHead } from "@sallyport/shared/protocol/head";

import { Forward } from "./forward.ts";
import type { OriginLogger } from "./logger.ts";
import type { OriginHealth } from "./origin.ts";
import type { ServiceOptions } from "./options.ts";
import { probeOrigin } from "./probe.ts";
import type { ProbeResult } from "./probe.ts";
import { fingerprintOf, Service } from "./service.ts";
import type { Durations, ServiceKind } from "./service.ts";
import { TcpForward } from "./tcp-forward.ts";

export interface OriginRouterDependencies {
  readonly logger: OriginLogger;
  readonly clock: Clock;
}

export interface OriginRouter {
  /** Takes a stream whose assertion was verified. An unknown service resets it with SERVICE_UNKNOWN; nothing is dialled. */
  readonly accept: StreamAcceptor;
  /** As announced to the relay, in the order of the configuration. */
  services(): readonly { readonly name: string; readonly kind: ServiceKind }[];
  /**
   * Replaces the allow list at once: new streams use the new definitions, streams under way keep the old ones.
   * Unchanged definitions keep their connections and health; those of others close when unused.
   */
  reload(next: ReadonlyMap<string, ServiceOptions>): void;
  /** What is known of every origin, by service name. */
  health(): ReadonlyMap<string, readonly OriginHealth[]>;
  /** How long exchanges took, by service name; counts begin anew when a service is changed. */
  durations(): ReadonlyMap<string, Durations>;
  /** Asks every origin of a service now; undefined when there is no such service. */
  probe(name: string): Promise<readonly ProbeResult[]> | undefined;
  /** Ends health checks and closes kept connections; streams under way are the tunnel's to end. Idempotent. */
  close(): void;
}

export function createOriginRouter(services: ReadonlyMap<string, ServiceOptions>, deps: OriginRouterDependencies): OriginRouter {
  let live = build(services, new Map(), deps);
  return {
    accept: (stream, open, end) => accept(live, stream, open, end, deps),
    services: () => [...live.values()].map(({ name, kind }) => ({ name, kind })),
    reload: (next) => {
      const previous = live;
      live = build(next, previous, deps);
      for (const service of previous.values()) if (live.get(service.name) !== service) service.close();
    },
    health: () => new Map([...live.values()].map((service) => [service.name, service.origins.map((origin) => origin.health)])),
    durations: () => new Map([...live.values()].map(({ name, durations }) => [name, durations])),
    probe: (name) => {
      const service = live.get(name);
      return service && Promise.all(service.origins.map((origin) => probeOrigin(origin, service.options, deps.clock)));
    },
    close: () => {
      for (const service of live.values()) service.close();
    },
  };
}

type Services = ReadonlyMap<string, Service>;

function build(definitions: ReadonlyMap<string, ServiceOptions>, previous: Services, deps: OriginRouterDependencies): Services {
  const services = new Map<string, Service>();
  for (const [name, definition] of definitions) {
    const kept = previous.get(name);
    if (kept !== undefined && kept.fingerprint === fingerprintOf(definition)) services.set(name, kept);
    else services.set(name, createService(name, definition, deps));
    if (definition.options.insecureSkipVerify) {
      deps.logger.warn(
        { [LogField.service]: name, [LogField.remedy]: "set ca (and serverName) instead" },
        "certificates of this service's origins are NOT verified",
      );
    }
  }
  return services;
}

function createService(name: string, definition: ServiceOptions, { clock, logger }: OriginRouterDependencies): Service {
  return new Service(name, definition, clock, (origin, reason) => {
    const fields = { [LogField.service]: name, [LogField.origin]: origin.name, [LogField.reason]: reason };
    if (reason === undefined) logger.info(fields, "origin is healthy again");
    else logger.warn(fields, "origin is unhealthy");
  });
}

/** Once reset there is nothing to be told. */
const DEAF: StreamHandler = { onHead: ignore, onData: ignore, onEnd: ignore, onReset: ignore, onDrain: ignore };

function accept(services: Services, stream: Stream, open: OpenHead, end: boolean, deps: OriginRouterDependencies): StreamHandler {
  const service = services.get(open.service);
  if (service === undefined) return refuse(stream, ResetCode.SERVICE_UNKNOWN, "", open, deps);
  if ((open.kind === StreamKind.TCP) !== (service.kind === "tcp")) {
    return refuse(stream, ResetCode.REQUEST_INVALID, "service is of another kind", open, deps);
  }
  if (open.kind === StreamKind.TCP) return new TcpForward(stream, service).start();
  const built = service.buildRequest(open, end);
  if (!built.ok) return refuse(stream, ResetCode.REQUEST_INVALID, built.problem, open, deps);
  return new Forward(stream, service, built.request, end, deps).start();
}

function refuse(stream: Stream, code: ResetCode, problem: string, open: OpenHead, { logger }: OriginRouterDependencies): StreamHandler {
  logger.warn(
    { [LogField.service]: open.service, [LogField.streamId]: stream.id, [LogField.code]: code, [LogField.reason]: problem },
    "stream refused",
  );
  stream.reset(code, { text: problem });
  return DEAF;
}

function ignore(): void {}
