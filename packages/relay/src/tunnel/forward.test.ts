import { NO_FIELDS, type Fields } from "@sallyport/shared/http/fields";
import { acceptKey } from "@sallyport/shared/http/upgrade";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { MuxConnection } from "@sallyport/shared/mux/connection";
import { memoryTransports } from "@sallyport/shared/mux/memory-transport";
import type { Stream, StreamAcceptor, StreamHandler } from "@sallyport/shared/mux/stream";
import { GoawayReason, ResetCode } from "@sallyport/shared/protocol/codes";
import { StreamKind, type OpenHead } from "@sallyport/shared/protocol/head";
import { afterEach, describe, expect, it } from "vitest";
import { TunnelConnection } from "./connection.ts";
import { Forwarding, type ForwardFailure, type ForwardOwner, type ForwardRequest, type VisitorExchange } from "./forward.ts";
import { TunnelRegistry } from "./registry.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const GET: OpenHead = {
  kind: StreamKind.HTTP,
  service: "wiki",
  assertion: 0,
  method: "GET",
  path: "/",
  authority: "wiki.example",
  fields: [],
  contentLength: undefined,
};

/** Everything a visitor is sent, as one list of words. */
class Visitor implements VisitorExchange, ForwardOwner {
  readonly seen: string[] = [];
  readonly policyCloseFrame: Uint8Array = Buffer.from("[1008]");
  policyTrailers: Fields | undefined;
  readonly finished: Promise<ForwardFailure | undefined>;
  readonly #finish: (failure: ForwardFailure | undefined) => void;
  full = false;
  paused = 0;
  atBoundary = true;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<ForwardFailure | undefined>();
    this.finished = promise;
    this.#finish = resolve;
  }

  resume(): void {}
  pause(): void {
    this.paused++;
  }
  sendContinue(): void {
    this.seen.push("100");
  }
  sendInformational(status: number, fields: Fields): void {
    this.seen.push(`${status} ${fields.join(":")}`);
  }
  sendHead(status: number, fields: Fields, end: boolean): void {
    this.seen.push(`${status} ${fields.join(":")}${end ? " end" : ""}`);
  }
  write(chunk: Uint8Array): boolean {
    this.seen.push(Buffer.from(chunk).toString());
    return !this.full;
  }
  end(trailers: Fields = NO_FIELDS): void {
    this.seen.push(`end ${trailers.join(":")}`.trim());
  }
  switchProtocols(fields: Fields): void {
    this.seen.push(`101 ${fields.join(":")}`);
  }
  abort(): void {
    this.seen.push("abort");
  }
  refuse(failure: ForwardFailure): void {
    this.seen.push(`refused ${failure.kind}${failure.kind === "reset" ? ` ${failure.code}` : ""}`);
  }
  onStatus(): void {}
  onFinished(failure: ForwardFailure | undefined): void {
    this.#finish(failure);
  }
  createFollower(): { push: () => void; readonly atBoundary: boolean } {
    const visitor = this;
    return {
      push: () => undefined,
      get atBoundary() {
        return visitor.atBoundary;
      },
    };
  }
}

const cuts: Array<() => void> = [];
afterEach(() => {
  for (const cut of cuts.splice(0)) cut();
});

interface Connector {
  readonly mux: MuxConnection;
  readonly connection: TunnelConnection;
  readonly opened: Stream[];
}

