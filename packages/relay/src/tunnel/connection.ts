// One authenticated connection of a connector, as the relay sees it: the multiplexer plus who is at the other end.
// Knows which assertions were sent on it. Must not know applications, policies or visitors.

import type { CloseCause, MuxConnection } from "@sallyport/shared/mux/connection";
import type { Stream, StreamHandler } from "@sallyport/shared/mux/stream";
import type { OpenHead } from "@sallyport/shared/protocol/head";
import { MAX_ASSERTION_NUMBER } from "@sallyport/shared/protocol/frame";
import type { ConnectorHello } from "@sallyport/shared/protocol/hello";

/** Something that is asserted to the origin, under one identity of its own; the token in it is renewed now and then. */
export interface AssertionSource {
  /** Compact JWS. */
  readonly token: string;
}

export interface ConnectionInfo {
  readonly connectionId: string;
  readonly tunnel: string;
  readonly credentialId: string;
  /** Random id of the connector process. */
  readonly connectorId: string;
  /** Name of its host, as it says. */
  readonly connectorHostname: string;
  readonly software: string;
  /** Address it came from. */
  readonly address: string;
  readonly connectedAt: number;
}

export class TunnelConnection {
  readonly info: ConnectionInfo;
  readonly hello: ConnectorHello;
  readonly #mux: MuxConnection;
  #services: ReadonlySet<string>;
  /** What was sent under which number; insertion order is age. */
  readonly #sent = new Map<AssertionSource, { readonly number: number; token: string }>();

  constructor(info: ConnectionInfo, hello: ConnectorHello, mux: MuxConnection) {
    this.info = info;
    this.hello = hello;
    this.#mux = mux;
    this.#services = namesOf(hello.services);
  }

  get mux(): MuxConnection {
    return this.#mux;
  }

  /** Names of the services the connector has, as it last said. */
  get services(): ReadonlySet<string> {
    return this.#services;
  }

  /** The connector's configuration changed. */
  announced(services: ConnectorHello["services"]): void {
    this.#services = namesOf(services);
  }

  /** Streams under way: what load is balanced by. */
  get outstanding(): number {
    return this.#mux.streamCount;
  }

  get accepting(): boolean {
    return this.#mux.accepting;
  }

  /** Opens a stream; `assertion` is sent first where this connection does not have it yet. @returns undefined: choose another connection */
  open(head: OpenHead, bodyless: boolean, assertion: AssertionSource | undefined, handler: StreamHandler): Stream | undefined {
    if (!this.#mux.accepting) return undefined;
    const withAssertion = assertion === undefined ? head : { ...head, assertion: this.#numberOf(assertion) };
    return this.#mux.openStream(withAssertion, bodyless, handler);
  }

  #numberOf(source: AssertionSource): number {
    const known = this.#sent.get(source);
    if (known !== undefined) {
      if (known.token !== source.token) {
        known.token = source.token;
        this.#mux.defineAssertion(known.number, source.token);
      }
      return known.number;
    }
    const number = this.#freeNumber();
    this.#sent.set(source, { number, token: source.token });
    this.#mux.defineAssertion(number, source.token);
    return number;
  }

  /** The next number, or that of the source sent longest ago: OPENs that referred to it have been read already. */
  #freeNumber(): number {
    if (this.#sent.size < MAX_ASSERTION_NUMBER) return this.#sent.size + 1;
    const [oldest, entry] = this.#sent.entries().next().value as [AssertionSource, { readonly number: number }];
    this.#sent.delete(oldest);
    return entry.number;
  }
}

function namesOf(services: ConnectorHello["services"]): ReadonlySet<string> {
  return new Set(services.map(({ name }) => name));
}

export type ConnectionClosed = (connection: TunnelConnection, cause: CloseCause) => void;
