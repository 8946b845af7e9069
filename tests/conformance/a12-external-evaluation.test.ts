// A12: a program of the operator's own is asked about each visitor, over HTTPS, with a signed question and a signed answer.
// Whatever is not a verified answer to this question lets nobody in (R-N3).

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { createLocalJWKSet, exportJWK, generateKeyPair, type JSONWebKeySet, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freePort, scratchFolder } from "../harness/scratch.ts";
import { createAuthority } from "../harness/tls.ts";
import { AUTH_HOST, AUTH_URL, type Bed, createBed } from "./support/bed.ts";
import { SignedIn, signedInOptions } from "./support/signed-in.ts";
import { ask, expectSilence, mark } from "./support/visit.ts";
import type { WireResponse } from "./support/wire.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

const keys = await generateKeyPair("ES256");
const strange = await generateKeyPair("ES256");
const JWKS = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "door", alg: "ES256" }] };

interface Asked {
  readonly token: string;
  readonly claims: JWTPayload & {
    readonly nonce: string;
    readonly application: { readonly name: string };
    readonly identity: Record<string, unknown>;
  };
}

/** By name of the application: what the evaluator does with a question. */
type Behaviour = (asked: Asked, response: ServerResponse) => Promise<void>;

async function signed(claims: JWTPayload, key: Parameters<SignJWT["sign"]>[0] = keys.privateKey, kid = "door"): Promise<string> {
  return JSON.stringify({ token: await new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid }).sign(key) });
}

const seconds = (): number => Math.floor(Date.now() / 1000);
const reply = ({ claims: { nonce } }: Asked, success: unknown, change: JWTPayload = {}): JWTPayload => ({
  success,
  nonce,
  iat: seconds(),
  exp: seconds() + 60,
  ...change,
});
const says =
  (claims: (asked: Asked) => JWTPayload): Behaviour =>
  async (asked, response) =>
    void response.end(await signed(claims(asked)));

let firstAnswer: string | undefined;
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  yes: says((asked) => reply(asked, true)),
  no: says((asked) => reply(asked, false)),
  addressed: says((asked) => reply(asked, true, { aud: AUTH_URL })),
  group: says((asked) => reply(asked, true)),
  slow: async () => {},
  "wrong-key": async (asked, response) => void response.end(await signed(reply(asked, true), strange.privateKey)),
  unsigned: async (asked, response) => {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    response.end(JSON.stringify({ token: `${part({ alg: "none" })}.${part(reply(asked, true))}.` }));
  },
  // The right answer to another question, which the evaluator did sign.
  replayed: async (asked, response) =>
    void response.end((firstAnswer ??= await signed(reply(asked, true, { nonce: "of-another-question" })))),
  expired: says((asked) => reply(asked, true, { iat: seconds() - 600, exp: seconds() - 300 })),
  old: says((asked) => reply(asked, true, { iat: seconds() - 600, exp: seconds() + 600 })),
  undated: says(({ claims: { nonce } }) => ({ success: true, nonce })),
  text: says((asked) => reply(asked, "true")),
  "somebody-else": says((asked) => reply(asked, true, { aud: "https://other.example.com" })),
  huge: async (asked, response) => void response.end((await signed(reply(asked, true))).padEnd(300 * 1024)),
  failing: async (asked, response) => void response.writeHead(500).end(await signed(reply(asked, true))),
  created: async (asked, response) => void response.writeHead(201).end(await signed(reply(asked, true))),
  redirected: async (_asked, response) => void response.writeHead(307, { location: "/elsewhere" }).end(),
  html: async (_asked, response) => void response.end("<html></html>"),
};

const asked: Asked[] = [];
const paths: string[] = [];
let relayKeys: JSONWebKeySet | undefined;

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  paths.push(request.url ?? "");
  if (request.url === "/keys") return void response.end(JSON.stringify(JWKS));
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const { token } = JSON.parse(body) as { token: string };
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Asked["claims"];
  asked.push({ token, claims });
  await BEHAVIOURS[claims.application.name]?.({ token, claims }, response);
}

const HOST = (name: string): string => `${name}.example.test`;
const ann = new SignedIn({ subject: "ann", email: "ann@example.com", groups: ["eng"] }, HOST("yes"), HOST("no"), HOST("group"));
let bed: Bed;
let server: Server;

