// R-G3: every credential, code and sealed value that the relay gives out, presented at every place that takes one: accepted at
// its own, refused at all others. Administrators have no token (a unix socket, 0600) and links are not shared, so that there is
// none of those to present. The connector's place is tested with its gate (R-K5) and its handshake (R-K3).

import { createHash, randomBytes, sign } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AUTH_HOST, useBed } from "./support/bed.ts";
import { COOKIE, People, peopleOptions } from "./support/people.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write, type WireResponse } from "./support/wire.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const people = new People();
const options = peopleOptions(people, ["ann", "joe"], stack);
const ACCESS = { name: "access", hostname: "access.example.test", tunnel: "office", service: "open", policies: ["programs"] };
const bed = useBed({
  ...options,
  applications: [...(options.applications ?? []), { ...ACCESS, compatibility: "cloudflare-access" }],
});

const WIKI = "wiki.example.test";
const NAVIGATION = ["Accept: text/html", "Sec-Fetch-Mode: navigate"];
const LOGIN_COOKIE = "__Host-Sallyport_Login";
const SESSION_COOKIE = "__Host-Sallyport_Session";
const VERIFIER = "v".repeat(43);
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const REDIRECT = "http://127.0.0.1:4711/callback";

/** What the provider was asked to begin and to finish. */
const states: string[] = [];
let finished = 0;
/** Login cookies of one browser, on the application's host and on the auth host. */
let onWiki = "";
let onAuth = "";

beforeAll(async () => {
  people.provider.begin = (...[attempt]: unknown[]) => {
    states.push((attempt as { readonly state: string }).state);
    return Promise.resolve("https://idp.example.com/authorize");
  };
  people.provider.finish = () => {
    finished++;
    return Promise.reject(new Error("nobody signs in here"));
  };
  const sent = await ask(bed(), "/", { host: WIKI, fields: NAVIGATION });
  onWiki = cookieIn(sent, LOGIN_COOKIE);
  onAuth = cookieIn(await ask(bed(), pathOf(sent), { host: AUTH_HOST, fields: NAVIGATION }), LOGIN_COOKIE);
});

