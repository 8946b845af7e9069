// For tests of sign-in: a whole relay in this process on a port of loopback, identity providers in memory, and a browser
// that keeps cookies by host, follows redirects and submits forms. Not part of the program.

import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { systemClock } from "@sallyport/shared/clock";
import { pino } from "pino";
import type {
  IdentityProvider,
  LoginAttempt,
  LoginResult,
  PinChecking,
  PinProvider,
  PinSending,
  ProviderLogin,
  RedirectProvider,
  RefreshResult,
} from "./authn/provider.ts";
import { ConfigFolder } from "./config/test-support.ts";
import { createRelay, type Relay } from "./relay.ts";

export function loginOf(subject: string, changes: Partial<ProviderLogin> = {}): ProviderLogin {
  const identity = { subject, email: `${subject}@example.com`, name: subject, groups: ["eng"], authMethods: ["pwd"], claims: {} };
  return { identity, refreshToken: `refresh-${subject}`, providerSessionId: `idp-session-${subject}`, ...changes };
}

/** A provider that issues a code for whoever {@link person} is. */
export class TestIdp implements RedirectProvider {
  readonly kind = "redirect" as const;
  readonly name: string;
  readonly label: string;
  readonly canRefresh: boolean = false;
  readonly revoked: string[] = [];
  readonly finished: URL[] = [];
  person = "ann";
  down = false;
  result: LoginResult | undefined;

  constructor(name: string) {
    this.name = name;
    this.label = `Sign in with ${name}`;
  }

  begin(attempt: LoginAttempt, redirectUri: string): Promise<string> {
    if (this.down) return Promise.reject(new Error("down"));
    const query = new URLSearchParams({ state: attempt.state, nonce: attempt.nonce, redirect_uri: redirectUri, scope: "openid email" });
    return Promise.resolve(`https://${this.name}.idp.example/authorize?${query.toString()}`);
  }

  finish(_attempt: LoginAttempt, callback: URL): Promise<LoginResult> {
    this.finished.push(callback);
    if (this.result !== undefined) return Promise.resolve(this.result);
    const error = callback.searchParams.get("error");
    if (error !== null)
      return Promise.resolve({
        kind: "problem",
        problem: "refused-by-provider",
        detail: callback.searchParams.get("error_description") ?? error,
      });
    return Promise.resolve({ kind: "login", login: loginOf(callback.searchParams.get("code") ?? "") });
  }

  refresh(): Promise<RefreshResult> {
    return Promise.resolve({ kind: "unsupported" });
  }

  revoke(refreshToken: string): Promise<void> {
    this.revoked.push(refreshToken);
    return Promise.resolve();
  }

  backChannelLogout(token: string): Promise<{ subject: string | undefined; providerSessionId: string | undefined } | undefined> {
    return Promise.resolve(token.startsWith("sub:") ? { subject: token.slice(4), providerSessionId: undefined } : undefined);
  }
}

/** Every PIN is 424242; 000000 is one that is over, 999999 one that comes too soon. */
export class TestPins implements PinProvider {
  readonly kind = "pin" as const;
  readonly name: string = "email";
  readonly label: string = "Email me a code";
  readonly sent: Map<string, string> = new Map();
  limited = false;

  send(email: string): Promise<PinSending> {
    if (this.limited) return Promise.resolve({ kind: "limited", retryAfterS: 60 });
    const challengeId = `challenge-${this.sent.size}`;
    this.sent.set(challengeId, email);
    return Promise.resolve({ kind: "sent", challengeId });
  }

  check(challengeId: string, pin: string): PinChecking {
    const email = this.sent.get(challengeId);
    if (email === undefined || pin === "000000") return { kind: "over" };
    if (pin === "999999") return { kind: "early", retryAfterS: 7 };
    if (pin !== "424242") return { kind: "wrong", triesLeft: 2, retryAfterS: 4 };
    this.sent.delete(challengeId);
    const subject = email.split("@")[0] as string;
    return { kind: "login", login: loginOf(subject, { refreshToken: undefined, providerSessionId: undefined }) };
  }
}

export interface TestRelay extends AsyncDisposable {
  readonly port: number;
  readonly relay: Relay;
  readonly folder: ConfigFolder;
  url(host: string, path?: string): string;
  /** Applies the configuration again with other providers. */
  replaceProviders(providers: readonly IdentityProvider[]): Promise<void>;
  /** Written so far. */
  records(): readonly Readonly<Record<string, unknown>>[];
}

const PROVIDERS: Readonly<Record<string, string>> = {
  corp: "{ name: corp, type: oidc, issuer: https://corp.idp.example, clientId: a, clientSecret: { env: S } }",
  other: "{ name: other, type: oidc, issuer: https://other.idp.example, clientId: a, clientSecret: { env: S } }",
  email: "{ name: email, type: one-time-pin, delivery: terminal }",
};

function configuration(port: number, providers: readonly IdentityProvider[], more: string): string {
  return `
authUrl: http://auth.relay.localhost:${port}
listen: [{ address: "127.0.0.1:${port}" }]
admin: { address: "127.0.0.1:0" }
state: ./data
identityProviders: [${providers.map(({ name }) => PROVIDERS[name]).join(", ")}]
tunnels: [{ name: office }]
policies:
  - { name: everybody, action: allow, include: [{ emailDomain: example.com }] }
  - { name: bob-only, action: allow, include: [{ email: bob@example.com }] }
  - { name: public, action: bypass, include: [{ everyone: true }] }
applications:
  - { name: notes, hostname: notes.relay.localhost, tunnel: office, service: notes, policies: [everybody] }
  - { name: wiki, hostname: wiki.relay.localhost, tunnel: office, service: wiki, policies: [everybody] }
  - { name: bobs, hostname: bobs.relay.localhost, tunnel: office, service: bobs, policies: [bob-only] }
  - { name: open, hostname: open.relay.localhost, tunnel: office, service: open, policies: [public] }
${more}`;
}

