// R-E3: whatever the vectors of open redirects try, raw, encoded once or twice, at every place where text of a visitor could
// reach an address that the relay sends a browser to (Location, Refresh, links and forms of its pages): it stays at home.

import { spellings, VECTORS } from "@sallyport/relay/ingress/location-test-support";
import { afterAll, expect, test } from "vitest";
import { AUTH_HOST, useBed } from "./support/bed.ts";
import { People, peopleOptions } from "./support/people.ts";
import { visit } from "./support/visit.ts";
import { write, type WireResponse } from "./support/wire.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const people = new People();
const options = peopleOptions(people, ["ann"], stack);
const ACCESS = { name: "access", hostname: "access.example.test", tunnel: "office", service: "open", policies: ["engineers"] };
const bed = useBed({
  ...options,
  applications: [...(options.applications ?? []), { ...ACCESS, compatibility: "cloudflare-access" }],
});

const WIKI = "wiki.example.test";
const NAVIGATION = ["Accept: text/html", "Sec-Fetch-Mode: navigate"];
const SESSION = (): string => `Cookie: __Host-Sallyport_Session=${people.get("ann").secret}`;
/** Hosts of the bed, and the provider. A command line waits at a loopback address, which is judged below. */
const HOME = /^https:\/\/(?:[a-z]+\.example\.test|idp\.example\.com)$/;
const AT_ONCE = 16;

const TEXTS = [...new Set(Object.values(VECTORS).flat().flatMap(spellings))];
/** What can stand in a request-target at all; the rest is refused as malformed (R-A7), which r-a07 tests. */
const inTarget = (text: string): boolean => /^[\x21-\x7e]*$/.test(text) && !text.includes("#");
const parameter = (name: string, text: string): string =>
  `${name}=${inTarget(text) && !/[&+]/.test(text) ? text : encodeURIComponent(text)}`;

interface Place {
  readonly host: string;
  readonly target: (text: string) => string | undefined;
  readonly signedIn?: boolean;
}

const cli = (text: string, change: string): string =>
  `/.sallyport/cli?${change}=${encodeURIComponent(text)}&state=${"s".repeat(22)}&machine=m&code_challenge=${"c".repeat(43)}&code_challenge_method=S256`;

const PLACES: Readonly<Record<string, Place>> = {
  "the path of an application": { host: WIKI, target: (text) => (inTarget(text) && text.startsWith("/") ? text : undefined) },
  "login?to": { host: AUTH_HOST, target: (text) => `/login?${parameter("to", text)}` },
  "login?to, signed in": { host: AUTH_HOST, target: (text) => `/login?${parameter("to", text)}`, signedIn: true },
  "login?to, behind our own": { host: AUTH_HOST, target: (text) => `/login?to=https://${WIKI}${encodeURIComponent(text)}`, signedIn: true },
  "login?request": { host: AUTH_HOST, target: (text) => `/login?${parameter("request", text)}`, signedIn: true },
  "login with parameters of other products": {
    host: AUTH_HOST,
    target: (text) => `/login?${["rd", "next", "redirect", "returnTo", "redirect_uri"].map((name) => parameter(name, text)).join("&")}`,
    signedIn: true,
  },
  "logout?request": { host: AUTH_HOST, target: (text) => `/logout?${parameter("request", text)}` },
  "logout?request, signed in": { host: AUTH_HOST, target: (text) => `/logout?${parameter("request", text)}`, signedIn: true },
  "the provider's callback": { host: AUTH_HOST, target: (text) => `/callback/corp?code=c&${parameter("state", text)}`, signedIn: true },
  "the hand-over": { host: WIKI, target: (text) => `/.sallyport/callback?${parameter("code", text)}` },
  "an application's logout": { host: WIKI, target: (text) => `/.sallyport/logout?${parameter("path", text)}` },
  "the Access logout": { host: ACCESS.hostname, target: (text) => `/cdn-cgi/access/logout?${parameter("returnTo", text)}` },
  "a command line's application": {
    host: AUTH_HOST,
    target: (text) => `${cli(text, "application")}&redirect_uri=http://127.0.0.1:4711/`,
    signedIn: true,
  },
  "a command line's redirect_uri": {
    host: AUTH_HOST,
    target: (text) => `${cli(text, "redirect_uri")}&application=https://${WIKI}/`,
    signedIn: true,
  },
};

