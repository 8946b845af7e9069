// Which way out: straight to the relay, or through an HTTP CONNECT proxy (T2). Reads HTTPS_PROXY and NO_PROXY
// (lower-case names win, as in curl) or the configuration's own choice. Pure: must not know sockets.

import { BlockList, isIP } from "node:net";
import { isLoopbackHost } from "./lookup.ts";

/** Environment variables, or the part of them that matters here. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration's word on proxies: follow the environment, none at all, or this one. */
export type ProxySetting = { readonly kind: "environment" } | { readonly kind: "none" } | { readonly kind: "url"; readonly url: URL };

/** `why` is a short phrase for people, without credentials. */
export type ProxyChoice =
  | { readonly kind: "direct"; readonly why: string }
  | { readonly kind: "proxy"; readonly url: URL; readonly why: string }
  | { readonly kind: "invalid"; readonly why: string };

/** Decides how to reach `relay`. Loopback is never proxied: a proxy would reach its own loopback. */
export function chooseProxy(relay: URL, setting: ProxySetting, environment: Environment): ProxyChoice {
  if (isLoopbackHost(relay.hostname)) return { kind: "direct", why: "the relay is on loopback" };
  if (setting.kind === "none") return { kind: "direct", why: "the configuration says `proxy: none`" };
  if (setting.kind === "url") return { kind: "proxy", url: setting.url, why: "from the configuration" };
  const found = firstSet(environment, ["https_proxy", "HTTPS_PROXY"]);
  if (found === undefined) return { kind: "direct", why: "no HTTPS_PROXY in the environment" };
  const url = parseProxyUrl(found.value);
  if (url === undefined) {
    return { kind: "invalid", why: `${found.name} is not a proxy URL; write http://[user:password@]host:port` };
  }
  const exempt = firstSet(environment, ["no_proxy", "NO_PROXY"]);
  const entry = exempt === undefined ? undefined : matchingNoProxyEntry(relay, exempt.value);
  if (entry !== undefined) return { kind: "direct", why: `${exempt?.name ?? "NO_PROXY"} names ${entry}` };
  return { kind: "proxy", url, why: `from ${found.name}` };
}

/** Reads `http://host:port`, `https://…` or bare `host:port`; undefined for anything else (SOCKS, paths, no host). */
export function parseProxyUrl(text: string): URL | undefined {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) return undefined;
  const url = new URL(withScheme);
  const supported = url.protocol === "http:" || url.protocol === "https:";
  return supported && url.hostname !== "" && url.pathname === "/" && url.search === "" && url.hash === "" ? url : undefined;
}

/** A proxy URL as it may be shown: scheme, host and port, never user or password. */
export function displayProxy(url: URL): string {
  return `${url.protocol}//${url.host}`;
}

/**
 * The entry of a NO_PROXY list that covers the relay. Entries: `*`, a name (with everything below it), `.name` or
 * `*.name` (only what is below it), an address, a CIDR block; each may end in `:port`. Names are not resolved.
 */
export function matchingNoProxyEntry(relay: URL, list: string): string | undefined {
  const host = relay.hostname.toLowerCase().replace(/^\[|\]$/g, "");
  const port = relay.port === "" ? (relay.protocol === "http:" ? "80" : "443") : relay.port;
  return list.split(/[\s,]+/).find((entry) => entry !== "" && covers(entry.toLowerCase(), host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const { name, port: entryPort } = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  if (isIP(host) !== 0) return addressCovered(name, host);
  if (name.startsWith(".") || name.startsWith("*.")) return host.endsWith(name.replace(/^\*/, ""));
  return host === name || host.endsWith(`.${name}`);
}

function splitPort(entry: string): { readonly name: string; readonly port: string | undefined } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return { name: bracketed[1] as string, port: bracketed[2] };
  if (isIP(entry) === 6 || entry.includes("/")) return { name: entry, port: undefined };
  const match = /^(.*?)(?::(\d+))?$/.exec(entry);
  return { name: match?.[1] ?? entry, port: match?.[2] };
}

function addressCovered(entry: string, address: string): boolean {
  const [network = "", prefix] = entry.split("/");
  const family = isIP(network);
  if (family === 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return false;
  const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix);
  if (bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family === 4 ? "ipv4" : "ipv6");
  return list.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
}

function firstSet(environment: Environment, names: readonly string[]): { readonly name: string; readonly value: string } | undefined {
  for (const name of names) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== "") return { name, value };
  }
  return undefined;
}