function connect(registry: TunnelRegistry, accept: StreamAcceptor, budget = new BufferBudget(), services = ["wiki"]): Connector {
  const [left, right] = memoryTransports();
  cuts.push(() => left.cut());
  const opened: Stream[] = [];
  const mux = new MuxConnection({
    role: "connector",
    transport: right,
    budget,
    handler: {
      acceptStream: (stream, open, end) => {
        opened.push(stream);
        return accept(stream, open, end);
      },
      onClosed: () => undefined,
    },
  });
  const relaySide = new MuxConnection({ role: "relay", transport: left, budget, handler: { onClosed: () => registry.remove(connection) } });
  const hello = {
    software: "",
    limits: { maxStreams: 100, streamWindowBytes: 65_536, connectionWindowBytes: 1 << 20 },
    capabilities: [],
    connectorId: "c",
    hostname: "h",
    services: services.map((name) => ({ name, kind: "http" as const })),
  };
  const info = {
    connectionId: "1",
    tunnel: "office",
    credentialId: "cred",
    connectorId: "c",
    connectorHostname: "h",
    software: "",
    address: "",
    connectedAt: 0,
  };
  const connection = new TunnelConnection(info, hello, relaySide);
  registry.add(connection);
  return { mux, connection, opened };
}

function handler(overrides: Partial<StreamHandler> = {}): StreamHandler {
  return {
    onHead: () => undefined,
    onData: () => undefined,
    onEnd: () => undefined,
    onReset: () => undefined,
    onDrain: () => undefined,
    ...overrides,
  };
}

function forward(registry: TunnelRegistry, visitor: Visitor, overrides: Partial<ForwardRequest> = {}): Forwarding {
  const request: ForwardRequest = {
    tunnel: "office",
    head: GET,
    bodyless: true,
    assertion: undefined,
    upgradeKey: undefined,
    maxRequestBodyBytes: undefined,
    responseFields: ["Sallyport-Request-Id", "r1"],
    ...overrides,
  };
  const forwarding = new Forwarding(registry, visitor, request, visitor);
  forwarding.start();
  return forwarding;
}

