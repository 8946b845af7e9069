import { request as httpsRequest } from "node:https";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ManualClock, systemClock } from "@sallyport/shared/clock";
import { Secret } from "@sallyport/shared/secret";
import { ClientAuthorities } from "./client-authorities.ts";
import { createIngressServer, refuseInsecureParser, type RefusedConnection } from "./server.ts";
import { answer, Exchanges, makeCertificate, RawVisitor, startServer, stopServers } from "./test-support.ts";
import type { Certificate } from "./tls.ts";

afterEach(stopServers);

const HOST = "127.0.0.1";
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let certificate: Certificate;
let other: Certificate;
beforeAll(() => {
  certificate = makeCertificate("app.test", "*.wild.test");
  other = makeCertificate("other.test");
});

function tls(...certificates: readonly Certificate[]): {
  listeners: [{ host: string; port: number; tls: { certificates: readonly Certificate[] } }];
} {
  return { listeners: [{ host: HOST, port: 0, tls: { certificates } }] };
}

async function visit(port: number, options: { servername?: string; ALPNProtocols?: string[] } = {}): Promise<TLSSocket> {
  const socket = tlsConnect({ port, host: HOST, rejectUnauthorized: false, ...options });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

function subject(socket: TLSSocket): string | undefined {
  return socket.getPeerCertificate().subjectaltname;
}

async function collect(socket: TLSSocket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString("latin1")));
  await once(socket, "close");
  return text;
}

describe("TLS", () => {
  it("speaks HTTP/1.1 by ALPN and without ALPN, and tells the server name in lower case", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({
      ...tls(certificate),
      onExchange: (exchange) => {
        exchanges.onExchange(exchange);
        exchange.closeConnectionAfter();
        answer(exchange);
      },
    });
    for (const [index, options] of [{ servername: "App.Test", ALPNProtocols: ["http/1.1"] }, { servername: "app.test" }, {}].entries()) {
      const socket = await visit(port, options);
      socket.write(GET);
      expect(await collect(socket)).toMatch(/^HTTP\/1\.1 200 /);
      expect(exchanges.list[index]?.exchange.request).toMatchObject({ scheme: "https", serverName: options.servername?.toLowerCase() });
    }
  });

  it("refuses a protocol that it does not speak, and the process lives (R-L9)", async () => {
    const refused: RefusedConnection[] = [];
    const { port } = await startServer({
      ...tls(certificate),
      onExchange: answer,
      onConnectionRefused: (connection) => void refused.push(connection),
    });
    const socket = tlsConnect({ port, host: HOST, rejectUnauthorized: false, ALPNProtocols: ["spdy/3"] });
    await once(socket, "error");
    const visitor = new RawVisitor(port).send("GET / HTTP/1.1\r\n\r\n");
    await visitor.closed;
    expect(refused.map(({ reason }) => reason)).toEqual(["tls", "tls"]);
    expect(refused[0]?.peer.address).toBe(HOST);
  });

  it.each([
    ["app.test", "DNS:app.test, DNS:*.wild.test"],
    ["OTHER.test", "DNS:other.test"],
    ["x.wild.test", "DNS:app.test, DNS:*.wild.test"],
    ["x.y.wild.test", "DNS:other.test"],
    ["unknown.test", "DNS:other.test"],
    [undefined, "DNS:other.test"],
  ])("answers the server name %s with the certificate for it, or the first one", async (servername, expected) => {
    const { port } = await startServer({ ...tls(other, certificate), onExchange: answer });
    const socket = await visit(port, servername === undefined ? {} : { servername });
    expect(subject(socket)).toBe(expected);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    socket.destroy();
  });

  it("offers nothing older than TLS 1.2", async () => {
    const { port } = await startServer({ ...tls(certificate), onExchange: answer });
    const socket = tlsConnect({
      port,
      host: HOST,
      rejectUnauthorized: false,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS/);
  });

  it("takes new certificates without touching open streams, and keeps the old ones when a new pair is bad", async () => {
    const exchanges = new Exchanges();
    const { port, server } = await startServer({ ...tls(certificate), onExchange: exchanges.onExchange });
    const open = await visit(port, { servername: "app.test" });
    let text = "";
    open.on("data", (chunk) => (text += chunk.toString("latin1")));
    open.write(GET);
    const { exchange } = await exchanges.at(0);
    exchange.sendHead(200, ["Content-Length", "2"], false);
    exchange.write(Buffer.from("o"));
    server.updateTls(0, { certificates: [other] });
    for (const bad of [
      [],
      [{ certPem: certificate.certPem, keyPem: other.keyPem }],
      [certificate, { certPem: "x", keyPem: new Secret("y") }],
    ]) {
      expect(() => server.updateTls(0, { certificates: bad })).toThrow(/[Cc]ertificate/);
    }
    for (const servername of ["app.test", "other.test", ""]) {
      const fresh = await visit(port, servername === "" ? {} : { servername });
      expect(subject(fresh)).toBe("DNS:other.test");
      fresh.destroy();
    }
    exchange.write(Buffer.from("k"));
    exchange.end();
    while (!text.endsWith("ok")) await once(open, "data");
    open.destroy();
  });

  it("refuses to start with a key that is not the certificate's", () => {
    expect(() =>
      createIngressServer({ ...tls({ certPem: certificate.certPem, keyPem: other.keyPem }), clock: systemClock, onExchange: answer }),
    ).toThrow(/Certificate 1/);
  });
});

