// Which URLs programs are signed in to: https, or http to this machine; the way a token may go is decided here. Pure.

import { isLoopbackHost } from "../tunnel/lookup.ts";

/** An application's URL as a person writes it; `app.example.com` means https. Undefined: no such URL. */
export function readApplicationUrl(text: string): URL | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
  if (url === null || url.username !== "" || url.password !== "" || !isProtected(url)) return undefined;
  url.hash = "";
  return url;
}

/** Whether what is sent there cannot be read on the way. */
export function isProtected(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
}

/** Whether a path lies within an application's path, on segment borders. */
export function isWithin(pathname: string, applicationPath: string): boolean {
  if (applicationPath === "/" || pathname === applicationPath) return true;
  return pathname.startsWith(applicationPath.endsWith("/") ? applicationPath : `${applicationPath}/`);
}

/**
 * The part of an audience that concerns one host: `https://*.example.com/api` and `https://a.example.com/api/x` make
 * `https://a.example.com/api`. Undefined when the audience is not about this URL.
 */
export function audienceAt(audience: string, url: URL): string | undefined {
  const [, scheme, host = "", path = "/"] = /^(https?:)\/\/([^/]+)(\/.*)?$/.exec(audience) ?? [];
  if (scheme !== url.protocol || !isWithin(url.pathname, path)) return undefined;
  const wildcard = host.startsWith("*.") && url.host.slice(url.host.indexOf(".")) === host.slice(1);
  return host === url.host || wildcard ? url.origin + path : undefined;
}
