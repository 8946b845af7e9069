// A company's network in one process tree: a relay with a certificate of the company's own authority under names that only
// its HTTP CONNECT proxy can reach, people at an OpenID Connect provider, and Chromium behind the same proxy. Every
// program of Sallyport is the built one. Must not know what a test does there.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { CLIENT, startOidcProvider } from "../conformance/support/oidc-provider.ts";
import { PROVIDER_LOGIN, signInAtProvider } from "./access-bed.ts";
import { startBrowser } from "./browser.ts";
import { type ConnectProxy, PROXY_PASSWORD, PROXY_USER, startConnectProxy } from "./connect-proxy.ts";
import { startConnector } from "./connector.ts";
import { type ApplicationOptions, type Relay, startRelay } from "./relay.ts";
import { freePort, scratchFolder } from "./scratch.ts";
import { createAuthority } from "./tls.ts";

export const COMPANY_EMAIL = "ann@example.com";

export interface CompanyOptions {
  /** The relay's names end in it: `corp.test`. */
  readonly site: string;
  /** In the relay's URLs. Default: the port it listens on. */
  readonly publicPort?: number;
  /** Names below the site; each is also the service of that name. */
  readonly applications: readonly ApplicationOptions[];
  readonly services: Readonly<Record<string, string>>;
  readonly chromium: string;
}

export interface Company {
  readonly relay: Relay;
  readonly proxy: ConnectProxy;
  /** PEM of the company's authority. */
  readonly caFile: string;
  url(application: string, path?: string): string;
  /** A browser profile of its own. */
  openBrowser(own: AsyncDisposableStack): Promise<BrowserContext>;
}

export async function startCompany(stack: AsyncDisposableStack, options: CompanyOptions): Promise<Company> {
  const { site, applications } = options;
  const folder = scratchFolder(stack, "sallyport-company");
  const authority = await createAuthority(folder);
  const { caFile } = authority;
  const port = await freePort();
  const { publicPort = port } = options;
  const at = publicPort === 443 ? "" : `:${publicPort}`;
  const proxy = await startConnectProxy(stack, site, (asked) => (asked === publicPort ? port : asked));
  const idp = await startOidcProvider(stack, { redirectUri: `https://auth.${site}${at}/callback/corp` });
  idp.people.set("ann", { sub: "ann", name: "Ann Example", email: COMPANY_EMAIL, email_verified: true });
  const providerCa = join(folder, "provider-ca.crt");
  const clientSecret = join(folder, "client-secret");
  writeFileSync(providerCa, idp.ca);
  writeFileSync(clientSecret, CLIENT.secret, { mode: 0o600 });
  const provider = { name: "corp", type: "oidc", issuer: idp.issuer, clientId: CLIENT.id, clientSecret: { file: clientSecret } };
  const relay = await startRelay(stack, {
    authHost: `auth.${site}`,
    port,
    publicPort,
    tls: await authority.issue("relay", [`*.${site}`]),
    applications: applications.map((application) => ({ hostname: `${application.name}.${site}`, ...application })),
    config: { identityProviders: [{ ...provider, scopes: ["openid", "profile", "email"], allowPrivateNetwork: true }] },
    env: { NODE_EXTRA_CA_CERTS: providerCa },
  });
  await startConnector(stack, relay, { services: options.services, env: { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: caFile } });
  const browser = await startBrowser(stack, options.chromium, { trust: [caFile, providerCa] });
  const url = (application: string, path = ""): string => `https://${application}.${site}${at}${path}`;
  return { relay, proxy, caFile, url, openBrowser: (own) => openBrowser(browser, proxy, own) };
}

async function openBrowser(browser: Browser, proxy: ConnectProxy, own: AsyncDisposableStack): Promise<BrowserContext> {
  const server = `http://127.0.0.1:${proxy.port}`;
  const context = await browser.newContext({
    proxy: { server, username: PROXY_USER, password: PROXY_PASSWORD, bypass: "127.0.0.1,localhost" },
  });
  own.defer(() => context.close());
  return context;
}

/** Signs in at the provider where the page asks for it; nothing where the browser knows the person already. */
export async function signInIfAsked(page: Page): Promise<void> {
  if ((await page.locator(PROVIDER_LOGIN).count()) > 0) await signInAtProvider(page, "ann");
}