describe("time limits", () => {
  it("end a head that does not come to its end, on plain HTTP and behind the ALPN dispatch (R-L1)", async () => {
    const limits = { headerTimeoutMs: 100 };
    const plain = await startServer({ onExchange: answer, limits });
    const secure = await startServer({ ...tls(certificate), onExchange: answer, limits });
    expect(await new RawVisitor(plain.port).send("GET / HTTP/1.1\r\nHost: a\r\n").all()).toMatch(/^HTTP\/1\.1 408 [^]*ERR_REQUEST_TIMEOUT/);
    const socket = await visit(secure.port, { ALPNProtocols: ["http/1.1"] });
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n");
    expect(await collect(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("end connections that never say anything: TCP, TLS, HTTP/2 (R-L1)", async () => {
    const limits = { headerTimeoutMs: 100 };
    const plain = await startServer({ onExchange: answer, limits });
    const secure = await startServer({ ...tls(certificate), onExchange: answer, limits });
    const silent = [new RawVisitor(plain.port), new RawVisitor(secure.port)];
    const http2 = await visit(secure.port, { ALPNProtocols: ["h2"] });
    await Promise.all([...silent.map((visitor) => visitor.closed), collect(http2)]);
    expect(silent.map(({ received }) => received)).toEqual(["", ""]);
  });

  it("end idle keep-alive connections (R-L1)", async () => {
    const { port } = await startServer({ onExchange: answer, limits: { keepAliveTimeoutMs: 50 } });
    expect(await new RawVisitor(port).send(GET).all()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("do not exist for whole requests (R-I3): a body and an answer that take hours arrive", async () => {
    const clock = new ManualClock();
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange, clock });
    const visitor = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n");
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    for (let i = 1; i <= 300; i++) {
      visitor.send("x");
      await recorder.until(() => recorder.bytes === i);
      clock.advance(50_000);
    }
    exchange.sendHead(200, [], false);
    clock.advance(10 * 3_600_000);
    exchange.write(Buffer.from("late"));
    exchange.end();
    expect(await visitor.until(/late/)).toMatch(/^HTTP\/1\.1 200 /);
    visitor.socket.destroy();
  });
});

describe("connections", () => {
  it("are bounded per source address and in all; the refused are reported (R-L1)", async () => {
    const refused: RefusedConnection[] = [];
    const { port, server } = await startServer({
      onExchange: answer,
      limits: { maxConnectionsPerAddress: 2 },
      onConnectionRefused: (connection) => void refused.push(connection),
    });
    const visitors = [new RawVisitor(port).send(GET), new RawVisitor(port).send(GET)];
    await Promise.all(visitors.map((visitor) => visitor.until(/ok$/)));
    const third = new RawVisitor(port).send(GET);
    expect(await third.all()).toBe("");
    expect(refused).toMatchObject([{ reason: "too-many-from-address", peer: { address: HOST } }]);
    expect(server.stats()).toMatchObject({ connections: 2, addresses: 1, refusedConnections: 1 });
    visitors[0]?.socket.destroy();
    while (server.stats().connections > 1) await new Promise((resolve) => setImmediate(resolve));
    const fourth = new RawVisitor(port).send(GET);
    await fourth.until(/ok$/);
    for (const visitor of [...visitors, fourth]) visitor.socket.destroy();
  });

  it("carry the address of the PROXY header where the listener requires it, also under TLS", async () => {
    for (const secure of [false, true]) {
      const exchanges = new Exchanges();
      const { port } = await startServer({
        listeners: [{ host: HOST, port: 0, proxyProtocol: true, tls: secure ? { certificates: [certificate] } : undefined }],
        onExchange: (exchange) => {
          exchanges.onExchange(exchange);
          exchange.closeConnectionAfter();
          answer(exchange);
        },
      });
      const visitor = new RawVisitor(port, { reads: !secure });
      visitor.send(`PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n${secure ? "" : GET}`);
      if (secure) {
        const socket = tlsConnect({ socket: visitor.socket, rejectUnauthorized: false });
        socket.on("end", () => socket.end());
        socket.write(GET);
        expect(await collect(socket)).toMatch(/^HTTP\/1\.1 200 /);
      } else expect(await visitor.all()).toMatch(/^HTTP\/1\.1 200 /);
      expect(exchanges.list[0]?.exchange.request.peer).toEqual({ address: "203.0.113.7", port: 4711 });
    }
  });

  it("without the required PROXY header, or with a late one, are closed without a word", async () => {
    const refused: RefusedConnection[] = [];
    const { port } = await startServer({
      listeners: [{ host: HOST, port: 0, proxyProtocol: true }],
      limits: { proxyHeaderTimeoutMs: 50 },
      onExchange: answer,
      onConnectionRefused: (connection) => void refused.push(connection),
    });
    expect(await new RawVisitor(port).send(GET).all()).toBe("");
    expect(await new RawVisitor(port).send("PROXY TCP4 203.0.113.7").all()).toBe("");
    expect(refused.map(({ reason, detail }) => `${reason} ${detail ?? ""}`)).toEqual(["proxy-header malformed", "proxy-header timeout"]);
  });

  it("are bounded in time and bytes while the relay looks for the server name, also behind a PROXY header (A23)", async () => {
    const refused: RefusedConnection[] = [];
    const certificate = makeCertificate("a.test");
    const application = { hostname: "b.test", clientCertificates: { ca: [certificate.certPem], crl: [], id: "one" } };
    const authorities = new ClientAuthorities({ authUrl: { hostname: "auth.test" }, applications: [application] } as never);
    const exchanges = new Exchanges();
    const { port, server } = await startServer({
      listeners: [{ host: HOST, port: 0, proxyProtocol: true, tls: { certificates: [certificate], authorities } }],
      limits: { headerTimeoutMs: 200 },
      onExchange: (exchange) => {
        exchanges.onExchange(exchange);
        exchange.closeConnectionAfter();
        answer(exchange);
      },
      onConnectionRefused: (connection) => void refused.push(connection),
    });
    const proxy = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
    // Nothing, the beginning of a record, a plain request, and records that never become a hello.
    expect(await new RawVisitor(port).send(proxy).all()).toBe("");
    expect(await new RawVisitor(port).send(proxy).send("\x16\x03\x01\x02\x00\x01").all()).toBe("");
    await new RawVisitor(port).send(proxy).send(GET).all();
    await new RawVisitor(port)
      .send(proxy)
      .send(`\x16\x03\x01\x40\x00\x01\x00\x3f\x00${"x".repeat(20_000)}`)
      .all();
    expect(refused.slice(0, 2).map(({ reason, detail, peer }) => `${reason} ${detail ?? ""} ${peer.address}`)).toEqual(
      Array(2).fill("tls ERR_TLS_HANDSHAKE_TIMEOUT 203.0.113.7"),
    );
    expect(refused.slice(2).map(({ reason }) => reason)).toEqual(["tls", "tls"]);
    for (const servername of ["a.test", "b.test"]) {
      const visitor = new RawVisitor(port, { reads: false }).send(proxy);
      const socket = tlsConnect({ socket: visitor.socket, servername, rejectUnauthorized: false });
      socket.on("end", () => socket.end());
      socket.write(GET);
      expect(await collect(socket)).toMatch(/^HTTP\/1\.1 200 /);
    }
    expect(exchanges.list.map(({ exchange }) => [exchange.request.peer.address, exchange.request.clientCheck?.fact])).toEqual([
      ["203.0.113.7", undefined],
      ["203.0.113.7", { kind: "none" }],
    ]);
    await vi.waitFor(() => expect(server.stats().connections).toBe(0));
  });

  it("on a redirecting listener get 308 to the configured URL, and 421 where there is none", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({
      listeners: [
        {
          host: HOST,
          port: 0,
          redirectToHttps: (request) => (request.fields[1] === "a" ? `https://a.example.com${request.target}` : undefined),
        },
      ],
      onExchange: exchanges.onExchange,
    });
    const visitor = new RawVisitor(port).send("GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await visitor.until(/\r\n\r\n$/)).toMatch(/^HTTP\/1\.1 308 [^]*Location: https:\/\/a\.example\.com\/x\?y\r\n/);
    visitor.socket.destroy();
    const text = await new RawVisitor(port).send("GET /x?y HTTP/1.1\r\nHost: evil\r\n\r\n").all();
    expect(text).toMatch(/^HTTP\/1\.1 421 /);
    expect(text).not.toContain("evil");
    expect(exchanges.list).toEqual([]);
  });
});

describe("closing", () => {
  it("ends idle connections at once, lets an exchange finish with Connection: close, and then resolves", async () => {
    const exchanges = new Exchanges();
    const { port, server } = await startServer({ onExchange: exchanges.onExchange });
    const busy = new RawVisitor(port).send(GET);
    const { exchange } = await exchanges.at(0);
    const streaming = new RawVisitor(port).send(GET);
    const stream = (await exchanges.at(1)).exchange;
    stream.sendHead(200, [], false);
    await streaming.until(/\r\n\r\n$/);
    const idle = new RawVisitor(port);
    await once(idle.socket, "connect");
    while (server.stats().connections < 3) await new Promise((resolve) => setImmediate(resolve));
    const closed = server.close({ graceMs: 10_000 });
    await idle.closed;
    answer(exchange, "finished");
    expect(await busy.all()).toMatch(/Connection: close\r\n[^]*finished$/);
    stream.write(Buffer.from("last"));
    stream.end();
    expect(await streaming.all()).toMatch(/4\r\nlast\r\n0\r\n\r\n$/);
    await closed;
    const late = new RawVisitor(port);
    await late.closed;
    expect(late.error?.code).toBe("ECONNREFUSED");
  });

  it("does not wait for a handshake that is not finished", async () => {
    const { port, server } = await startServer({ ...tls(certificate), onExchange: answer });
    const visitor = new RawVisitor(port);
    while (server.stats().connections < 1) await new Promise((resolve) => setImmediate(resolve));
    await server.close({ graceMs: 60_000 });
    await visitor.closed;
  });

  it("cuts what is still open after the grace", async () => {
    const exchanges = new Exchanges();
    const { port, server } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send(GET);
    const { recorder } = await exchanges.at(0);
    await server.close({ graceMs: 20 });
    await visitor.closed;
    await recorder.saw("close");
    expect(server.stats().connections).toBe(0);
  });

  it("of a listener whose port is taken names the address and leaves nothing open", async () => {
    const { port } = await startServer({ onExchange: answer });
    const second = createIngressServer({
      listeners: [
        { host: HOST, port: 0 },
        { host: HOST, port },
      ],
      clock: systemClock,
      onExchange: answer,
    });
    await expect(second.start()).rejects.toThrow(`Cannot listen on 127.0.0.1 port ${port}: EADDRINUSE`);
  });
});

describe("faults", () => {
  it("in the owner of an exchange are reported, answered with 500 or cut, and end nothing else (R-L9)", async () => {
    let count = 0;
    const faults: unknown[] = [];
    const { port } = await startServer({
      onFault: (error) => void faults.push(error),
      onExchange: (exchange) => {
        count++;
        if (count === 2) {
          exchange.sendHead(200, [], false);
          exchange.write(Buffer.from("half"));
        }
        if (count <= 2) throw new Error("fault");
        answer(exchange);
      },
    });
    const visitor = new RawVisitor(port).send(GET);
    expect(await visitor.until(/ERR_RELAY_INTERNAL[^]*}/)).toMatch(/^HTTP\/1\.1 500 /);
    expect(await visitor.send(GET).all()).not.toMatch(/0\r\n\r\n$/);
    const next = new RawVisitor(port).send(GET);
    await next.until(/ok$/);
    next.socket.destroy();
    expect(faults.length).toBe(2);
  });

  it("the lenient parser is refused wherever it is switched on (R-D1)", () => {
    refuseInsecureParser(process.execArgv, process.env["NODE_OPTIONS"]);
    refuseInsecureParser(["--enable-source-maps"], "--max-old-space-size=100");
    for (const [argv, options] of [
      [["--insecure-http-parser"], undefined],
      [[], "--x --insecure-http-parser"],
      [[], "--insecure_http_parser=true"],
    ] as const) {
      expect(() => refuseInsecureParser(argv, options)).toThrow(/insecure-http-parser/);
    }
  });

  it("an ordinary https client works", async () => {
    const { port } = await startServer({ ...tls(certificate), onExchange: answer });
    const request = httpsRequest({ port, host: HOST, rejectUnauthorized: false, agent: false }).end();
    const [response] = await once(request, "response");
    expect(response.statusCode).toBe(200);
    response.resume();
    await once(response, "end");
  });
});