/** Everywhere that an answer leads or could lead a browser to, as the browser resolves it. */
function destinations({ value, body }: WireResponse, base: string): readonly URL[] {
  const refresh = /^\d+;url=(.*)$/.exec(value("refresh") ?? "")?.[1];
  const linked = [...body.matchAll(/(?:href|action|src)="([^"]*)"/g)].map(([, address = ""]) => address.replaceAll("&amp;", "&"));
  const all = [value("location"), refresh, ...linked].filter((address) => address !== undefined);
  return all.map((address) => URL.parse(address, base) ?? new URL(`invalid:${address}`));
}

async function strays(place: Place, text: string): Promise<readonly string[]> {
  const target = place.target(text);
  if (target === undefined || target.length > 8_000) return [];
  const fields = [...NAVIGATION, ...(place.signedIn === true ? [SESSION()] : [])];
  const [response] = await visit(bed(), write(target, { host: place.host, fields }));
  if (response === undefined || response.status >= 500) return [`${JSON.stringify(text)}: ${response?.status ?? "no answer"}`];
  const away = destinations(response, `https://${place.host}`).filter(
    ({ origin, pathname }) => !HOME.test(origin) || /^\/[/\\]/.test(pathname),
  );
  return away.map((url) => `${JSON.stringify(text)}: ${url.href}`);
}

test.each(Object.entries(PLACES))("R-E2, R-E3: nobody is led away by %s", async (_, place) => {
  const found: string[] = [];
  for (let at = 0; at < TEXTS.length; at += AT_ONCE)
    found.push(...(await Promise.all(TEXTS.slice(at, at + AT_ONCE).map((text) => strays(place, text)))).flat());
  expect(found).toEqual([]);
});

/** Where a sign-in that began at this path ends: over the auth host, with the session that is there, and back. */
async function comesBackTo(text: string): Promise<string | undefined> {
  const [sent] = await visit(bed(), write(text, { host: WIKI, fields: NAVIGATION }));
  const login = sent?.value("location");
  if (sent?.status !== 302 || login === undefined) return undefined;
  const cookie = `Cookie: ${sent.value("set-cookie")?.split(";")[0] ?? ""}`;
  const [onAuthHost] = await visit(
    bed(),
    write(login.slice(`https://${AUTH_HOST}`.length), { host: AUTH_HOST, fields: [...NAVIGATION, SESSION()] }),
  );
  const handover = onAuthHost?.value("location") ?? "";
  const [back] = await visit(bed(), write(handover.slice(`https://${WIKI}`.length), { host: WIKI, fields: [...NAVIGATION, cookie] }));
  return back?.value("location");
}

test("R-E1, R-E2: a sign-in comes back to its application, whatever path it began at", async () => {
  const ends: (readonly [string, string])[] = [];
  const paths = TEXTS.filter((text) => inTarget(text) && text.startsWith("/"));
  for (let at = 0; at < paths.length; at += AT_ONCE) {
    const back = paths.slice(at, at + AT_ONCE).map(async (text) => [text, (await comesBackTo(text)) ?? ""] as const);
    ends.push(...(await Promise.all(back)).filter(([, location]) => location !== ""));
  }
  const away = ends.filter(([, location]) => {
    const url = URL.parse(location);
    return url === null || url.origin !== `https://${WIKI}` || /^\/[/\\]/.test(url.pathname);
  });
  expect(away).toEqual([]);
  expect(ends.length).toBeGreaterThan(50);
  expect(await comesBackTo("/a%20b/c?q=//evil")).toBe(`https://${WIKI}/a%20b/c?q=//evil`);
});

test("the places do lead somewhere, so that the search above finds what it looks for", async () => {
  const [sent] = await visit(bed(), write("/deep?x=1", { host: WIKI, fields: NAVIGATION }));
  expect(destinations(sent as WireResponse, `https://${WIKI}`).map(({ host }) => host)).toEqual([AUTH_HOST]);
  const evil = {
    value: (name: string) => (name === "location" ? "//evil" : undefined),
    body: '<a href="\\\\/evil">',
  } as unknown as WireResponse;
  expect(destinations(evil, `https://${WIKI}`).map(({ origin }) => HOME.test(origin))).toEqual([false, false]);
  expect(TEXTS.length).toBeGreaterThan(400);
});
