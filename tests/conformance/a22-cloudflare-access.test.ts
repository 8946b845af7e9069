// A22: an origin written for Cloudflare Access finds what that product documents, and verifies it with what is published for
// that product: jose, PyJWT, and Cloudflare's own middleware for its Pages, unchanged, with our auth URL as its domain.

import { createPublicKey, generateKeyPairSync, hash, sign, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import accessPlugin from "@cloudflare/pages-plugin-cloudflare-access";
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, exportJWK, jwtVerify, type JSONWebKeySet } from "jose";
import { Agent, buildConnector, fetch } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { need } from "../harness/need.ts";
import { command } from "../harness/program.ts";
import { AUTH_HOST, AUTH_URL, type Bed, createBed } from "./support/bed.ts";
import { COOKIE } from "./support/people.ts";
import { SignedIn, signedInOptions } from "./support/signed-in.ts";
import { ask, expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const HOST = "access.example.test";
const TAGGED = "tagged.example.test";
const PLAIN = "plain.example.test";
const TAG = "1234567890abcdef".repeat(4);

const stack = new AsyncDisposableStack();
const ann = new SignedIn({ subject: "ann", email: "ann@example.com", name: "Ann", groups: ["eng"] }, HOST, TAGGED, PLAIN);
const bob = new SignedIn({ subject: "bob" }, HOST);
let bed: Bed;
let certs: JSONWebKeySet & {
  readonly public_cert: { kid: string; cert: string };
  readonly public_certs: readonly { kid: string; cert: string }[];
};

beforeAll(async () => {
  const applications = [
    { name: "access", hostname: HOST, compatibility: "cloudflare-access" },
    { name: "tagged", hostname: TAGGED, compatibility: "cloudflare-access", accessAudience: TAG },
    { name: "plain", hostname: PLAIN },
    { name: "open-access", hostname: "open.example.test", compatibility: "cloudflare-access", policies: ["public"] },
  ];
  bed = await createBed(stack, signedInOptions(stack, [ann, bob], applications));
  certs = JSON.parse((await ask(bed, "/cdn-cgi/access/certs", { host: AUTH_HOST })).body) as typeof certs;
});
beforeEach(() => bed.open.reset());
afterAll(() => stack.disposeAsync());

async function tokenFor(person: SignedIn, host: string): Promise<string> {
  const request = await expectForwarded(bed, write("/x", { host, fields: [person.cookie(host)] }));
  return request.values("cf-access-jwt-assertion")[0] ?? "";
}

describe("the origin finds", () => {
  test("the assertion, the email and the cookie, besides ours and whatever the visitor sent of them", async () => {
    const forged = [
      "Cf-Access-Jwt-Assertion: forged",
      "cf_access_jwt_assertion: forged",
      "Cf-Access-Authenticated-User-Email: root@example.com",
    ];
    const fields = [...forged, ann.cookie(HOST, "a=1; CF_Authorization=forged; b=2; ")];
    const request = await expectForwarded(bed, write("/x", { host: HOST, fields }));
    const [token = "", ...more] = request.values("cf-access-jwt-assertion");
    expect(more).toEqual([]);
    expect(request.values("cf-access-authenticated-user-email")).toEqual(["ann@example.com"]);
    expect(request.values("cookie")).toEqual([`a=1; b=2; CF_Authorization=${token}`]);
    expect(request.values("sallyport-jwt-assertion")).toHaveLength(1);
    expect(request.raw).not.toMatch(/forged|root@/);
  });

  test("a cookie line of its own where the browser sends no other", async () => {
    const fields = [`Sallyport-Access-Token: ${ann.token(HOST)}`];
    const request = await expectForwarded(bed, write("/x", { host: HOST, fields }));
    expect(request.values("cookie")).toEqual([`CF_Authorization=${request.values("cf-access-jwt-assertion")[0]}`]);
  });

  test("the claims that are documented for a person", async () => {
    const token = await tokenFor(ann, HOST);
    expect(decodeProtectedHeader(token)).toEqual({ alg: "RS256", kid: certs.public_cert.kid, typ: "JWT" });
    const claims = decodeJwt(token);
    expect(claims).toEqual({
      aud: [hash("sha256", `https://${HOST}`, "hex")],
      email: "ann@example.com",
      exp: (claims.iat ?? 0) + 300,
      iat: expect.any(Number),
      nbf: claims.iat,
      iss: AUTH_URL,
      type: "app",
      identity_nonce: expect.stringMatching(/^[\w-]{16}$/),
      sub: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    });
    expect(decodeJwt(await tokenFor(ann, TAGGED)).aud).toEqual([TAG]);
    expect(decodeJwt(await tokenFor(bob, HOST)).sub).not.toBe(claims.sub);
  });

  test("and for a service token, by Cloudflare's headers as well as ours", async () => {
    const { clientId, secret, fields } = bed.token;
    const theirs = [`CF-Access-Client-Id: ${clientId}`, `CF-Access-Client-Secret: ${secret}`];
    for (const credential of [theirs, fields]) {
      const request = await expectForwarded(bed, write("/x", { host: HOST, fields: credential }));
      const claims = decodeJwt(request.values("cf-access-jwt-assertion")[0] ?? "");
      expect(claims).toMatchObject({ type: "app", common_name: clientId, sub: "", iss: AUTH_URL });
      expect(request.values("cf-access-authenticated-user-email")).toEqual([]);
      expect(request.raw).not.toContain(secret);
    }
  });

  test("nothing of it without the option, or for nobody", async () => {
    const plain = await expectForwarded(bed, write("/x", { host: PLAIN, fields: [ann.cookie(PLAIN)] }));
    const anonymous = await expectForwarded(bed, write("/x", { host: "open.example.test", fields: ["Cookie: CF_Authorization=forged"] }));
    for (const request of [plain, anonymous]) expect(request.raw).not.toMatch(/cf-access|cf_authorization/i);
  });
});

describe("credentials in Cloudflare's headers", () => {
  test("an application token in cf-access-token", async () => {
    const request = await expectForwarded(bed, write("/x", { host: HOST, fields: [`cf-access-token: ${ann.token(HOST)}`] }));
    expect(request.values("cf-access-authenticated-user-email")).toEqual(["ann@example.com"]);
    expect(request.values("cf-access-token")).toEqual([]);
  });

  test.each<[string, () => readonly string[]]>([
    ["a secret that is wrong", () => [`CF-Access-Client-Id: ${bed.token.clientId}`, `CF-Access-Client-Secret: ${bed.otherToken.secret}`]],
    ["an id alone", () => [`CF-Access-Client-Id: ${bed.token.clientId}`]],
    ["an application token of another application", () => [`cf-access-token: ${ann.token(PLAIN)}`]],
    ["two of them", () => [`cf-access-token: ${ann.token(HOST)}`, `cf-access-token: ${ann.token(HOST)}`]],
    ["nonsense", () => ["cf-access-token: a.b.c"]],
  ])("R-C7: %s is 401", async (_name, fields) => {
    await expectDenied(bed, write("/x", { host: HOST, fields: fields() }), { status: 401, code: "ERR_CREDENTIAL_INVALID" });
  });

  test("R-G3: an assertion that an origin got is no credential of a visitor", async () => {
    const token = await tokenFor(ann, HOST);
    await expectDenied(bed, write("/x", { host: HOST, fields: [`cf-access-token: ${token}`] }), {
      status: 401,
      code: "ERR_CREDENTIAL_INVALID",
    });
    for (const cookie of [`CF_Authorization=${token}`, `${COOKIE}=${token}`]) {
      await expectDenied(bed, write("/x", { host: HOST, fields: [`Cookie: ${cookie}`] }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
    }
  });

  test("mean nothing without the option", async () => {
    const { clientId, secret } = bed.token;
    const fields = [`CF-Access-Client-Id: ${clientId}`, `CF-Access-Client-Secret: ${secret}`, `cf-access-token: ${ann.token(PLAIN)}`];
    await expectDenied(bed, write("/x", { host: PLAIN, fields }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
  });
});

describe("/cdn-cgi/access/", () => {
  test("certs are public: JWK set, certificate of the key that signs, all certificates; on both kinds of host", async () => {
    expect(certs.keys.map(({ kty, alg, use, d }) => ({ kty, alg, use, d }))).toEqual([
      { kty: "RSA", alg: "RS256", use: "sig", d: undefined },
    ]);
    expect(certs.public_certs).toEqual([certs.public_cert]);
    const certificate = new X509Certificate(certs.public_cert.cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(await exportJWK(certificate.publicKey)).toEqual(
      await exportJWK(createPublicKey({ key: certs.keys[0] as never, format: "jwk" })),
    );
    const here = await ask(bed, "/cdn-cgi/access/certs", { host: HOST });
    expect([JSON.parse(here.body), here.value("access-control-allow-origin"), here.value("cache-control")]).toEqual([
      certs,
      "*",
      "public, max-age=300",
    ]);
  });

  test("get-identity says who asks, and nothing without a login; no other origin may read it", async () => {
    const nobody = await ask(bed, "/cdn-cgi/access/get-identity", { host: HOST });
    expect([nobody.status, JSON.parse(nobody.body)]).toEqual([401, { err: "no app token set" }]);
    const answer = await ask(bed, "/cdn-cgi/access/get-identity", {
      host: HOST,
      fields: [ann.cookie(HOST), "Origin: https://evil.example.net"],
    });
    expect(answer.status).toBe(200);
    const { sub } = decodeJwt(await tokenFor(ann, HOST));
    expect(JSON.parse(answer.body)).toMatchObject({
      email: "ann@example.com",
      name: "Ann",
      groups: ["eng"],
      user_uuid: sub,
      idp: { id: "corp" },
      service_token_status: false,
    });
    expect([answer.value("access-control-allow-origin"), answer.value("cache-control")]).toEqual([undefined, "no-store"]);
    expect(answer.body).not.toContain(ann.sessionId);
  });

  test("logout leads to the page that asks first", async () => {
    for (const [host, path] of [
      [HOST, "/.sallyport/logout"],
      [AUTH_HOST, "/logout"],
    ] as const) {
      const answer = await ask(bed, "/cdn-cgi/access/logout", { host, fields: host === HOST ? [ann.cookie(HOST)] : [] });
      expect([answer.status, answer.value("location")]).toEqual([302, `https://${host}${path}`]);
    }
    expect((await ask(bed, "/x", { host: HOST, fields: [ann.cookie(HOST)] })).status).toBe(200);
  });

  test.each([
    "/cdn-cgi/access/x",
    "/cdn-cgi/access",
    "/cdn%2dcgi/access/x",
    "/%63dn-cgi/access/login",
    "/a/../cdn-cgi/access/x",
    "/cdn-cgi/access%2fx",
    "/cdn-cgi//access/x",
    "/cdn-cgi/x/..%2faccess/x",
  ])("R-H8: %s reaches no origin, or not as that path", async (target) => {
    const before = bed.open.requests.length;
    const answer = await ask(bed, target, { host: HOST, fields: [ann.cookie(HOST)] });
    const seen = bed.open.requests.slice(before).map((request) => request.target);
    expect([answer.status >= 400, seen]).toEqual([true, []]);
  });

  test("is the origin's where nobody has the option", async () => {
    await expectForwarded(bed, write("/cdn-cgi/access/certs", { host: PLAIN, fields: [ann.cookie(PLAIN)] }));
  });
});

/** Tokens that must be refused, made from a good one. */
async function badTokens(): Promise<readonly (readonly [string, string])[]> {
  const good = await tokenFor(ann, HOST);
  const [header = "", payload = "", signature = ""] = good.split(".");
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const claims = decodeJwt(good);
  const past = encode({ ...claims, iat: 1_000, nbf: 1_000, exp: 1_300 });
  const resign = (input: string): string => `${input}.${sign("RSA-SHA256", Buffer.from(input), privateKey).toString("base64url")}`;
  const none = `${encode({ alg: "none", typ: "JWT" })}.${payload}.`;
  return [
    ["another email", `${header}.${encode({ ...claims, email: "root@example.com" })}.${signature}`],
    ["another key with the same kid", resign(`${header}.${payload}`)],
    ["expired, by another key", resign(`${header}.${past}`)],
    ["without signature", none],
    ["for another application", await tokenFor(ann, TAGGED)],
  ];
}

describe("published verifiers", () => {
  const audience = hash("sha256", `https://${HOST}`, "hex");

  test("jose accepts it and refuses altered, foreign and expired ones", async () => {
    const keys = createLocalJWKSet(certs);
    const verify = (token: string, more = {}): Promise<unknown> =>
      jwtVerify(token, keys, { issuer: AUTH_URL, audience, algorithms: ["RS256"], ...more });
    const good = await tokenFor(ann, HOST);
    await expect(verify(good)).resolves.toMatchObject({ payload: { email: "ann@example.com" } });
    await expect(verify(good, { currentDate: new Date(Date.now() + 301_000) })).rejects.toMatchObject({ code: "ERR_JWT_EXPIRED" });
    await expect(verify(good, { issuer: "https://other.example.test" })).rejects.toMatchObject({ code: "ERR_JWT_CLAIM_VALIDATION_FAILED" });
    for (const [name, token] of await badTokens()) await expect([name, verify(token)][1], name).rejects.toThrow();
  });

  test("PyJWT does too, as Cloudflare's documentation uses it", { timeout: 30_000 }, async (context) => {
    const python = "/usr/bin/python3";
    if ((await command(python, ["-c", "import jwt, cryptography"])).code !== 0) need(context, "python3-jwt");
    const good = await tokenFor(ann, HOST);
    const cases = [["good", good], ...(await badTokens())];
    const file = join(bed.folder, "cases.json");
    writeFileSync(file, JSON.stringify({ certs, cases, audience, issuer: AUTH_URL }));
    const { stdout, stderr } = await command(python, ["-c", PYJWT, file]);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([
      ...cases.map(([name]) => [name, name === "good" ? "ann@example.com" : "refused"]),
      ["later", "refused"],
    ]);
  });

  test("Cloudflare's own middleware does, pointed at the auth URL, and asks it who that is", async () => {
    // Where the names of this test lead, as DNS and a port forwarding would.
    const connect = buildConnector({ ca: bed.ca, lookup: toLoopback as never });
    const dispatcher = new Agent({ connect: (options, done) => connect({ ...options, port: String(bed.tlsPort) }, done) });
    vi.stubGlobal("fetch", (url: string, init?: object) => fetch(url, { ...init, dispatcher }));
    try {
      const outcome = async (token: string): Promise<unknown> => {
        const request = new Request(`https://${HOST}/x`, { headers: { "Cf-Access-Jwt-Assertion": token } });
        const data: {
          cloudflareAccess?: { JWT: { payload: { email?: string }; getIdentity(): Promise<{ groups: string[] } | undefined> } };
        } = {};
        const handler = accessPlugin({ domain: AUTH_URL as `https://${string}.cloudflareaccess.com`, aud: audience }) as unknown as (
          context: unknown,
        ) => Promise<Response>;
        const next = async (): Promise<Response> => new Response("in");
        const response = await handler({
          request,
          data,
          next,
          functionPath: "",
          params: {},
          env: {},
          waitUntil: () => {},
          passThroughOnException: () => {},
        });
        const access = data.cloudflareAccess?.JWT;
        return [response.status, access?.payload.email, (await access?.getIdentity())?.groups];
      };
      expect(await outcome(await tokenFor(ann, HOST))).toEqual([200, "ann@example.com", ["eng"]]);
      for (const [name, token] of await badTokens()) expect([name, await outcome(token)]).toEqual([name, [302, undefined, undefined]]);
      const good = await tokenFor(ann, HOST);
      const later = Date.now() + 301_000;
      vi.spyOn(Date, "now").mockReturnValue(later);
      expect(await outcome(good)).toEqual([302, undefined, undefined]);
    } finally {
      vi.restoreAllMocks();
      vi.unstubAllGlobals();
      await dispatcher.close();
    }
  });
});

function toLoopback(
  _host: string,
  { all }: { readonly all?: boolean },
  done: (error: null, address: unknown, family?: number) => void,
): void {
  if (all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
}

const PYJWT = `
import json, sys, jwt
from cryptography.x509 import load_pem_x509_certificate

given = json.load(open(sys.argv[1]))
keys = [jwt.algorithms.RSAAlgorithm.from_jwk(json.dumps(key)) for key in given["certs"]["keys"]]
keys += [load_pem_x509_certificate(entry["cert"].encode()).public_key() for entry in given["certs"]["public_certs"]]

def check(token, seconds_later=0):
    answers = set()
    for key in keys:
        try:
            expected = {"audience": given["audience"], "issuer": given["issuer"], "algorithms": ["RS256"]}
            answers.add(jwt.decode(token, key=key, leeway=-seconds_later, options={"verify_iat": False, "verify_nbf": False}, **expected)["email"])
        except jwt.InvalidTokenError:
            answers.add("refused")
    return answers.pop() if len(answers) == 1 else "keys disagree"

print(json.dumps([[name, check(token)] for name, token in given["cases"]] + [["later", check(given["cases"][0][1], 301)]]))
`;