/** Applications notes and wiki for everybody at example.com, bobs for bob@example.com, open for all. No connector: 503 means let in. */
export async function startTestRelay(providers: readonly IdentityProvider[], more = ""): Promise<TestRelay> {
  const folder = new ConfigFolder();
  folder.env["S"] = "a-client-secret-of-some-length";
  const port = await freePort();
  const loaded = await folder.load(configuration(port, providers, more));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded));
  const byName = (all: readonly IdentityProvider[]): ReadonlyMap<string, IdentityProvider> =>
    new Map(all.map((provider) => [provider.name, provider]));
  let current = byName(providers);
  const relay = createRelay({
    config: loaded.config,
    logger: pino({ level: "silent" }),
    clock: systemClock,
    createProviders: () => current,
  });
  await relay.start();
  return {
    port,
    relay,
    folder,
    url: (host, path = "/") => `http://${host}.relay.localhost:${port}${path}`,
    async replaceProviders(next) {
      current = byName(next);
      const reloaded = await folder.load(configuration(port, next, more));
      if (!reloaded.ok) throw new Error(JSON.stringify(reloaded));
      relay.applyConfig(reloaded.config);
    },
    records() {
      const files = join(folder.path, "data", "records");
      const lines = readdirSync(files).flatMap((file) => readFileSync(join(files, file), "utf8").split("\n"));
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async [Symbol.asyncDispose]() {
      await relay.close("test", 0).catch(() => undefined);
      folder[Symbol.dispose]();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface GoOptions {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Follow Location and Refresh within relay.localhost. Default true. */
  readonly follow?: boolean;
}

const MAX_HOPS = 20;

export class Browser {
  /** By host name, as browsers do for cookies without Domain. */
  readonly jars: Map<string, Map<string, string>> = new Map();
  /** Every URL that was asked for. */
  readonly visited: string[] = [];

  /** The first answer that leads nowhere else, or whose Location leaves relay.localhost. */
  async go(url: string, options: GoOptions = {}): Promise<Page> {
    let page = await this.#request(url, options);
    for (let hop = 0; options.follow !== false && hop < MAX_HOPS; hop++) {
      const next = nextOf(page);
      if (next === undefined) return page;
      page = await this.#request(next, {});
    }
    return page;
  }

  /** Submits the first form of a page with these values in place of its own. */
  async submit(page: Page, values: Readonly<Record<string, string>>, options: GoOptions = {}): Promise<Page> {
    const action = /<form method="post" action="([^"]+)"/.exec(page.body)?.[1];
    if (action === undefined) throw new Error(`no form in ${page.status} ${page.body}`);
    const form: Record<string, string> = {};
    for (const [, name, value] of page.body.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g))
      form[name as string] = value as string;
    const headers = { origin: "null", "sec-fetch-site": "same-origin", ...options.headers };
    return await this.go(new URL(action, page.url).href, { method: "POST", ...options, headers, form: { ...form, ...values } });
  }

  cookie(host: string, name: string): string | undefined {
    return this.jars.get(`${host}.relay.localhost`)?.get(name);
  }

  async #request(url: string, { method = "GET", form, headers = {} }: GoOptions): Promise<Page> {
    const { hostname, host, port, pathname, search } = new URL(url);
    this.visited.push(url);
    const cookie = [...(this.jars.get(hostname) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
    const sent = {
      host,
      accept: "text/html,application/xhtml+xml",
      "sec-fetch-mode": "navigate",
      ...(cookie === "" ? {} : { cookie }),
      ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      ...headers,
    };
    return await new Promise((resolve, reject) => {
      const outgoing = request({ host: "127.0.0.1", port, path: pathname + search, method, headers: sent, agent: false }, (response) => {
        this.#keep(hostname, response.headers["set-cookie"] ?? []);
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ url, status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      });
      outgoing.on("error", reject);
      outgoing.end(form === undefined ? undefined : new URLSearchParams(form).toString());
    });
  }

  #keep(hostname: string, lines: readonly string[]): void {
    const jar = this.jars.get(hostname) ?? new Map<string, string>();
    this.jars.set(hostname, jar);
    for (const line of lines) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) as unknown as [string, string, string];
      if (/max-age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
  }
}

export function locationOf(page: Page): string | undefined {
  const { location, refresh } = page.headers;
  if (typeof location === "string") return location;
  return typeof refresh === "string" ? /^0;url=(.+)$/.exec(refresh)?.[1] : undefined;
}

function nextOf(page: Page): string | undefined {
  const location = locationOf(page);
  if (location === undefined) return undefined;
  const next = new URL(location, page.url);
  return next.hostname.endsWith(".relay.localhost") ? next.href : undefined;
}

/** What a provider answers to the request behind `authorize`, as `code` for this subject. */
export function callbackOf(authorize: string | undefined, code: string, more: Readonly<Record<string, string>> = {}): string {
  const { searchParams } = new URL(authorize ?? "");
  const query = new URLSearchParams({ code, state: searchParams.get("state") ?? "", ...more });
  return `${searchParams.get("redirect_uri")}?${query.toString()}`;
}