describe("forward", () => {
  it("passes interim and final head, body and trailers in order, with the relay's fields added and the connector's reserved ones dropped", async () => {
    const registry = new TunnelRegistry();
    connect(registry, (stream) => {
      stream.sendHead({ status: 103, fields: ["Link", "</a>"] }, false);
      stream.sendHead({ status: 200, fields: ["X-A", "1", "Sallyport-Error", "forged", "Connection", "close"] }, false);
      stream.write(Buffer.from("body"));
      stream.end(["Grpc-Status", "0", "Content-Length", "9"]);
      return handler();
    });
    const visitor = new Visitor();
    forward(registry, visitor);
    expect(await visitor.finished).toBeUndefined();
    expect(visitor.seen).toEqual(["103 Link:</a>", "200 X-A:1:Sallyport-Request-Id:r1", "body", "end Grpc-Status:0"]);
  });

  it("refuses where no connector is connected", async () => {
    const visitor = new Visitor();
    forward(new TunnelRegistry(), visitor);
    expect(visitor.seen).toEqual(["refused no-connection"]);
    expect(await visitor.finished).toEqual({ kind: "no-connection" });
  });

  it("tries another connection with the same head and body when the stream was refused unprocessed (T6)", async () => {
    const registry = new TunnelRegistry();
    const refusing = connect(registry, (stream) => {
      queueMicrotask(() => stream.reset(ResetCode.REFUSED));
      return handler();
    });
    const bodies: string[] = [];
    connect(registry, (stream) =>
      handler({
        onData: (chunk) => {
          bodies.push(Buffer.from(chunk).toString());
          stream.consume(chunk.length);
        },
        onEnd: () => stream.sendHead({ status: 204, fields: [] }, true),
      }),
    );
    const visitors = await Promise.all(
      [1, 2].map(async () => {
        const visitor = new Visitor();
        const forwarding = forward(registry, visitor, { head: { ...GET, method: "POST" }, bodyless: false });
        forwarding.bodyData(Buffer.from("one"));
        forwarding.bodyData(Buffer.from("two"));
        forwarding.bodyEnd();
        expect(await visitor.finished).toBeUndefined();
        return visitor;
      }),
    );
    expect(refusing.opened.length).toBeGreaterThan(0);
    expect(bodies.join("")).toBe("onetwoonetwo");
    for (const visitor of visitors) expect(visitor.seen.at(-1)).toMatch(/^204 .* end$/);
  });

  it("tries a connection whose connector has the service when another one does not have it any more (T18)", async () => {
    const registry = new TunnelRegistry();
    const unknown: StreamAcceptor = (stream) => {
      queueMicrotask(() => stream.reset(ResetCode.SERVICE_UNKNOWN));
      return handler();
    };
    const without = connect(registry, unknown);
    const other = connect(registry, unknown, new BufferBudget(), ["shop"]);
    const visitor = new Visitor();
    forward(registry, visitor);
    expect(await visitor.finished).toMatchObject({ kind: "reset", code: ResetCode.SERVICE_UNKNOWN });
    // One attempt each where it was announced, none where nobody announced it.
    expect([without.opened.length, other.opened.length]).toEqual([1, 0]);
    other.connection.announced([{ name: "wiki", kind: "http" }]);
    connect(registry, (stream) => {
      stream.sendHead({ status: 204, fields: [] }, true);
      return handler();
    });
    for (let i = 0; i < 6; i++) {
      const next = new Visitor();
      forward(registry, next);
      expect(await next.finished).toBeUndefined();
    }
    expect(without.opened.length + other.opened.length).toBeGreaterThan(1);
  });

  it("does not send a body twice that it no longer holds", async () => {
    const registry = new TunnelRegistry();
    const refuseLate = connect(registry, () => handler());
    connect(registry, (stream) => {
      stream.reset(ResetCode.ORIGIN_UNREACHABLE);
      return handler();
    });
    refuseLate.connection.mux.openStream(GET, true, handler())?.reset(ResetCode.CANCEL);
    const visitor = new Visitor();
    const forwarding = forward(registry, visitor, { bodyless: false });
    forwarding.bodyData(Buffer.alloc(65_537));
    while (refuseLate.opened.length === 0 && visitor.seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const stream of refuseLate.opened) stream.reset(ResetCode.REFUSED);
    const failure = await visitor.finished;
    expect(failure).toMatchObject({ kind: "reset" });
  });

  it("retries what a connector's GOAWAY did not take on, and finishes what it did", async () => {
    const registry = new TunnelRegistry();
    const leaving = connect(registry, (stream) => {
      setImmediate(() => stream.sendHead({ status: 200, fields: ["From", "leaving"] }, true));
      return handler();
    });
    const first = new Visitor();
    forward(registry, first);
    while (leaving.opened.length === 0) await new Promise((resolve) => setImmediate(resolve));
    leaving.mux.goaway(GoawayReason.SHUTDOWN, 0, "stopping");
    const second = new Visitor();
    forward(registry, second);
    connect(registry, (stream) => {
      stream.sendHead({ status: 200, fields: ["From", "other"] }, true);
      return handler();
    });
    expect([await first.finished, await second.finished]).toEqual([undefined, undefined]);
    expect(first.seen[0]).toContain("From:leaving");
    expect(second.seen[0]).toContain("From:other");
  });

  it("tells an incomplete answer from a complete one: refused before the head, aborted after it", async () => {
    const registry = new TunnelRegistry();
    connect(registry, (stream, open) => {
      if (open.path === "/late") stream.sendHead({ status: 200, fields: [] }, false);
      stream.reset(ResetCode.ORIGIN_CLOSED, { text: "ECONNRESET" });
      return handler();
    });
    const early = new Visitor();
    forward(registry, early);
    await early.finished;
    expect(early.seen).toEqual([`refused reset ${ResetCode.ORIGIN_CLOSED}`]);
    const late = new Visitor();
    forward(registry, late, { head: { ...GET, path: "/late" } });
    await late.finished;
    expect(late.seen).toEqual(["200 Sallyport-Request-Id:r1", "abort"]);
  });

  it.each([
    ["X", "a\r\nSet-Cookie: b=c"],
    ["X Y", "a"],
  ])("refuses an answer whose field %j: %j could split a head, and ends its connection (R-D9)", async (name, value) => {
    const registry = new TunnelRegistry();
    const { connection } = connect(registry, (stream) => {
      stream.sendHead({ status: 200, fields: [name, value] }, true);
      return handler();
    });
    const visitor = new Visitor();
    forward(registry, visitor);
    expect(await visitor.finished).toEqual({ kind: "bad-response", detail: expect.stringMatching(/^ERR_FIELD_(?:NAME|VALUE)$/) });
    expect(visitor.seen).toEqual(["refused bad-response"]);
    expect([connection.mux.closed, registry.count("office")]).toEqual([true, 0]);
  });

  it("cuts an answer whose trailers could split a head, and ends its connection (R-D9)", async () => {
    const registry = new TunnelRegistry();
    const { connection } = connect(registry, (stream) => {
      stream.sendHead({ status: 200, fields: [] }, false);
      stream.end(["X", "a\nSet-Cookie: b=c"]);
      return handler();
    });
    const visitor = new Visitor();
    forward(registry, visitor);
    expect(await visitor.finished).toMatchObject({ kind: "bad-response" });
    expect(visitor.seen).toEqual(["200 Sallyport-Request-Id:r1", "abort"]);
    expect(connection.mux.closed).toBe(true);
  });

  it("refuses contradicting lengths for their exchange alone: no grammar forbids them", async () => {
    const registry = new TunnelRegistry();
    const { connection } = connect(registry, (stream) => {
      stream.sendHead({ status: 200, fields: ["Content-Length", "1", "Content-Length", "2"] }, true);
      return handler();
    });
    const visitor = new Visitor();
    forward(registry, visitor);
    expect(await visitor.finished).toMatchObject({ kind: "bad-response" });
    expect(connection.mux.closed).toBe(false);
  });

  it("stops a body that is larger than the application accepts", async () => {
    const registry = new TunnelRegistry();
    const connector = connect(registry, () => handler());
    const visitor = new Visitor();
    const forwarding = forward(registry, visitor, { bodyless: false, maxRequestBodyBytes: 10 });
    forwarding.bodyData(Buffer.alloc(10));
    forwarding.bodyData(Buffer.alloc(1));
    expect(await visitor.finished).toEqual({ kind: "body-too-large" });
    expect(visitor.seen).toEqual(["100", "refused body-too-large"]);
    while (connector.mux.streamCount > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("gives credit back only for what the visitor's socket took, and all of it in the end (R-L6)", async () => {
    const registry = new TunnelRegistry();
    const budget = new BufferBudget();
    connect(
      registry,
      (stream) => {
        stream.sendHead({ status: 200, fields: [] }, false);
        stream.write(Buffer.alloc(200_000));
        stream.end();
        return handler();
      },
      budget,
    );
    const visitor = new Visitor();
    visitor.full = true;
    const forwarding = forward(registry, visitor);
    while (budget.heldBytes < 65_536) await new Promise((resolve) => setImmediate(resolve));
    expect(forwarding.bytesOut).toBe(65_536);
    visitor.full = false;
    forwarding.visitorDrained();
    expect(await visitor.finished).toBeUndefined();
    expect(forwarding.bytesOut).toBe(200_000);
    expect(budget.heldBytes).toBe(0);
  });

  it("gives the memory of a chunk back only after all before it: small ones that a socket takes over do not overtake (T13)", async () => {
    const registry = new TunnelRegistry();
    connect(registry, (stream) => {
      stream.sendHead({ status: 200, fields: [] }, false);
      stream.write(Buffer.alloc(20_000, "L"));
      for (let i = 0; i < 5; i++) stream.write(Buffer.alloc(5_000, "s"));
      stream.write(Buffer.alloc(20_000, "M"));
      stream.end();
      return handler();
    });
    const large: Uint8Array[] = [];
    const visitor = new (class extends Visitor {
      readonly releases = true;
      override write(chunk: Uint8Array): boolean {
        super.write(chunk);
        if (chunk.length < 8_192) return true;
        large.push(chunk);
        return false;
      }
    })();
    const forwarding = forward(registry, visitor);
    expect(await visitor.finished).toBeUndefined();
    expect(large.map((chunk) => Buffer.from(chunk).equals(Buffer.alloc(20_000, chunk === large[0] ? "L" : "M")))).toEqual([true, true]);
    forwarding.visitorDrained();
  });

  it("cancels the stream when the visitor goes away", async () => {
    const registry = new TunnelRegistry();
    const told = Promise.withResolvers<number>();
    connect(registry, () => handler({ onReset: (_code, detail) => told.resolve(detail.http2Code) }));
    const visitor = new Visitor();
    const forwarding = forward(registry, visitor);
    forwarding.visitorGone(5, false);
    expect(await told.promise).toBe(5);
    expect(await visitor.finished).toEqual({ kind: "visitor-gone" });
  });
});

describe("forward of an upgrade", () => {
  const upgrade: Partial<ForwardRequest> = { head: { ...GET, kind: StreamKind.UPGRADE }, bodyless: false, upgradeKey: KEY };
  const echo: StreamAcceptor = (stream) => {
    stream.sendHead({ status: 101, fields: ["Sec-WebSocket-Accept", acceptKey(KEY)] }, false);
    return handler({
      onData: (chunk) => {
        stream.write(chunk);
        stream.consume(chunk.length);
      },
      onEnd: () => stream.end(),
    });
  };

  it("becomes raw bytes both ways with half-close (R-D5)", async () => {
    const registry = new TunnelRegistry();
    connect(registry, echo);
    const visitor = new Visitor();
    const forwarding = forward(registry, visitor, upgrade);
    while (visitor.seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
    forwarding.bodyData(Buffer.from("ping"));
    forwarding.bodyEnd();
    expect(await visitor.finished).toBeUndefined();
    expect(visitor.seen.slice(1)).toEqual([`101 Sec-WebSocket-Accept:${acceptKey(KEY)}:Sallyport-Request-Id:r1`, "ping", "end"]);
  });

  it("refuses a 101 with a wrong Sec-WebSocket-Accept, and one that nobody asked for", async () => {
    const registry = new TunnelRegistry();
    connect(registry, (stream) => {
      stream.sendHead({ status: 101, fields: ["Sec-WebSocket-Accept", "nonsense"] }, false);
      return handler();
    });
    for (const overrides of [upgrade, {}]) {
      const visitor = new Visitor();
      forward(registry, visitor, overrides);
      expect(await visitor.finished).toMatchObject({ kind: "bad-response" });
    }
  });

  it("ends an answer with trailers when access ends, where they say so (gRPC, R-I2)", async () => {
    const registry = new TunnelRegistry();
    const resets: ResetCode[] = [];
    connect(registry, (stream) => {
      stream.sendHead({ status: 200, fields: [] }, false);
      return { ...handler(), onReset: (code) => void resets.push(code) };
    });
    const visitor = new Visitor();
    visitor.policyTrailers = ["grpc-status", "7"];
    const forwarding = forward(registry, visitor, {});
    while (visitor.seen.length < 1) await new Promise((resolve) => setImmediate(resolve));
    forwarding.revoke();
    expect(await visitor.finished).toEqual({ kind: "revoked" });
    expect(visitor.seen.slice(1)).toEqual(["end grpc-status:7"]);
    while (resets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(resets).toEqual([ResetCode.REVOKED]);
  });

  it("closes with 1008 between two frames when access ends, and cuts inside one (R-I2)", async () => {
    const registry = new TunnelRegistry();
    connect(registry, echo);
    for (const atBoundary of [true, false]) {
      const visitor = new Visitor();
      visitor.atBoundary = atBoundary;
      const forwarding = forward(registry, visitor, upgrade);
      while (visitor.seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
      forwarding.revoke();
      expect(await visitor.finished).toEqual({ kind: "revoked" });
      expect(visitor.seen.slice(2)).toEqual(atBoundary ? ["[1008]", "end"] : ["abort"]);
    }
  });
});
