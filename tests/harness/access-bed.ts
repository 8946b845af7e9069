// The bed of the sign-in tests: an organisation's OpenID Connect provider, a relay with its auth host and three
// applications over TLS, the connector, and a browser that trusts both. All programs are the built ones.

import { writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { CLIENT, startOidcProvider } from "../conformance/support/oidc-provider.ts";
import type { RunningProvider } from "../conformance/support/oidc-provider.ts";
import { startBrowser } from "./browser.ts";
import { canaries } from "./canary.ts";
import { startConnector } from "./connector.ts";
import { findProgram, need } from "./need.ts";
import { startOrigin, type Origin } from "./origin.ts";
import { startRelay, type Relay } from "./relay.ts";
import { freePort, scratchFolder } from "./scratch.ts";
import { createAuthority } from "./tls.ts";

/** What shows that a page is the provider's: oidc-provider's development forms. */
export const PROVIDER_LOGIN = 'input[name="login"]';

export interface AccessBedOptions {
  /** Default: a page that shows its host and path. */
  readonly origin?: RequestListener;
  /** Further keys of relay.yaml's applications, by name. */
  readonly more?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** For relay and connector. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface AccessBed {
  readonly relay: Relay;
  readonly idp: RunningProvider;
  readonly origin: Origin;
  readonly browser: Browser;
  /** PEM of the authority of the relay's certificate. */
  readonly caFile: string;
  /** `https://wiki.relay.localhost:PORT/path`. */
  url(application: string, path: string): string;
}

const ALLOW = { action: "allow" } as const;
const POLICIES = [
  { name: "engineers", ...ALLOW, include: [{ identityGroup: "eng" }] },
  { name: "operators", ...ALLOW, include: [{ identityGroup: "ops" }] },
];
/** Ann is an engineer, Bob an engineer and operator. */
const PEOPLE = [
  { sub: "ann", name: "Ann Example", email: "ann@example.com", email_verified: true, groups: ["eng"] },
  { sub: "bob", name: "Bob Example", email: "bob@example.com", email_verified: true, groups: ["eng", "ops"] },
];

/** Seconds. As providers have it: a working day, and tokens of minutes. */
const PROVIDER_TTL = {
  ...{ AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 3_600 },
  ...{ Grant: 86_400, RefreshToken: 86_400, Session: 86_400 },
};

const PROGRAMS = ["chromium", "certutil"] as const;

/** One bed for the tests of a file; they need chromium and certutil. */
export function useAccessBed(options: AccessBedOptions = {}): () => AccessBed {
  const stack = new AsyncDisposableStack();
  let bed: AccessBed | undefined;
  beforeEach(({ skip }) => void need({ skip }, ...PROGRAMS));
  beforeAll(async () => {
    const [chromium, certutil] = PROGRAMS.map(findProgram);
    if (chromium !== undefined && certutil !== undefined) bed = await createAccessBed(stack, chromium, options);
  });
  afterAll(() => stack.disposeAsync());
  return () => {
    if (bed === undefined) throw new Error("the bed is not there yet");
    return bed;
  };
}

/** Applications `wiki` and `board` are for engineers, `vault` is for operators. */
async function createAccessBed(stack: AsyncDisposableStack, chromium: string, options: AccessBedOptions): Promise<AccessBed> {
  const folder = scratchFolder(stack, "sallyport-access");
  const port = await freePort();
  const authority = await createAuthority(folder);
  const redirectUri = `https://auth.relay.localhost:${port}/callback/corp`;
  const idp = await startOidcProvider(stack, { redirectUri, more: { ttl: PROVIDER_TTL } });
  for (const person of PEOPLE) idp.people.set(person.sub, person);
  const providerCa = join(folder, "provider-ca.crt");
  const clientSecret = join(folder, "client-secret");
  writeFileSync(providerCa, idp.ca);
  writeFileSync(clientSecret, CLIENT.secret, { mode: 0o600 });

  const origin = await startOrigin(stack, options.origin ?? showPage);
  const applications = Object.entries({ wiki: "engineers", board: "engineers", vault: "operators" }).map(([name, policy]) => ({
    name,
    policies: [policy],
    ...(options.more?.[name] === undefined ? {} : { more: options.more[name] }),
  }));
  const provider = { name: "corp", type: "oidc", issuer: idp.issuer, clientId: CLIENT.id, clientSecret: { file: clientSecret } };
  const scopes = ["openid", "profile", "email", "groups", "offline_access"];
  const relay = await startRelay(stack, {
    port,
    applications,
    tls: await authority.issue("relay", ["*.relay.localhost"]),
    config: { policies: POLICIES, identityProviders: [{ ...provider, scopes, allowPrivateNetwork: true }] },
    env: { NODE_EXTRA_CA_CERTS: providerCa, ...options.env },
    nodeArgs: options.nodeArgs ?? [],
  });
  await startConnector(stack, relay, {
    services: { wiki: origin.url, board: origin.url, vault: origin.url },
    env: { NODE_EXTRA_CA_CERTS: authority.caFile, ...options.env },
    nodeArgs: options.nodeArgs ?? [],
  });
  const browser = await startBrowser(stack, chromium, { trust: [authority.caFile, providerCa] });
  const url = (application: string, path: string): string => `https://${relay.host(application)}${path}`;
  return { relay, idp, origin, browser, caFile: authority.caFile, url };
}

/** An ordinary page of an application that says nothing about caching; its title is what a test waits for. */
const showPage: RequestListener = (request, response) => {
  const host = request.headers.host ?? "";
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(
    `<!doctype html><title>origin ${host}</title><h1>private page</h1><p id="path">${request.url?.replaceAll("&", "&amp;")}</p>`,
  );
};

/** Fills in the provider's forms. Ends where the relay takes the person. */
export async function signInAtProvider(page: Page, subject: string): Promise<void> {
  await page.locator(PROVIDER_LOGIN).fill(subject);
  await page.locator('input[name="password"]').fill("x");
  await page.locator('button[type="submit"]').click();
  // The form of consent, at the first sign-in only.
  const consent = page.locator('input[name="prompt"][value="consent"]');
  await consent.or(page.locator("body:not(:has(form))")).first().waitFor({ state: "attached" });
  if ((await consent.count()) > 0) await page.locator('button[type="submit"]').click();
}

/** Opens a page of an application and signs in on the way. */
export async function signInTo(bed: AccessBed, context: BrowserContext, address: string, subject: string): Promise<Page> {
  const page = await context.newPage();
  context.on("request", (request) => canaries.addAddress(request.url()));
  await page.goto(address);
  await signInAtProvider(page, subject);
  await page.waitForURL(address);
  canaries.addCookies(
    subject,
    (await context.cookies()).map(({ name, value }) => `${name}=${value}`),
  );
  return page;
}

/** Every document that a context asks for, in order; what a sign-in cost. */
export function navigations(context: BrowserContext): string[] {
  const list: string[] = [];
  context.on("request", (request) => {
    if (request.isNavigationRequest()) list.push(request.url());
  });
  return list;
}
