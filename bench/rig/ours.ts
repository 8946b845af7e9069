// Our side with everything on: the built relay and connector with an application behind policies, a person's application
// token in the cookie of every request, the assertion added and verified, records and metrics written.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startConnector } from "../../tests/harness/connector.ts";
import type { Connector, ConnectorOptions } from "../../tests/harness/connector.ts";
import { openMailbox, type Mailbox } from "../../tests/harness/mailbox.ts";
import { startRelay } from "../../tests/harness/relay.ts";
import type { Relay, RelayOptions } from "../../tests/harness/relay.ts";
import { scratchFolder } from "../../tests/harness/scratch.ts";
import { Visitor } from "../../tests/harness/sign-in.ts";
import type { Authority } from "../../tests/harness/tls.ts";
import type { Side } from "../measure/side.ts";

/** Beyond what the memory rows open from one address. */
const LIMITS = { connectionsPerAddress: 40_000, streamsPerTunnel: 40_000, streamsPerIdentity: 40_000 };
const MAX_ORIGIN_CONNECTIONS = 40_000;
/** The one for programs is looked at first, and says nothing of a person. */
const POLICIES = [
  { name: "programs", action: "service", include: [{ anyServiceToken: true }] },
  { name: "staff", action: "allow", include: [{ emailDomain: "example.com" }] },
];

/** The code stands on a line of its own. */
const CODE_IN_MAIL = /^ {4}([0-9]+)\r?$/m;

export interface OursOptions {
  /** Origin port by path prefix: "/" and others. */
  readonly origins: Readonly<Record<string, number>>;
  readonly authority?: Authority | undefined;
  /** Folder for CPU profiles. */
  readonly profile?: string | undefined;
  readonly relay?: Partial<RelayOptions>;
  readonly connector?: Partial<ConnectorOptions>;
}

export interface Ours {
  readonly side: Side;
  readonly relay: Relay;
  readonly connector: Connector;
  /** Of a request to the application of "/". */
  readonly headers: Readonly<Record<string, string>>;
  /** The same for the others, by path prefix: each has a host name and a token of its own. */
  readonly headersOf: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export async function startOurs(stack: AsyncDisposableStack, options: OursOptions): Promise<Ours> {
  const { authority, profile } = options;
  const profiled = (name: string): { readonly nodeArgs?: readonly string[] } =>
    profile === undefined
      ? {}
      : {
          nodeArgs: [
            "--cpu-prof",
            `--cpu-prof-dir=${profile}`,
            `--cpu-prof-name=${name}-${process.pid}-${performance.now().toFixed(0)}.cpuprofile`,
          ],
        };
  const applications = Object.keys(options.origins).map((path) => ({
    name: serviceName(path),
    policies: POLICIES.map(({ name }) => name),
  }));
  const mailbox = await openMailbox(stack);
  const tls = authority && (await authority.issue("relay", ["*.relay.localhost", "127.0.0.1"]));
  const relay = await startRelay(stack, {
    applications,
    config: { limits: LIMITS, policies: POLICIES, identityProviders: [codesByMail(stack, mailbox)] },
    ...(tls && { tls }),
    ...profiled("relay"),
    ...options.relay,
  });
  const services = Object.fromEntries(
    Object.entries(options.origins).map(([path, port]) => [
      serviceName(path),
      { url: `http://127.0.0.1:${port}`, maxConnections: MAX_ORIGIN_CONNECTIONS },
    ]),
  );
  const env = authority && { env: { NODE_EXTRA_CA_CERTS: authority.caFile } };
  const connector = await startConnector(stack, relay, { services, ...env, ...profiled("connector"), ...options.connector });
  const visitor = new Visitor(relay, authority && readFileSync(authority.caFile, "utf8"));
  await visitor.signIn("app", "/", "visitor@example.com", async () => CODE_IN_MAIL.exec(await mailbox.next())?.[1] ?? "");
  const headersOf: Record<string, Readonly<Record<string, string>>> = {};
  for (const path of Object.keys(options.origins)) {
    const name = serviceName(path);
    if (name !== "app") await visitor.open(name, "/");
    headersOf[path] = browserHeaders(relay.host(name), visitor.cookie(name));
  }
  const url = `${tls ? "https" : "http"}://127.0.0.1:${relay.port}`;
  return {
    relay,
    connector,
    side: { name: "ours", url, pids: [relay.program.pid, connector.program.pid] },
    headers: headersOf["/"] ?? {},
    headersOf,
  };
}

/** A person signs in with a code by mail, over http and over https alike. */
function codesByMail(stack: AsyncDisposableStack, mailbox: Mailbox): unknown {
  const file = join(scratchFolder(stack, "sallyport-bench-smtp"), "smtp-url");
  writeFileSync(file, mailbox.url, { mode: 0o600 });
  return { name: "email", type: "one-time-pin", smtp: { url: { file }, from: "door@example.com" } };
}

function serviceName(path: string): string {
  return path === "/" ? "app" : path.slice(1);
}

/** What a browser sends, with our cookies among those of the application behind. */
function browserHeaders(host: string, cookies: string): Readonly<Record<string, string>> {
  return {
    Host: host,
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9,de;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    Cookie: `theme=dark; ${cookies}; session=c2Vzc2lvbi1vZi10aGUtYXBwbGljYXRpb24tYmVoaW5k`,
  };
}
