// A23 and R-B5: client certificates. Who holds one that verifies is told apart from everybody else, per host name, over
// HTTP/1.1 and HTTP/2; and no name, no missing name, no shared connection and no resumed session carries a verdict to
// where it was not made.

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp, createServer } from "node:net";
import { join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { loadConfig } from "@sallyport/relay/config/load";
import { systemClock } from "@sallyport/shared/clock";
import { afterAll, describe, expect, test } from "vitest";
import { command } from "../harness/program.ts";
import { eventually, scratchFolder, within } from "../harness/scratch.ts";
import { createAuthority, type Certificate } from "../harness/tls.ts";
import { useBed } from "./support/bed.ts";
import { expectSilence, http2Exchange, mark, only, pseudo, type Mark } from "./support/visit.ts";
import { readResponses, write, type WireResponse } from "./support/wire.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const folder = scratchFolder(stack, "sallyport-clients");
const clients = await createAuthority(folder, "clients");
const others = await createAuthority(folder, "others");

const machine = await clients.issueClient("ci", ["DNS:CI.example.test", "URI:spiffe://example.test/ci", "email:ci@example.test"]);
const second = await clients.issueClient("second");
const revoked = await clients.issueClient("revoked");
const expired = await clients.issueClient("expired", [], { expired: true });
const server = await clients.issueClient("server", [], { usage: "serverAuth" });
const foreign = await others.issueClient("foreign");
const list = await clients.revocationList("clients.crl", [revoked]);
const fingerprint = new X509Certificate(readFileSync(machine.certificateFile)).fingerprint256;

const requiring = (name: string, clientCertificate: unknown): Record<string, unknown> => ({
  name,
  action: "bypass",
  include: [{ everyone: true }],
  require: [{ clientCertificate }],
});
const published = (name: string, policy: string, clientCertificates: unknown, more = {}): Record<string, unknown> => ({
  name,
  hostname: `${name}.example.test`,
  tunnel: "office",
  service: "open",
  policies: [policy],
  clientCertificates,
  ...more,
});
const ours = { ca: { file: clients.caFile }, crl: [{ file: list }] };

const bed = useBed({
  policies: [
    requiring("any", "any"),
    requiring("named", { commonName: "ci" }),
    requiring("dns", { subjectAlternativeName: "dns:ci.example.test" }),
    requiring("uri", { subjectAlternativeName: "uri:spiffe://example.test/ci" }),
    requiring("print", { fingerprint }),
    { name: "both", action: "allow", include: [{ emailDomain: "example.com" }], require: [{ clientCertificate: "any" }] },
    { name: "robots", action: "service", include: [{ serviceToken: "robot" }], require: [{ clientCertificate: "any" }] },
  ],
  applications: [
    published("machines", "any", ours),
    published("named", "named", ours),
    published("dns", "dns", ours),
    published("uri", "uri", ours),
    published("print", "print", ours),
    published("people", "both", ours),
    published("robots", "robots", ours),
    published("elsewhere", "any", { ca: { file: others.caFile } }),
    published("path", "any", ours, { path: "/machines" }),
    { name: "beside", hostname: "path.example.test", tunnel: "office", service: "open", policies: ["public"] },
  ],
});

interface Visitor {
  readonly host?: string;
  /** In TLS; null: none. Default: the host. */
  readonly serverName?: string | null;
  readonly certificate?: Certificate | undefined;
  readonly options?: ConnectionOptions;
  readonly headers?: readonly string[];
}

function dial({ host = "machines.example.test", serverName = host, certificate, options }: Visitor): TLSSocket {
  const own = certificate && { cert: readFileSync(certificate.certificateFile), key: readFileSync(certificate.privateKeyFile) };
  return connect({
    ...(options?.socket === undefined ? { host: "127.0.0.1", port: bed().tlsPort } : {}),
    ca: bed().ca,
    ALPNProtocols: ["http/1.1"],
    ...(serverName === null ? {} : { servername: serverName }),
    checkServerIdentity: () => undefined,
    ...own,
    ...options,
  });
}

async function answerOn(
  socket: TLSSocket,
  { host = "machines.example.test", headers = [] }: Visitor,
  target = "/x",
): Promise<WireResponse> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.write(write(target, { host, fields: headers }));
  await within(10_000, "the connection to end", once(socket, "close"));
  return only(readResponses(text));
}

async function visit(visitor: Visitor): Promise<WireResponse> {
  return await answerOn(dial(visitor), visitor);
}

async function http2(serverName: string, certificate?: Certificate): Promise<ClientHttp2Session & AsyncDisposable> {
  const socket = dial({ serverName, certificate, options: { ALPNProtocols: ["h2"] } });
  const session = connectHttp2(`https://${serverName}`, { createConnection: () => socket });
  session.on("error", () => {});
  await within(10_000, "the session", once(session, "connect"));
  return Object.assign(session, { [Symbol.asyncDispose]: async () => session.destroy() });
}

