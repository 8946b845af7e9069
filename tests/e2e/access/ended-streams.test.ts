// Whatever ends a right ends all that is open with it, within 5 s, in the way of each kind (R-I2): downloads that are read and
// such that back up, uploads, event streams, WebSockets, gRPC calls, TCP services, over HTTP/1.1 and HTTP/2. What other people
// and programs have open goes on. Built programs, real clients; each time is measured.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { CLIENT, type RunningProvider, startOidcProvider } from "../../conformance/support/oidc-provider.ts";
import { launchSallyport, startConnector } from "../../harness/connector.ts";
import * as long from "../../harness/long-exchanges.ts";
import { startOrigin, type Origin } from "../../harness/origin.ts";
import { Person } from "../../harness/programs.ts";
import { startRelay, type Relay, type ServiceToken } from "../../harness/relay.ts";
import { freePort, scratchFolder, within } from "../../harness/scratch.ts";
import { createAuthority } from "../../harness/tls.ts";

/** R-I2. */
const CLOSED_WITHIN_MS = 5_000;
const POLICIES = [
  { name: "people", action: "allow", include: [{ emailDomain: "example.com" }] },
  { name: "robots", action: "service", include: [{ anyServiceToken: true }] },
];

const definition = loadSync(join(import.meta.dirname, "..", "fixtures", "echo.proto"), { keepCase: true });
const { Echo } = grpc.loadPackageDefinition(definition)["echo"] as unknown as { Echo: grpc.ServiceClientConstructor };
type Conversation = grpc.ClientDuplexStream<{ text: string }, { text: string }>;

const files = new AsyncDisposableStack();
afterAll(() => files.disposeAsync());
let relay: Relay;
let origin: Origin;
let idp: RunningProvider;
let ca: string;
let caFile: string;
/** Closes what a test opened. */
let opened = new AsyncDisposableStack();
afterEach(async () => {
  await opened.disposeAsync();
  opened = new AsyncDisposableStack();
});

beforeAll(async () => {
  const folder = scratchFolder(files, "sallyport-ended");
  const authority = await createAuthority(folder);
  caFile = authority.caFile;
  ca = readFileSync(caFile, "utf8");
  const port = await freePort();
  idp = await startOidcProvider(files, { redirectUri: `https://auth.relay.localhost:${port}/callback/corp` });
  for (const sub of ["ann", "bob"]) idp.people.set(sub, { sub, email: `${sub}@example.com`, email_verified: true });
  const [secret, providerCa] = [join(folder, "secret"), join(folder, "provider.crt")];
  writeFileSync(secret, CLIENT.secret, { mode: 0o600 });
  writeFileSync(providerCa, idp.ca);
  const provider = { name: "corp", type: "oidc", issuer: idp.issuer, clientId: CLIENT.id, clientSecret: { file: secret } };
  relay = await startRelay(files, {
    port,
    applications: ["web", "rpc", "tcp"].map((name) => ({ name, policies: ["people", "robots"] })),
    tls: await authority.issue("relay", ["*.relay.localhost"]),
    config: { identityProviders: [{ ...provider, allowPrivateNetwork: true }], policies: POLICIES },
    env: { NODE_EXTRA_CA_CERTS: providerCa },
  });
  origin = await startOrigin(files, long.endlessOrigin);
  origin.server.on("upgrade", long.keepWebSocket);
  const services = { web: origin.url, rpc: `h2c://127.0.0.1:${await startRpc()}`, tcp: `tcp://127.0.0.1:${await startGreeter()}` };
  await startConnector(files, relay, { services, env: { NODE_EXTRA_CA_CERTS: caFile } });
});

