// The end of an exchange whose visitor lost access: polite in the way of its kind, and certain (R-I2).

import { ManualClock } from "@sallyport/shared/clock";
import { acceptKey } from "@sallyport/shared/http/upgrade";
import type { StreamHandler } from "@sallyport/shared/mux/stream";
import { StreamKind } from "@sallyport/shared/protocol/head";
import { expect, it } from "vitest";
import { ActiveExchanges } from "../tunnel/active.ts";
import type { TunnelConnection } from "../tunnel/connection.ts";
import type { TunnelRegistry } from "../tunnel/registry.ts";
import type { IngressExchange, IngressHandler } from "./exchange.ts";
import { InFlight } from "./in-flight.ts";
import type { Runtime } from "./runtime.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** A visitor of whom nothing is known but what it was told. */
class Visitor {
  readonly seen: string[] = [];
  handler: IngressHandler | undefined;
  readonly exchange: IngressExchange;

  constructor() {
    const { seen } = this;
    const nothing = (): void => undefined;
    const told = (word: string) => (): boolean => seen.push(word) > 0;
    this.exchange = {
      request: {
        httpVersion: "1.1",
        method: "GET",
        target: "/",
        authority: undefined,
        fields: [],
        scheme: "https",
        serverName: undefined,
        clientCheck: undefined,
        peer: { address: "192.0.2.1", port: 1 },
        upgrade: true,
        bodyless: true,
      },
      abortReason: undefined,
      setHandler: (handler) => void (this.handler = handler),
      resume: nothing,
      pause: nothing,
      sendContinue: nothing,
      sendInformational: nothing,
      sendHead: told("head"),
      write: told("write"),
      end: told("end"),
      switchProtocols: told("101"),
      abort: told("abort"),
      closeConnectionAfter: nothing,
    };
  }
}

function switched(): { readonly visitor: Visitor; readonly clock: ManualClock; readonly request: InFlight } {
  const clock = new ManualClock();
  const visitor = new Visitor();
  let stream: StreamHandler | undefined;
  const open = (_head: unknown, _bodyless: unknown, _assertion: unknown, handler: StreamHandler): unknown => {
    stream = handler;
    return { write: () => true, end: () => undefined, reset: () => undefined, consume: () => undefined };
  };
  const registry = { pick: () => ({ open, info: { connectorId: "c" } }) as unknown as TunnelConnection } as unknown as TunnelRegistry;
  const active = new ActiveExchanges<InFlight>({ maxStreamsPerTunnel: 9, maxStreamsPerIdentity: 9 });
  const services = { clock, registry, active, record: () => undefined, onFault: () => undefined };
  const client = { address: "192.0.2.1", derivedFrom: "socket", chain: [] } as const;
  const request = new InFlight(services, { clientAddress: () => client } as unknown as Runtime, visitor.exchange);
  const head = { kind: StreamKind.UPGRADE, service: "s", assertion: 0, method: "GET", path: "/", authority: "a", fields: [] };
  request.forward(
    {
      tunnel: "t",
      head: { ...head, contentLength: undefined },
      bodyless: true,
      upgradeKey: KEY,
      maxRequestBodyBytes: undefined,
      responseFields: [],
    },
    undefined,
  );
  stream?.onHead({ status: 101, fields: ["Sec-WebSocket-Accept", acceptKey(KEY)] }, false);
  expect(visitor.seen).toEqual(["101"]);
  return { visitor, clock, request };
}

it("a WebSocket gets its close frame; when nobody reads it, the exchange is cut after 3 s", () => {
  const { visitor, clock, request } = switched();
  request.revoke();
  request.revoke();
  expect(visitor.seen.slice(1)).toEqual(["write", "end"]);
  clock.advance(2_999);
  expect(visitor.seen.slice(1)).toEqual(["write", "end"]);
  clock.advance(1);
  expect(visitor.seen.slice(1)).toEqual(["write", "end", "abort"]);
});

it("what ended by itself is not cut, and leaves no timer behind", () => {
  const { visitor, clock, request } = switched();
  request.revoke();
  visitor.handler?.onClose();
  expect(clock.pendingTimers).toBe(0);
  clock.advance(10_000);
  expect(visitor.seen).not.toContain("abort");
});
