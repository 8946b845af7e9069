import { ManualClock } from "@sallyport/shared/clock";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect as netConnect, createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { type Dialled, dial, type DialOptions, retryAfterMs } from "./dial.ts";
import { DialError } from "./dial-error.ts";
import { chooseProxy, type Environment } from "./proxy.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((entries) => entries?.some(({ address }) => address === "::1"));
const folder = mkdtempSync(join(tmpdir(), "dial-"));
const servers: TcpServer[] = [];
const sockets = new Set<Socket>();
const dialled: Dialled[] = [];
let ca = "";
let key = "";
let certificate = "";

beforeAll(() => {
  const [caFile, caKey, certFile, keyFile] = ["ca.crt", "ca.key", "relay.crt", "relay.key"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  const fresh = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const quiet: { stdio: ("ignore" | "pipe")[] } = { stdio: ["ignore", "ignore", "pipe"] };
  execFileSync("openssl", [...fresh, "-subj", "/CN=Test CA", "-keyout", caKey, "-out", caFile], quiet);
  const names = "subjectAltName=DNS:auth.relay.localhost,IP:127.0.0.1";
  const leaf = ["-subj", "/CN=relay", "-CA", caFile, "-CAkey", caKey, "-addext", names, "-addext", "basicConstraints=CA:FALSE"];
  execFileSync("openssl", [...fresh, ...leaf, "-keyout", keyFile, "-out", certFile], quiet);
  [ca, key, certificate] = [caFile, keyFile, certFile].map((file) => readFileSync(file, "utf8")) as [string, string, string];
});

afterEach(() => {
  for (const { transport } of dialled.splice(0)) transport.terminate();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function listen(server: TcpServer, host: string = "127.0.0.1"): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

interface FakeRelay {
  readonly port: number;
  readonly upgrades: IncomingMessage[];
}

async function relay(secure: boolean, answer?: RequestListener, host?: string): Promise<FakeRelay> {
  const refuse: RequestListener = answer ?? ((_request, response) => response.writeHead(404).end());
  const server: Server = secure ? createHttpsServer({ key, cert: certificate }, refuse) : createHttpServer(refuse);
  const upgrades: IncomingMessage[] = [];
  const webSockets = new WebSocketServer({ noServer: true });
  if (answer === undefined) {
    server.on("upgrade", (request, socket, head) => {
      upgrades.push(request);
      webSockets.handleUpgrade(request, socket, head, () => undefined);
    });
  }
  return { port: await listen(server, host), upgrades };
}

interface FakeProxy {
  readonly port: number;
  /** authority and credentials of each CONNECT. */
  readonly connects: { readonly authority: string; readonly authorization: string | undefined }[];
}

// Sends every tunnel to `relayPort`, whatever name was asked for: the names do not exist in any DNS.
async function connectProxy(relayPort: number, expected?: string): Promise<FakeProxy> {
  const connects: FakeProxy["connects"] = [];
  const server = createHttpServer();
  server.on("connect", (request, client: Socket, head) => {
    const authorization = request.headers["proxy-authorization"];
    connects.push({ authority: request.url ?? "", authorization });
    if (expected !== undefined && authorization !== expected) {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
      return;
    }
    const onward = netConnect(relayPort, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      client.pipe(onward).pipe(client);
    });
    sockets.add(onward);
    onward.on("error", () => client.destroy());
    client.on("error", () => onward.destroy());
  });
  return { port: await listen(server), connects };
}

async function attempt(url: string, environment: Environment = {}, more: Partial<DialOptions> = {}): Promise<Dialled> {
  const target = new URL(url);
  const result = await dial({
    relay: target,
    proxy: chooseProxy(target, { kind: "environment" }, environment),
    userAgent: "sallyport/test",
    ...more,
  });
  dialled.push(result);
  return result;
}

async function failure(url: string, environment?: Environment, more?: Partial<DialOptions>): Promise<DialError> {
  const outcome: unknown = await attempt(url, environment, more).catch((error: unknown) => error);
  if (outcome instanceof DialError) return outcome;
  throw new Error("the dial did not fail with a DialError");
}

describe("straight to the relay", () => {
  test("opens ws:// on loopback, by a name under localhost, with our subprotocol and path", async () => {
    const { port, upgrades } = await relay(false);
    const { localAddress } = await attempt(`http://auth.relay.localhost:${port}`);
    expect(localAddress).toBe("127.0.0.1");
    expect(upgrades[0]).toMatchObject({
      url: "/.sallyport/tunnel",
      headers: { "user-agent": "sallyport/test", "sec-websocket-protocol": "sallyport.v1" },
    });
    expect(upgrades[0]?.headers["sec-websocket-extensions"]).toBeUndefined();
  });

  test.skipIf(!hasIpv6)("tries every address of a name until one answers", async () => {
    const { port, upgrades } = await relay(false, undefined, "::1");
    const { localAddress } = await attempt(`http://auth.relay.localhost:${port}`);
    expect(localAddress).toBe("::1");
    expect(upgrades).toHaveLength(1);
  });

  test("refuses http:// to anything but loopback, for good and without dialling (R-K3)", async () => {
    expect(await failure("http://auth.example.com")).toMatchObject({ code: "ERR_DIAL_INSECURE", retryable: false });
  });

  test("loses nothing that the relay says together with its 101", async () => {
    const server = createHttpServer();
    server.on("upgrade", (request, socket, head) => {
      const webSockets = new WebSocketServer({ noServer: true });
      socket.cork();
      webSockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.send(Buffer.from("first")));
      socket.uncork();
    });
    const { transport } = await attempt(`http://127.0.0.1:${await listen(server)}`);
    const received = await new Promise<string>((resolve) => {
      const ignore = (): void => undefined;
      transport.setReceiver({
        onMessage: (message) => resolve(message.toString()),
        onInvalidMessage: ignore,
        onDrain: ignore,
        onClose: () => resolve("closed"),
      });
    });
    expect(received).toBe("first");
  });

  test("verifies TLS with a private CA (R-K3)", async () => {
    const { port, upgrades } = await relay(true);
    await attempt(`https://auth.relay.localhost:${port}`, {}, { ca });
    expect(upgrades).toHaveLength(1);
  });

  test("names the remedy when the CA is unknown", async () => {
    const { port } = await relay(true);
    const error = await failure(`https://auth.relay.localhost:${port}`);
    expect(error).toMatchObject({ code: "ERR_DIAL_TLS", stage: "tls", retryable: true });
    expect(error.remedy).toContain("--ca");
  });

  test("refuses a certificate for another name, even when Node is told not to verify (R-K3)", async () => {
    const { port } = await relay(true);
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      const error = await failure(`https://other.relay.localhost:${port}`, {}, { ca });
      expect(error).toMatchObject({ code: "ERR_DIAL_TLS", message: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID") });
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
  });

  test("says when nothing listens there", async () => {
    const port = await listen(createTcpServer());
    servers.pop()?.close();
    expect(await failure(`http://127.0.0.1:${port}`)).toMatchObject({ code: "ERR_DIAL_UNREACHABLE", stage: "tcp", retryable: true });
  });

  test("takes the Retry-After of a busy relay", async () => {
    const { port } = await relay(false, (_request, response) => response.writeHead(503, { "Retry-After": "7" }).end());
    expect(await failure(`http://127.0.0.1:${port}`)).toMatchObject({ code: "ERR_DIAL_BUSY", retryAfterMs: 7_000, retryable: true });
  });

  test("a relay without our version is a permanent failure", async () => {
    const { port } = await relay(false, (_request, response) =>
      response.writeHead(400, { "Sallyport-Error": "ERR_PROTOCOL_VERSION" }).end(),
    );
    expect(await failure(`http://127.0.0.1:${port}`)).toMatchObject({ code: "ERR_DIAL_VERSION", retryable: false });
  });

  test.each([404, 200, 302])("says that it is no relay on status %i, and follows no redirect", async (status) => {
    const { port } = await relay(false, (_request, response) => response.writeHead(status, { Location: "http://127.0.0.1:9/" }).end());
    expect(await failure(`http://127.0.0.1:${port}`)).toMatchObject({
      code: "ERR_DIAL_NOT_A_RELAY",
      message: expect.stringContaining(String(status)),
    });
  });

  test("a server that says nothing is given up at the deadline", async () => {
    const silent = createTcpServer();
    const port = await listen(silent);
    const clock = new ManualClock();
    silent.once("connection", () => clock.advance(15_000));
    expect(await failure(`http://127.0.0.1:${port}`, {}, { clock })).toMatchObject({ code: "ERR_DIAL_TIMEOUT" });
    expect(clock.pendingTimers).toBe(0);
  });

  test("an attempt that is called off ends at once", async () => {
    const silent = createTcpServer();
    const port = await listen(silent);
    const abort = new AbortController();
    silent.once("connection", () => abort.abort());
    expect(await failure(`http://127.0.0.1:${port}`, {}, { signal: abort.signal })).toMatchObject({ code: "ERR_DIAL_ABORTED" });
  });
});

describe("through an HTTP CONNECT proxy", () => {
  // Any name but localhost goes to the proxy, which alone knows where it leads; the certificate must still fit the name.
  const viaAddress = (port: number): string => `https://192.0.2.1:${port}`;

  test("asks the proxy for the relay's authority, with basic auth and a private CA", async () => {
    const { port } = await relay(true);
    const proxy = await connectProxy(port, `Basic ${Buffer.from("us@er:p:w").toString("base64")}`);
    // The certificate names 127.0.0.1 only, so this also proves that TLS is verified end to end through the proxy.
    const error = await failure(viaAddress(port), { HTTPS_PROXY: `http://us%40er:p%3Aw@127.0.0.1:${proxy.port}` }, { ca });
    expect(error).toMatchObject({ code: "ERR_DIAL_TLS", stage: "tls" });
    expect(proxy.connects).toEqual([
      { authority: `192.0.2.1:${port}`, authorization: `Basic ${Buffer.from("us@er:p:w").toString("base64")}` },
    ]);
  });

  test("opens the tunnel through the proxy that the configuration names", async () => {
    const { port, upgrades } = await relay(true);
    const proxy = await connectProxy(port);
    const url = new URL(`http://user:word@127.0.0.1:${proxy.port}`);
    await attempt(`https://auth.relay.localhost:${port}`, {}, { ca, proxy: { kind: "proxy", url, why: "test" } });
    expect(upgrades).toHaveLength(1);
    expect(proxy.connects[0]?.authority).toBe(`auth.relay.localhost:${port}`);
  });

  test("says that the proxy wants a password", async () => {
    const proxy = await connectProxy(1, "Basic something");
    const error = await failure("https://auth.example.com", { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    expect(error).toMatchObject({ code: "ERR_DIAL_PROXY_AUTH", stage: "proxy", remedy: expect.stringContaining("HTTPS_PROXY=") });
  });

  test("never shows the proxy's password", async () => {
    const proxy = await connectProxy(1, "Basic something");
    const error = await failure("https://auth.example.com", { HTTPS_PROXY: `http://user:hunter2@127.0.0.1:${proxy.port}` });
    expect(`${error.message} ${error.remedy}`).not.toContain("hunter2");
  });

  test("a proxy that accepts and then says nothing is given up at the deadline", async () => {
    const stalled = createTcpServer();
    const port = await listen(stalled);
    const clock = new ManualClock();
    stalled.once("connection", (socket) => socket.once("data", () => clock.advance(15_000)));
    const error = await failure("https://auth.example.com", { HTTPS_PROXY: `http://127.0.0.1:${port}` }, { clock });
    expect(error).toMatchObject({ code: "ERR_DIAL_TIMEOUT", stage: "proxy" });
  });

  test("NO_PROXY goes around it", async () => {
    const { port } = await relay(true);
    const proxy = await connectProxy(port);
    const error = await failure(`https://unknown.invalid:${port}`, { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: ".invalid" });
    expect(error).toMatchObject({ code: "ERR_DIAL_DNS", stage: "dns" });
    expect(proxy.connects).toHaveLength(0);
  });
});

test("Retry-After is read as seconds or as a date; nonsense and the past are nothing", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfterMs("120", now)).toBe(120_000);
  expect(retryAfterMs("Thu, 01 Jan 2026 00:00:10 GMT", now)).toBe(10_000);
  expect(retryAfterMs("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBeUndefined();
  expect(retryAfterMs("soon", now)).toBeUndefined();
  expect(retryAfterMs("999999999", now)).toBe(86_400_000);
});
