// What `npm start -- --once` sends through the relay, one leg per capability. A leg resolves with one line on what
// it saw, or throws an error that says what was wrong.

import { randomBytes } from "node:crypto";
import { request as requestHttp } from "node:http";
import { sendBulk } from "../../tests/harness/bulk.ts";
import type { Connector } from "../../tests/harness/connector.ts";
import type { Relay, ServiceToken } from "../../tests/harness/relay.ts";
import { within } from "../../tests/harness/scratch.ts";
import { answer, openVisit, visit } from "../../tests/harness/visitor.ts";
import { nextMessage, openWebSocket } from "../../tests/harness/websocket.ts";
import type { Greeting } from "./private-service.ts";
import { Visitor } from "../../tests/harness/sign-in.ts";

export interface Demo {
  readonly relay: Relay;
  readonly connector: Connector;
  readonly token: ServiceToken;
}

export interface Leg {
  readonly name: string;
  readonly run: (demo: Demo) => Promise<string>;
}

const UPLOAD_BYTES = 64 * 2 ** 20;
const SSE_EVENTS = 3;

function tokenHeaders({ clientId, clientSecret }: ServiceToken): Record<string, string> {
  return { "Sallyport-Client-Id": clientId, "Sallyport-Client-Secret": clientSecret };
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

async function openApplication({ relay }: Demo): Promise<string> {
  const page = await visit(relay, "hello", "/", { headers: { accept: "text/html" } });
  must(page.status === 200, `expected 200, got ${page.status}: ${page.text()}`);
  return `200 ${page.headers["content-type"] ?? ""}, ${page.body.length} bytes, request ${String(page.headers["sallyport-request-id"])}`;
}

async function withoutToken({ relay }: Demo): Promise<string> {
  const refused = await visit(relay, "api", "/orders");
  must(refused.status === 401, `expected 401, got ${refused.status}`);
  const contentType = refused.headers["content-type"] ?? "";
  must(contentType.includes("json"), `expected JSON, got ${contentType}`);
  return `401 ${String(refused.headers["sallyport-error"])} answered by ${String(refused.headers["sallyport-answered-by"])}`;
}

async function withWrongToken({ relay, token }: Demo): Promise<string> {
  const headers = tokenHeaders({ ...token, clientSecret: `${token.clientSecret.slice(0, -4)}AAAA` });
  const refused = await visit(relay, "api", "/orders", { headers });
  must(refused.status === 401, `expected 401, got ${refused.status}`);
  return `401 ${String(refused.headers["sallyport-error"])}`;
}

async function withToken({ relay, token }: Demo): Promise<string> {
  const served = await visit(relay, "api", "/orders?open=1", { headers: tokenHeaders(token) });
  must(served.status === 200, `expected 200, got ${served.status}: ${served.text()}`);
  const { path, headers } = served.json() as Greeting;
  must(path === "/orders?open=1", `the service saw ${path}`);
  const names = headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  must(!names.includes("sallyport-client-secret"), "the secret reached the private service");
  must(!headers.includes(token.clientSecret), "the secret reached the private service");
  return `200, the service saw ${path} from ${headers[headers.findIndex((name) => /^x-forwarded-for$/i.test(name)) + 1] ?? "nobody"}`;
}

async function programBeforeSignIn({ relay }: Demo): Promise<string> {
  const refused = await visit(relay, "notes", "/", { headers: { accept: "application/json" } });
  must(refused.status === 401, `expected 401, got ${refused.status}`);
  const { login_url: loginUrl } = refused.json() as { readonly login_url?: string };
  must(loginUrl?.startsWith(relay.authUrl) === true, `expected a login_url, got ${refused.text()}`);
  return `401 ${String(refused.headers["sallyport-error"])}, login_url ${loginUrl}`;
}

async function browserSignsIn({ relay }: Demo): Promise<string> {
  const visitor = new Visitor(relay);
  await visitor.signIn("notes", "/?first=1", "visitor@example.com");
  must(visitor.page.status === 200, `expected 200 after sign-in, got ${visitor.page.status}: ${visitor.page.text()}`);
  const { redirects } = visitor;
  await visitor.open("api", "/");
  must(visitor.page.status === 200, `expected the second application without another login, got ${visitor.page.status}`);
  await visitor.signOut();
  await visitor.open("notes", "/");
  must(visitor.page.text().includes('name="email"'), `expected to be asked to sign in after logout, got ${visitor.page.status}`);
  const after = await visitor.ask("notes", "/", "application/json");
  must(after.status === 401, `expected 401 after logout, got ${after.status}`);
  return `200 after ${redirects} redirects and a code from the terminal; second application without login; logout, then 401`;
}

async function webSocket({ relay }: Demo): Promise<string> {
  const socket = await within(10_000, "the WebSocket handshake", openWebSocket(relay, "hello", "/ws"));
  try {
    const bytes = randomBytes(100_000);
    const echo = nextMessage(socket);
    socket.send(bytes);
    must(bytes.equals(await within(10_000, "the echo", echo)), "the echo differs from what was sent");
    return `101, ${bytes.length} bytes sent and echoed`;
  } finally {
    socket.terminate();
  }
}

async function serverSentEvents({ relay }: Demo): Promise<string> {
  const request = openVisit(relay, "hello", "/sse", { headers: { accept: "text/event-stream" } });
  request.end();
  const response = await within(10_000, "the head of the event stream", answer(request));
  const arrivals: number[] = [];
  try {
    must(response.statusCode === 200, `expected 200, got ${response.statusCode}`);
    response.setEncoding("utf8");
    const work = (async () => {
      for await (const chunk of response as AsyncIterable<string>) {
        for (const event of chunk.split("\n\n")) if (/^data:/m.test(event)) arrivals.push(performance.now());
        if (arrivals.length >= SSE_EVENTS) return;
      }
    })();
    await within(20_000, `${SSE_EVENTS} events`, work);
  } finally {
    request.destroy();
  }
  return `${arrivals.length} events, ${arrivals
    .slice(1)
    .map((at, index) => `${(at - (arrivals[index] ?? at)).toFixed(0)} ms`)
    .join(" and ")} apart`;
}

async function upload({ relay, token }: Demo): Promise<string> {
  const headers = { ...tokenHeaders(token), "content-type": "application/octet-stream" };
  const request = openVisit(relay, "api", "/upload", { method: "PUT", headers });
  const startedAtMs = performance.now();
  const [sent, response] = await within(60_000, "the upload", Promise.all([sendBulk(request, UPLOAD_BYTES), answer(request)]));
  must(response.statusCode === 200, `expected 200, got ${response.statusCode}`);
  let text = "";
  for await (const chunk of response) text += String(chunk);
  const { bodyBytes, bodySha256 } = JSON.parse(text) as Greeting;
  must(
    bodyBytes === UPLOAD_BYTES && bodySha256 === sent,
    `sent ${UPLOAD_BYTES} bytes ${sent}, the service got ${bodyBytes} bytes ${bodySha256}`,
  );
  const seconds = (performance.now() - startedAtMs) / 1000;
  return `${UPLOAD_BYTES / 2 ** 20} MiB streamed in ${seconds.toFixed(1)} s, SHA-256 ${bodySha256.slice(0, 12)} on both sides`;
}

async function unknownHost({ relay }: Demo): Promise<string> {
  const status = await new Promise<number>((resolve, reject) => {
    const headers = { host: `nobody.relay.localhost:${relay.port}` };
    requestHttp({ host: "127.0.0.1", port: relay.port, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
  must(status === 421, `expected 421, got ${status}`);
  return "421, nothing about what there is";
}

async function spoofedIdentity({ relay, token }: Demo): Promise<string> {
  const forged = { "X-Forwarded-For": "203.0.113.9", "X-Forwarded-User": "root", "Sallyport-Jwt-Assertion": "forged" };
  const served = await visit(relay, "api", "/", { headers: { ...tokenHeaders(token), ...forged } });
  must(served.status === 200, `expected 200, got ${served.status}`);
  const { headers } = served.json() as Greeting;
  const arrived = Object.values(forged).filter((value) => headers.includes(value));
  must(arrived.length === 0, `the service saw ${arrived.join(", ")}`);
  return `${Object.keys(forged).join(", ")}: no copy of the visitor's reached the service`;
}

async function revoked({ relay, connector }: Demo): Promise<string> {
  const [credential] = await relay.credentials();
  await relay.mustRun("credential", "revoke", credential?.id ?? "");
  const revokedAtMs = performance.now();
  const exit = await within(5_000, "the connector to give up", connector.program.exited);
  const goneAfterMs = performance.now() - revokedAtMs;
  const refused = await visit(relay, "hello", "/");
  must(refused.status === 503, `expected 503 without a connector, got ${refused.status}`);
  return `connector ended with code ${exit.code} after ${goneAfterMs.toFixed(0)} ms, visitors get 503 ${String(refused.headers["sallyport-error"])}`;
}

/** In this order: the last one takes the tunnel away. */
export const LEGS: readonly Leg[] = [
  { name: "public application", run: openApplication },
  { name: "protected, no token", run: withoutToken },
  { name: "protected, wrong token", run: withWrongToken },
  { name: "protected, service token", run: withToken },
  { name: "sign-in, program", run: programBeforeSignIn },
  { name: "sign-in, browser", run: browserSignsIn },
  { name: "forged identity headers", run: spoofedIdentity },
  { name: "WebSocket", run: webSocket },
  { name: "server-sent events", run: serverSentEvents },
  { name: "streaming upload", run: upload },
  { name: "unknown host", run: unknownHost },
  { name: "revoked credential", run: revoked },
];
