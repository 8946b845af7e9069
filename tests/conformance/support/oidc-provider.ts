// A real OpenID Connect provider (oidc-provider) on loopback TLS, with people whose claims a test sets, and a browser's part
// of a sign-in: following its redirects with a cookie jar. Must not know Sallyport.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Agent, fetch } from "undici";
import Provider, { type Configuration } from "oidc-provider";
import { canaries } from "../../harness/canary.ts";
import { createAuthority } from "../../harness/tls.ts";
import { scratchFolder } from "../../harness/scratch.ts";

export interface Person {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

export interface RunningProvider {
  readonly issuer: string;
  /** PEM. */
  readonly ca: string;
  readonly provider: Provider;
  /** Claims by subject, read at each token; removing one disables the person. */
  readonly people: Map<string, Person>;
  /** Paths that were asked for, with method. */
  readonly requests: string[];
  /** Signs a person in at the provider as a browser would. @returns the callback URL that the provider sends the browser to */
  signIn(authorizationUrl: string, subject: string): Promise<URL>;
  /** While false, connections are cut. */
  setReachable(reachable: boolean): void;
}

export interface ProviderOptions {
  readonly redirectUri: string;
  readonly backChannelLogoutUri?: string;
  readonly more?: Configuration;
}

export const CLIENT = { id: "sallyport", secret: "a-client-secret_with-special-characters" } as const;

export async function startOidcProvider(stack: AsyncDisposableStack, options: ProviderOptions): Promise<RunningProvider> {
  const authority = await createAuthority(scratchFolder(stack, "sallyport-idp"));
  const certificate = await authority.issue("idp", ["localhost"]);
  const ca = readFileSync(authority.caFile, "utf8");
  const server = createServer({ cert: readFileSync(certificate.certificateFile), key: readFileSync(certificate.privateKeyFile) });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
  const people = new Map<string, Person>();
  const requests: string[] = [];
  let reachable = true;
  const provider = new Provider(issuer, configuration(options, people));
  canaries.add("the client secret", CLIENT.secret);
  provider.use(async (context, next) => {
    await next();
    // The token endpoint's answer: what the relay gets and keeps to itself.
    const { body } = context;
    if (typeof body !== "object" || body === null) return;
    for (const name of ["access_token", "refresh_token", "id_token"])
      canaries.add(`the provider's ${name}`, (body as Readonly<Record<string, string | undefined>>)[name]);
  });
  const handle = provider.callback();
  server.on("request", (request, response) => {
    if (!reachable) return void request.socket.destroy();
    requests.push(`${request.method} ${new URL(request.url ?? "/", issuer).pathname}`);
    void handle(request, response);
  });
  return {
    issuer,
    ca,
    provider,
    people,
    requests,
    signIn: (url, subject) => signIn(url, subject, options.redirectUri, ca),
    setReachable: (value) => void (reachable = value),
  };
}

function configuration({ redirectUri, backChannelLogoutUri, more }: ProviderOptions, people: ReadonlyMap<string, Person>): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        ...(backChannelLogoutUri === undefined
          ? {}
          : { backchannel_logout_uri: backChannelLogoutUri, backchannel_logout_session_required: true }),
      },
    ],
    claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"], groups: ["groups"] },
    scopes: ["openid", "offline_access", "profile", "email", "groups"],
    // As most providers do it: claims of the scopes in the ID token too.
    conformIdTokenClaims: false,
    findAccount: (_context, subject) => {
      const person = people.get(subject);
      return person === undefined ? undefined : { accountId: subject, claims: () => Promise.resolve(person) };
    },
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true, allowedPolicy: () => true },
      backchannelLogout: { enabled: true },
    },
    issueRefreshToken: (_context, client) => Promise.resolve(client.grantTypeAllowed("refresh_token")),
    rotateRefreshToken: true,
    pkce: { required: () => true },
    cookies: { keys: ["test"] },
    // Without its own guard: back-channel logout goes to loopback here.
    fetch: (url, options) => {
      const { dispatcher: _dispatcher, ...rest } = { dispatcher: undefined, ...options };
      return globalThis.fetch(url, rest);
    },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
    ...more,
  };
}

/** Follows redirects, fills the two forms of oidc-provider's development pages, and stops before the relay. */
async function signIn(authorizationUrl: string, subject: string, redirectUri: string, ca: string): Promise<URL> {
  const dispatcher = new Agent({ connect: { ca } });
  const jar = new Map<string, string>();
  let url = authorizationUrl;
  let form: URLSearchParams | undefined;
  for (let hop = 0; hop < 15; hop++) {
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
      body: form ?? null,
      redirect: "manual",
      dispatcher,
    });
    for (const cookie of response.headers.getSetCookie()) jar.set(...pair(cookie));
    const location = response.headers.get("location");
    const page = await response.text();
    if (location !== null) {
      const next = new URL(location, url);
      if (next.href.startsWith(`${redirectUri}?`)) {
        await dispatcher.close();
        return next;
      }
      [url, form] = [next.href, undefined];
      continue;
    }
    const action = /action="([^"]+)"/.exec(page)?.[1];
    if (action === undefined) throw new Error(`the provider shows no form (${response.status}):\n${page.slice(0, 2_000)}`);
    form = new URLSearchParams(page.includes('name="login"') ? { prompt: "login", login: subject, password: "x" } : { prompt: "consent" });
    url = new URL(action, url).href;
  }
  throw new Error("the sign-in does not end");
}

function pair(cookie: string): [string, string] {
  const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
  return [name, value];
}