beforeAll(async () => {
  const authority = await createAuthority(scratchFolder(stack, "sallyport-evaluator"));
  const certificate = await authority.issue("door", ["door.example.test"]);
  server = createServer(
    { cert: readFileSync(certificate.certificateFile), key: readFileSync(certificate.privateKeyFile) },
    (request, response) => {
      handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    },
  );
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const at = (port: number, more = {}): unknown => {
    const origin = `https://door.example.test:${port}`;
    return { externalEvaluation: { url: `${origin}/ask`, keysUrl: `${origin}/keys`, allowPrivateNetwork: true, ...more } };
  };
  const { port } = server.address() as AddressInfo;
  const elsewhere = { url: `https://door.example.test:${port}/private`, allowPrivateNetwork: false };
  const programs = (name: string, selector: unknown): Record<string, unknown> => ({
    name,
    action: "service",
    include: [{ anyServiceToken: true }],
    require: [selector],
  });
  const applications = Object.keys(BEHAVIOURS).map((name) => ({
    name,
    hostname: HOST(name),
    policies: ["asked", name === "group" ? "others" : "people"],
  }));
  const options = signedInOptions(
    stack,
    [ann],
    [
      ...applications,
      { name: "down", hostname: HOST("down"), policies: ["down"] },
      { name: "private", hostname: HOST("private"), policies: ["private"] },
    ],
  );
  bed = await createBed(stack, {
    ...options,
    policies: [
      programs("asked", at(port)),
      programs("down", at(await freePort())),
      programs("private", at(port, elsewhere)),
      { name: "people", action: "allow", include: [{ emailDomain: "example.com" }], require: [at(port)] },
      { name: "others", action: "allow", include: [{ identityGroup: "ops" }], require: [at(port)] },
    ],
    evaluatorNetwork: {
      ca: readFileSync(authority.caFile, "utf8"),
      lookup: (_hostname, { all }, callback) =>
        all === true ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4),
    },
  });
  relayKeys = JSON.parse((await ask(bed, "/.well-known/jwks.json", { host: AUTH_HOST })).body) as JSONWebKeySet;
});
beforeEach(() => {
  bed.open.reset();
  asked.length = 0;
});

const program = async (name: string): Promise<WireResponse> => await ask(bed, "/x", { host: HOST(name), fields: bed.token.fields });
const personAt = async (name: string): Promise<WireResponse> =>
  await ask(bed, "/x", { host: HOST(name), fields: [ann.cookie(HOST(name))] });

describe("A12: an external evaluator", () => {
  test("lets in by a yes, asked once with a question that the relay signed", async () => {
    expect([(await program("yes")).status, (await program("yes")).status]).toEqual([200, 200]);
    expect(asked).toHaveLength(1);
    const { payload, protectedHeader } = await jwtVerify(asked[0]?.token ?? "", createLocalJWKSet(relayKeys as JSONWebKeySet), {
      issuer: AUTH_URL,
      audience: `https://door.example.test:${(server.address() as AddressInfo).port}/ask`,
      typ: "sallyport-evaluation+jwt",
      maxTokenAge: 60,
    });
    expect(protectedHeader.alg).toBe("ES256");
    expect(payload).toMatchObject({
      application: { name: "yes", url: "https://yes.example.test" },
      identity: { kind: "service", id: bed.token.clientId, name: "robot" },
      nonce: expect.stringMatching(/^[\w-]{32}$/) as unknown,
    });
  });

  test("is told who a person is, and decides about people too", async () => {
    expect((await personAt("yes")).status).toBe(200);
    expect(asked.map(({ claims }) => claims.identity)).toEqual([
      { kind: "person", provider: "corp", subject: "ann", email: "ann@example.com", groups: ["eng"] },
    ]);
    expect((await personAt("no")).status).toBe(403);
  });

  test("is not asked about somebody whom the rest of the policy keeps out, nor about a stranger", async () => {
    expect((await personAt("group")).status).toBe(403);
    expect((await ask(bed, "/x", { host: HOST("yes") })).status).toBe(401);
    expect(asked).toEqual([]);
  });

  test("may say for whom its answer is", async () => {
    expect((await program("addressed")).status).toBe(200);
  });

  test("is asked once by visitors who come together", async () => {
    const fresh = Array.from({ length: 5 }, () => ask(bed, "/x", { host: HOST("no"), fields: bed.token.fields }));
    expect((await Promise.all(fresh)).map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
    expect(asked.filter(({ claims }) => claims.identity["kind"] === "service")).toHaveLength(1);
  });

  const refusals = [...Object.keys(BEHAVIOURS).filter((name) => !["yes", "no", "addressed", "group"].includes(name)), "down", "private"];
  test.each(refusals)("lets nobody in by its answer: %s", async (name) => {
    const before = mark(bed);
    const logged = bed.logLines.length;
    const answer = await program(name);
    expect([answer.status, answer.value("sallyport-error")]).toEqual([403, "ERR_ACCESS_DENIED"]);
    await expectSilence(bed, before);
    // Why is told once to the operator, in words of the relay's own.
    expect(bed.logLines.slice(logged).filter(({ msg }) => msg === "trouble with an external evaluator").length).toBeLessThan(2);
    // The question did arrive: it was the answer that did not count.
    if (name !== "down" && name !== "private") expect(asked.at(-1)?.claims.application.name).toBe(name);
  });

  test("is not followed elsewhere, and its keys are not fetched for each token that names unknown ones", () => {
    expect(paths).not.toContain("/elsewhere");
    expect(paths).not.toContain("/private");
    expect(paths.filter((path) => path === "/keys").length).toBeLessThan(4);
  });
});