function cookieIn(response: WireResponse, name: string): string {
  return (
    response
      .values("set-cookie")
      .find((line) => line.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .split(";")[0] ?? ""
  );
}

function pathOf(response: WireResponse): string {
  const { pathname, search } = new URL(response.value("location") ?? "https://nowhere.invalid/");
  return pathname + search;
}

async function post(path: string, form: Readonly<Record<string, string>>, fields: readonly string[] = []): Promise<WireResponse> {
  const body = new URLSearchParams(form).toString();
  const head = ["Content-Type: application/x-www-form-urlencoded", `Content-Length: ${body.length}`];
  return await ask(bed(), path, { host: AUTH_HOST, method: "POST", fields: [...head, ...fields], body });
}

const session = (name: string): string => `Cookie: ${SESSION_COOKIE}=${people.get(name).secret}`;
const OWN_PAGE = ["Sec-Fetch-Site: same-origin", "Origin: null"];
const hidden = (body: string, name: string): string => new RegExp(`name="${name}" value="([^"]+)"`).exec(body)?.[1] ?? "";

async function loginRequest(): Promise<string> {
  const sent = await ask(bed(), "/", { host: WIKI, fields: [...NAVIGATION, `Cookie: ${LOGIN_COOKIE}=${onWiki}`] });
  return new URL(sent.value("location") ?? "").searchParams.get("request") ?? "";
}

async function providerState(): Promise<string> {
  const path = `/login?${new URLSearchParams({ request: await loginRequest() }).toString()}`;
  await ask(bed(), path, { host: AUTH_HOST, fields: [...NAVIGATION, `Cookie: ${LOGIN_COOKIE}=${onAuth}`] });
  return states.at(-1) ?? "";
}

async function handoverCode(): Promise<string> {
  const path = `/login?${new URLSearchParams({ request: await loginRequest() }).toString()}`;
  const answer = await ask(bed(), path, { host: AUTH_HOST, fields: [...NAVIGATION, session("ann")] });
  return new URL(answer.value("location") ?? "").searchParams.get("code") ?? "";
}

/** The page on which Ann sees which machine asks. */
async function confirmation(): Promise<{ readonly request: string; readonly token: string }> {
  const query = { application: `https://${WIKI}/`, redirect_uri: REDIRECT, state: "s".repeat(22), machine: "ann@laptop" };
  const pkce = { code_challenge: CHALLENGE, code_challenge_method: "S256" };
  const path = `/.sallyport/cli?${new URLSearchParams({ ...query, ...pkce }).toString()}`;
  const { body } = await ask(bed(), path, { host: AUTH_HOST, fields: [...NAVIGATION, session("ann")] });
  return { request: hidden(body, "request"), token: hidden(body, "token") };
}

async function cliCode(): Promise<string> {
  const done = await post("/.sallyport/cli", { ...(await confirmation()), decision: "allow" }, [...OWN_PAGE, session("ann")]);
  const target = /^0;url=(.+)$/.exec(done.value("refresh") ?? "")?.[1] ?? "";
  return new URL(target).searchParams.get("code") ?? "";
}

/** One for all: an address gets a few only, and asking with a wrong code uses none up. */
let waiting: Promise<{ readonly device_code: string; readonly user_code: string }> | undefined;

function device(): NonNullable<typeof waiting> {
  return (waiting ??= startDevice());
}

async function startDevice(): Promise<{ readonly device_code: string; readonly user_code: string }> {
  const form = { application: `https://${WIKI}/`, code_challenge: CHALLENGE, code_challenge_method: "S256", machine: "build-7" };
  return JSON.parse((await post("/.sallyport/cli/device", form)).body) as { device_code: string; user_code: string };
}

async function formToken(name: string): Promise<string> {
  return hidden((await ask(bed(), "/logout", { host: AUTH_HOST, fields: [...NAVIGATION, session(name)] })).body, "token");
}

async function assertionFor(line: readonly string[], target: string, host: string, field: string): Promise<string> {
  const origin = target.startsWith("/admin") ? bed().admin : bed().open;
  return (await expectForwarded(bed(), write(target, { host, fields: line }), origin)).values(field)[0] ?? "";
}

type Place =
  | "token header"
  | "bearer"
  | "application cookie"
  | "session cookie"
  | "service token secret"
  | "hand-over"
  | "provider callback"
  | "login request"
  | "command line code"
  | "device code"
  | "confirmation form"
  | "logout form"
  | "Access cookie";

/** Makes a fresh value of each kind, since many are good once; and where it belongs. */
const KINDS: Readonly<Record<string, { readonly at: readonly Place[]; make(): string | Promise<string> }>> = {
  "an application token": { at: ["token header", "bearer", "application cookie"], make: () => people.get("ann").token(WIKI) },
  "another application's token": { at: [], make: () => people.get("ann").token("grafana.example.test") },
  "a session's secret": { at: ["session cookie"], make: () => people.get("ann").secret },
  "a session's id": { at: [], make: () => people.get("ann").session.id },
  "a service token's secret": { at: ["service token secret"], make: () => bed().token.secret },
  "another service token's secret": { at: [], make: () => bed().otherToken.secret },
  "a service token's id": { at: [], make: () => bed().token.clientId },
  "a person's assertion": { at: [], make: () => assertionFor([people.get("ann").cookie(WIKI)], "/", WIKI, "sallyport-jwt-assertion") },
  "a program's assertion": {
    at: [],
    make: () => assertionFor(bed().token.fields, "/admin", "app.example.test", "sallyport-jwt-assertion"),
  },
  "an Access assertion": {
    at: ["Access cookie"],
    make: () => assertionFor(bed().token.fields, "/", ACCESS.hostname, "cf-access-jwt-assertion"),
  },
  "a connector's proof": {
    at: [],
    make: () => sign(null, randomBytes(96), bed().credentials.office.privateKey).toString("base64url"),
  },
  "a connector's credential id": { at: [], make: () => bed().credentials.office.credentialId },
  "a hand-over code": { at: ["hand-over"], make: handoverCode },
  "a provider state": { at: ["provider callback"], make: providerState },
  "a login request": { at: ["login request"], make: loginRequest },
  "a login cookie": { at: [], make: () => onAuth },
  "a command line's code": { at: ["command line code"], make: cliCode },
  "a command line's request": { at: ["confirmation form"], make: async () => (await confirmation()).request },
  "a device code": { at: ["device code"], make: async () => (await device()).device_code },
  "a device's user code": { at: [], make: async () => (await device()).user_code },
  "the token of a confirmation form": { at: [], make: async () => (await confirmation()).token },
  "the token of a logout form": { at: ["logout form"], make: () => formToken("joe") },
};

async function status(target: string, host: string, fields: readonly string[]): Promise<number> {
  return (await ask(bed(), target, { host, fields })).status;
}

/** Whether a place takes a value. */
const PLACES: Readonly<Record<Place, (value: string) => Promise<boolean>>> = {
  "token header": async (value) => (await status("/", WIKI, [`Sallyport-Access-Token: ${value}`])) === 200,
  bearer: async (value) => (await status("/", WIKI, [`Authorization: Bearer ${value}`])) === 200,
  "application cookie": async (value) => (await status("/", WIKI, [`Cookie: ${COOKIE}=${value}`])) === 200,
  "session cookie": async (value) => (await status("/", AUTH_HOST, [...NAVIGATION, `Cookie: ${SESSION_COOKIE}=${value}`])) === 200,
  "service token secret": async (value) => {
    const fields = [`Sallyport-Client-Id: ${bed().token.clientId}`, `Sallyport-Client-Secret: ${value}`];
    return (await status("/admin", "app.example.test", fields)) === 200;
  },
  "hand-over": async (value) => {
    const path = `/.sallyport/callback?${new URLSearchParams({ code: value }).toString()}`;
    const answer = await ask(bed(), path, { host: WIKI, fields: [...NAVIGATION, `Cookie: ${LOGIN_COOKIE}=${onWiki}`] });
    return cookieIn(answer, COOKIE) !== "";
  },
  "provider callback": async (value) => {
    const before = finished;
    const path = `/callback/corp?${new URLSearchParams({ code: "c", state: value }).toString()}`;
    await ask(bed(), path, { host: AUTH_HOST, fields: [...NAVIGATION, `Cookie: ${LOGIN_COOKIE}=${onAuth}`] });
    return finished > before;
  },
  "login request": async (value) =>
    (await status(`/login?${new URLSearchParams({ request: value }).toString()}`, AUTH_HOST, NAVIGATION)) === 302,
  "command line code": async (value) => {
    const form = { grant_type: "authorization_code", code: value, code_verifier: VERIFIER, redirect_uri: REDIRECT };
    return (await post("/.sallyport/cli/token", form)).status === 200;
  },
  "device code": async (value) => {
    const form = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: value, code_verifier: VERIFIER };
    return !(await post("/.sallyport/cli/token", form)).body.includes("invalid_grant");
  },
  "confirmation form": async (value) => {
    const form = { ...(await confirmation()), request: value, decision: "deny" };
    return (await post("/.sallyport/cli", form, [...OWN_PAGE, session("ann")])).status === 200;
  },
  "logout form": async (value) => (await post("/logout", { token: value, scope: "session" }, [...OWN_PAGE, session("joe")])).status === 200,
  "Access cookie": async (value) =>
    (await status("/cdn-cgi/access/get-identity", AUTH_HOST, [`Cookie: CF_Authorization=${value}`])) === 200,
};

describe.each(Object.entries(KINDS))("R-G3: %s", (_, { at, make }) => {
  test("is refused at every place but its own", async () => {
    const taken: string[] = [];
    for (const [place, takes] of Object.entries(PLACES)) {
      // Its own place comes below: what it does there can end what the others need.
      if (at.includes(place as Place)) continue;
      const value = await make();
      expect(value.length, "there is a value to present").toBeGreaterThan(6);
      if (await takes(value)) taken.push(place);
    }
    expect(taken).toEqual([]);
  });
});

test("R-G3: and is taken at its own, so that the refusals above are of the kind and not of the place", async () => {
  const refused: string[] = [];
  const homes = new Set<string>();
  for (const [kind, { at, make }] of Object.entries(KINDS)) {
    for (const place of at) {
      homes.add(place);
      if (!(await PLACES[place](await make()))) refused.push(`${kind}: ${place}`);
    }
  }
  expect(refused).toEqual([]);
  expect([...homes].toSorted()).toEqual(Object.keys(PLACES).toSorted());
});