/** Sends back what it gets, until somebody ends the call. */
async function startRpc(): Promise<number> {
  const server = new grpc.Server();
  const bidi = (call: grpc.ServerDuplexStream<unknown, unknown>): void => {
    call.on("data", (message: unknown) => call.write(message));
    call.on("end", () => call.end());
  };
  server.addService(Echo.service, { Bidi: bidi } as never);
  files.defer(() => server.forceShutdown());
  return await new Promise((resolve, reject) => {
    const insecure = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", insecure, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

async function startGreeter(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.write("welcome");
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  files.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

let floods = 0;

type Headers = Readonly<Record<string, string>>;

/** One exchange of each kind. @param tcp starts `sallyport access tcp` for the same credential */
async function openAll(headersFor: (application: string) => Headers, tcp: () => Promise<number>): Promise<readonly long.LongExchange[]> {
  const web = { relay, application: "web", ca, headers: headersFor("web") };
  const session = await long.http2(web);
  opened.defer(() => session.destroy());
  return [
    await long.download(web, "/download"),
    await long.stalledDownload(web, origin.server, "/download-unread"),
    await long.download(web, "/events"),
    await long.upload(web),
    await long.http2Download(session, web, "/download"),
    await long.http2Download(session, web, "/events"),
    long.http2Upload(session, web),
    await long.webSocket(web),
    await long.stalledWebSocket(web, `/flood-${++floods}`),
    await converse(headersFor("rpc")),
    await long.tcpThrough(await tcp()),
  ];
}

async function converse(headers: Headers): Promise<long.LongExchange> {
  const host = relay.host("rpc");
  const client = new Echo(`ipv4:127.0.0.1:${relay.port}`, grpc.credentials.createSsl(Buffer.from(ca)), {
    "grpc.ssl_target_name_override": host.split(":")[0] ?? "",
    "grpc.default_authority": host,
  });
  opened.defer(() => client.close());
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const call = (client["Bidi"] as unknown as (metadata: grpc.Metadata) => Conversation)(metadata);
  const ended = new Promise<string>((resolve) => {
    call.on("error", ({ code, details }: grpc.ServiceError) => resolve(`${grpc.status[code]}: ${details}`));
    call.on("end", () => resolve("complete"));
  });
  const reply = new Promise((resolve) => call.once("data", resolve));
  call.write({ text: "hello" });
  await within(CLOSED_WITHIN_MS, "the first answer", Promise.race([reply, ended.then((how) => Promise.reject(new Error(how)))]));
  call.resume();
  return { kind: "gRPC call", ended };
}

/** `sallyport access tcp --listen` as this person or, with a token in the environment, as a program. */
async function listenTcp(person: Person, env: Headers = {}): Promise<number> {
  const args = ["access", "tcp", "--hostname", person.url("tcp"), "--listen", "0"];
  const program = opened.use(launchSallyport(args, { ...person.env, ...env }));
  const line = await program.line(/Listening on 127\.0\.0\.1:\d+/);
  return Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
}

const EXPECTED: Readonly<Record<string, unknown>> = {
  "HTTP/1.1 /download": "cut",
  "HTTP/1.1 /download-unread": "cut",
  "HTTP/1.1 /events": "cut",
  // A body that keeps coming can break the connection before its sender reads the answer (RFC 9112 section 9.6).
  "HTTP/1.1 upload": expect.stringMatching(/^(?:answered 403|cut)$/),
  "HTTP/2 /download": "reset 2",
  "HTTP/2 /events": "reset 2",
  "HTTP/2 upload": "answered 403",
  WebSocket: "code 1008",
  "WebSocket that nobody reads": "recorded as revoked",
  "gRPC call": "PERMISSION_DENIED: ERR_ACCESS_DENIED: access ended",
  "TCP service": "closed",
};

/** A person whose browser and whose command line are signed in. */
async function signedIn(subject: string): Promise<Person> {
  const person = new Person(opened, relay, caFile);
  const { visitor } = person;
  await visitor.open("web", "/probe");
  const { pathname, search } = await idp.signIn(visitor.page.headers.location ?? "", subject);
  await visitor.open("auth", pathname + search);
  // Nothing answers a GET there; the cookie is there all the same.
  await visitor.open("rpc", "/");
  await person.logIn("tcp", `${subject}@example.com`);
  return person;
}

async function openAllOf(person: Person): Promise<readonly long.LongExchange[]> {
  return await openAll(
    (application) => ({ cookie: person.visitor.cookie(application) }),
    () => listenTcp(person),
  );
}

/** Open for as long as the test: what other people have is not touched. */
async function openEventsOf(person: Person): Promise<() => Promise<string>> {
  const { ended } = await long.download({ relay, application: "web", ca, headers: { cookie: person.visitor.cookie("web") } }, "/events");
  return () => Promise.race([ended, Promise.resolve("open")]);
}

/** Ends a right, and expects everything of `exchanges` to end because of it, 5 s after the command that did it at the latest. */
async function expectEnd(exchanges: readonly long.LongExchange[], end: () => Promise<unknown>): Promise<void> {
  const still = Symbol("still open");
  const early = exchanges.map(async ({ kind, ended }) => `${kind} ended before anything was: ${await ended}`);
  expect(await Promise.race([...early, Promise.resolve(still)])).toBe(still);
  const startedAtMs = performance.now();
  const found = exchanges.map(async ({ kind, ended }) => [kind, await ended, performance.now() - startedAtMs] as const);
  await end();
  const doneMs = performance.now() - startedAtMs;
  const all = await within(CLOSED_WITHIN_MS, "everything to end", Promise.all(found)).catch(async (error: unknown) => {
    const open = exchanges.map(async ({ kind, ended }) => ((await Promise.race([ended, Promise.resolve(still)])) === still ? [kind] : []));
    throw new Error(`still open: ${(await Promise.all(open)).flat().join(", ")}`, { cause: error });
  });
  expect(Object.fromEntries(all.map(([kind, how]) => [kind, how]))).toEqual(EXPECTED);
  const times = all.map(([kind, , ms]) => `${kind} ${ms.toFixed(0)} ms`).join(", ");
  console.log(`what ended the right was done after ${doneMs.toFixed(0)} ms; ended after: ${times}`);
}

test.each<[string, (ann: Person) => Promise<unknown>]>([
  ["the person signs out", (ann) => ann.visitor.signOut()],
  ["an administrator ends the person's sessions", () => relay.mustRun("session", "revoke", "--email", "ann@example.com")],
  [
    "a policy that does not let the person in any more is loaded",
    async () => {
      const exclude = [{ email: "ann@example.com" }];
      relay.writeConfig({ policies: POLICIES.map((policy) => (policy.name === "people" ? { ...policy, exclude } : policy)) });
      relay.program.signal("SIGHUP");
      await relay.program.line(/configuration reloaded/i);
    },
  ],
])("R-I2: %s: all that is open with it ends within 5 s, and nothing of anybody else", async (_, end) => {
  const [ann, bob] = [await signedIn("ann"), await signedIn("bob")];
  const bobs = await openEventsOf(bob);
  await expectEnd(await openAllOf(ann), () => end(ann));
  expect(await bobs()).toBe("open");
});

test.each<[string, (token: ServiceToken) => Promise<unknown>]>([
  ["revoked", ({ clientId }) => relay.mustRun("service-token", "revoke", clientId)],
  ["disabled", ({ clientId }) => relay.mustRun("service-token", "disable", clientId)],
])("R-I2: a service token is %s: all that is open with it ends within 5 s", async (how, end) => {
  const token = await relay.createServiceToken(`robot-${how}`);
  const headers = { "sallyport-client-id": token.clientId, "sallyport-client-secret": token.clientSecret };
  const env = { SALLYPORT_CLIENT_ID: token.clientId, SALLYPORT_CLIENT_SECRET: token.clientSecret };
  const person = new Person(opened, relay, caFile);
  await expectEnd(
    await openAll(
      () => headers,
      () => listenTcp(person, env),
    ),
    () => end(token),
  );
});