function records(): readonly Record<string, unknown>[] {
  const kept = join(bed().folder, "state", "records");
  const text = readdirSync(kept).map((file) => readFileSync(join(kept, file), "utf8"));
  return text.flatMap((lines) => lines.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>])));
}

/** Requests that reached an origin since. */
const heard = (before: Mark): number => bed().open.requests.length - before.open;

const refusedFor = (response: WireResponse): readonly unknown[] => [
  response.status,
  (JSON.parse(response.body) as { detail?: string }).detail,
];
const REQUIRED = [403, "A client certificate is needed here, and none was sent."];
const REFUSED = [403, "A client certificate is needed here, and the one that was sent does not verify."];

describe("A23: a host that asks for client certificates", () => {
  test("lets in who holds one that verifies, over HTTP/1.1 and HTTP/2, with TLS 1.2 and 1.3", async () => {
    const before = mark(bed());
    for (const version of ["TLSv1.2", "TLSv1.3"] as const)
      expect((await visit({ certificate: machine, options: { minVersion: version, maxVersion: version } })).status).toBe(200);
    await using session = await http2("machines.example.test", machine);
    expect((await http2Exchange(session, pseudo("/x", "machines.example.test"))).status).toBe(200);
    expect(heard(before)).toBe(3);
  });

  test("refuses who holds none, and says so", async () => {
    const before = mark(bed());
    expect(refusedFor(await visit({}))).toEqual(REQUIRED);
    await using session = await http2("machines.example.test");
    expect((await http2Exchange(session, pseudo("/x", "machines.example.test"))).status).toBe(403);
    await expectSilence(bed(), before);
  });

  test.each([
    ["of another authority", foreign],
    ["that was revoked", revoked],
    ["that has expired", expired],
    ["that is for servers", server],
  ])("refuses a certificate %s", async (_title, certificate) => {
    const before = mark(bed());
    expect(refusedFor(await visit({ certificate }))).toEqual(REFUSED);
    await expectSilence(bed(), before);
  });

  test.each(["named", "dns", "uri", "print"])("tells certificates apart: %s", async (name) => {
    expect((await visit({ host: `${name}.example.test`, certificate: machine })).status).toBe(200);
    expect((await visit({ host: `${name}.example.test`, certificate: second })).status).toBe(403);
  });

  test("asks people for both, a certificate first", async () => {
    expect(refusedFor(await visit({ host: "people.example.test" }))).toEqual(REQUIRED);
    expect((await visit({ host: "people.example.test", certificate: machine })).status).toBe(401);
  });

  test("asks programs for both, whichever is missing", async () => {
    const robot = { host: "robots.example.test", headers: bed().token.fields };
    expect((await visit({ ...robot, certificate: machine })).status).toBe(200);
    expect(refusedFor(await visit(robot))).toEqual(REQUIRED);
    expect((await visit({ host: robot.host, certificate: machine })).status).toBe(401);
  });

  test("may have public applications beside the others", async () => {
    const at = async (target: string): Promise<number> =>
      (await answerOn(dial({ host: "path.example.test" }), { host: "path.example.test" }, target)).status;
    expect([await at("/"), await at("/machines/x")]).toEqual([200, 403]);
  });

  test("over a listener without TLS nobody can have one: not known, so not let in", async () => {
    const socket = connectTcp(bed().port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.write(write("/x", { host: "machines.example.test" }));
    await within(10_000, "the connection to end", once(socket, "close"));
    expect(only(readResponses(text)).status).toBe(403);
  });

  test("is recorded with the certificate of who was let in", async () => {
    const id = (await visit({ certificate: machine })).value("sallyport-request-id");
    const record = await eventually(() => records().find(({ requestId }) => requestId === id), { what: "the record" });
    expect(record).toMatchObject({
      decision: "bypass",
      certificate: fingerprint.replaceAll(":", "").toLowerCase(),
      certificateName: "ci",
    });
  });

  test("is the only one that asks: others show no list of authorities", async () => {
    const hello = async (name: string): Promise<string> =>
      (await command("openssl", ["s_client", "-connect", `127.0.0.1:${bed().tlsPort}`, "-servername", name])).stdout;
    expect(await hello("machines.example.test")).toMatch(/Acceptable client certificate CA names\s+CN\s?=\s?Test CA clients/);
    expect(await hello("app.example.test")).toContain("No client certificate CA names sent");
  });
});

describe("R-B5: a verdict counts where it was made", () => {
  const crossings: readonly (readonly [title: string, visitor: Visitor, status: number])[] = [
    ["a certificate host over a connection for a plain one", { serverName: "app.example.test", certificate: machine }, 421],
    ["a certificate host over a connection without a name", { serverName: null, certificate: machine }, 421],
    ["a certificate host over a connection for an unknown name", { serverName: "evil.example", certificate: machine }, 421],
    [
      "a certificate host over a connection for one with another authority",
      { serverName: "elsewhere.example.test", certificate: foreign },
      421,
    ],
    [
      "a plain host over a connection for a certificate host",
      { host: "app.example.test", serverName: "machines.example.test", certificate: machine },
      421,
    ],
    [
      "the auth host over a connection for a certificate host",
      { host: "auth.example.test", serverName: "machines.example.test", certificate: machine },
      421,
    ],
    ["the same name in mixed case", { serverName: "mAchines.Example.TEST", certificate: machine }, 200],
    ["another name with the same rules", { serverName: "named.example.test", certificate: machine }, 200],
    ["its own name, with another authority's certificate", { host: "elsewhere.example.test", certificate: machine }, 403],
    ["its own name, with its authority's certificate", { host: "elsewhere.example.test", certificate: foreign }, 200],
  ];

  test.each(crossings)("%s", async (_title, visitor, status) => {
    const before = mark(bed());
    const response = await visit(visitor);
    expect(response.status).toBe(status);
    if (status === 421) expect(response.value("sallyport-error")).toBe("ERR_CONNECTION_MISDIRECTED");
    expect(heard(before)).toBe(status === 200 ? 1 : 0);
  });

  test("an HTTP/2 connection that a browser shares between hosts is sent back, and goes on for its own", async () => {
    await using session = await http2("app.example.test", machine);
    expect((await http2Exchange(session, pseudo("/x", "machines.example.test"))).status).toBe(421);
    expect((await http2Exchange(session, pseudo("/x", "app.example.test"))).status).toBe(200);
    await using other = await http2("machines.example.test", machine);
    expect((await http2Exchange(other, pseudo("/x", "app.example.test"))).status).toBe(421);
    expect((await http2Exchange(other, pseudo("/x", "machines.example.test"))).status).toBe(200);
  });

  test("a ClientHello in many pieces asks for the certificate all the same", async () => {
    // A forwarder that passes on one byte at a time until the handshake is under way.
    const slicer = createServer((from) => {
      const to = connectTcp(bed().tlsPort, "127.0.0.1");
      to.setNoDelay(true);
      let sliced = 0;
      from.on("data", (chunk: Buffer) => {
        const pieces = sliced < 600 ? [...chunk].map((byte) => Buffer.of(byte)) : [chunk];
        sliced += chunk.length;
        for (const piece of pieces) to.write(piece);
      });
      to.pipe(from);
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        one.on("error", () => {});
        one.on("close", () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => void slicer.listen(0, "127.0.0.1", resolve));
    const port = (slicer.address() as { port: number }).port;
    expect((await visit({ certificate: machine, options: { host: "127.0.0.1", port } })).status).toBe(200);
    expect(refusedFor(await visit({ options: { host: "127.0.0.1", port } }))).toEqual(REQUIRED);
    slicer.close();
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("no session of %s is resumed, neither for the same name nor for another", async (version) => {
    const options = { minVersion: version, maxVersion: version };
    const session = async (visitor: Visitor): Promise<Buffer | undefined> => {
      const socket = dial(visitor);
      let ticket: Buffer | undefined = undefined;
      socket.on("session", (given) => (ticket = given));
      await answerOn(socket, visitor);
      return ticket ?? socket.getSession();
    };
    // The control: a name without client certificates resumes.
    const plain = await session({ host: "app.example.test", options });
    const again = dial({ host: "app.example.test", options: { ...options, session: plain } });
    expect((await answerOn(again, { host: "app.example.test" })).status).toBe(200);
    const resumed = dial({ host: "app.example.test", options: { ...options, session: plain } });
    await once(resumed, "secureConnect");
    expect(resumed.isSessionReused()).toBe(true);
    resumed.destroy();

    const verified = await session({ certificate: machine, options });
    for (const host of ["machines.example.test", "elsewhere.example.test", "named.example.test"]) {
      const socket = dial({ host, options: { ...options, session: verified } });
      await once(socket, "secureConnect");
      expect(socket.isSessionReused()).toBe(false);
      expect(refusedFor(await answerOn(socket, { host }))).toEqual(REQUIRED);
    }
  });
});

test("A23: a new revocation list counts on connections that are open already", async () => {
  const reload = async (): Promise<void> => {
    const loaded = await loadConfig({ file: join(bed().folder, "relay.yaml"), env: {}, clock: systemClock });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
    bed().relay.applyConfig(loaded.config);
  };
  await using session = await http2("machines.example.test", second);
  const goaway = once(session, "goaway");
  // A download that would go on for ever.
  bed().open.respond = () => "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun";
  const stream = session.request(pseudo("/download", "machines.example.test") as never, { endStream: true });
  stream.on("error", () => {});
  await within(10_000, "the download to begin", once(stream, "data"));
  const cut = new Promise<void>((resolve) => void stream.once("close", () => resolve()));

  copyFileSync(list, join(folder, "before.crl"));
  await clients.revocationList("clients.crl", [revoked, second]);
  await reload();
  await within(10_000, "the session to be sent away", goaway);
  await within(10_000, "the download to end", cut);
  expect(stream.rstCode).not.toBe(0);
  expect(refusedFor(await visit({ certificate: second }))).toEqual(REFUSED);

  bed().open.reset();
  copyFileSync(join(folder, "before.crl"), list);
  await reload();
  expect((await visit({ certificate: second })).status).toBe(200);
});
