import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { claimedType, isNumericDate, type JwsKey, MAX_JWS_LENGTH, verifyJws } from "./jws.ts";

const TYPE = "test+jwt";
const es = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const keys: ReadonlyMap<string, JwsKey> = new Map([
  ["es", { alg: "ES256", key: es.publicKey }],
  ["rsa", { alg: "RS256", key: rsa.publicKey }],
]);

const encode = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function make(header: unknown, payload: unknown = { sub: "u" }, key: KeyObject = es.privateKey): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign("SHA256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const HEADER = { alg: "ES256", typ: TYPE, kid: "es" };

test("a token by a known key is verified, ES256 and RS256", () => {
  expect(verifyJws(make(HEADER), TYPE, keys)).toEqual({ ok: true, payload: { sub: "u" } });
  expect(verifyJws(make({ ...HEADER, alg: "RS256", kid: "rsa" }, { sub: "r" }, rsa.privateKey), TYPE, keys)).toEqual({
    ok: true,
    payload: { sub: "r" },
  });
});

describe("R-G1, R-L5: one algorithm per key", () => {
  const unsigned = (alg: string): string => `${encode({ ...HEADER, alg })}.${encode({ sub: "u" })}.`;
  const hmac = (secret: string | Buffer): string => {
    const input = `${encode({ ...HEADER, alg: "HS256" })}.${encode({ sub: "u" })}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  test.each([
    ["none", unsigned("none")],
    ["None", unsigned("None")],
    ["NONE with a signature", make({ ...HEADER, alg: "NONE" })],
    ["an empty signature", unsigned("ES256")],
    ["HS256 with the public key as PEM", hmac(es.publicKey.export({ format: "pem", type: "spki" }))],
    ["HS256 with the public key as DER", hmac(es.publicKey.export({ format: "der", type: "spki" }))],
    ["RS256 said of an ES256 key", make({ ...HEADER, alg: "RS256" })],
    ["ES256 said of an RS256 key", make({ ...HEADER, kid: "rsa" })],
    ["no algorithm", make({ typ: TYPE, kid: "es" })],
    ["an algorithm that is no text", make({ ...HEADER, alg: ["ES256"] })],
    ["an embedded key", make({ ...HEADER, jwk: es.publicKey.export({ format: "jwk" }) })],
    ["jku", make({ ...HEADER, jku: "https://evil.example/jwks" })],
    ["x5u", make({ ...HEADER, x5u: "https://evil.example/cert" })],
    ["x5c", make({ ...HEADER, x5c: ["MII"] })],
    ["crit", make({ ...HEADER, crit: ["exp"] })],
    ["b64 false", make({ ...HEADER, b64: false, crit: ["b64"] })],
    ["zip", make({ ...HEADER, zip: "DEF" })],
    ["a JWE", `${encode({ alg: "ECDH-ES", enc: "A256GCM" })}.AAAA.AAAA.AAAA.AAAA`],
    ["another key's signature", make(HEADER, { sub: "u" }, other.privateKey)],
    [
      "a DER signature",
      ((): string => {
        const input = `${encode(HEADER)}.${encode({ sub: "u" })}`;
        return `${input}.${sign("SHA256", Buffer.from(input), es.privateKey).toString("base64url")}`;
      })(),
    ],
    ["a signature of zeroes", `${encode(HEADER)}.${encode({ sub: "u" })}.${Buffer.alloc(64).toString("base64url")}`],
  ])("refuses %s", (_, token) => {
    expect(verifyJws(token, TYPE, keys).ok).toBe(false);
  });
});

test("R-G2: a kid that is not in the map is unknown, whatever it looks like", () => {
  for (const kid of ["../../dev/null", "' or 1=1", "__proto__", "constructor", "x".repeat(5_000), 1, null, ["es"], { es: 1 }, ""]) {
    const result = verifyJws(make({ ...HEADER, kid }), TYPE, keys);
    expect(result, String(kid).slice(0, 20)).toEqual({ ok: false, problem: "unknown-key" });
  }
  expect(verifyJws(make({ alg: "ES256", typ: TYPE }), TYPE, keys)).toEqual({ ok: false, problem: "unknown-key" });
});

test("R-G2, R-G5: a member twice, in header or payload, is refused, since two readers may take different ones", () => {
  expect(verifyJws(make('{"alg":"ES256","typ":"test+jwt","kid":"es","kid":"es"}'), TYPE, keys).ok).toBe(false);
  expect(verifyJws(make(HEADER, '{"sub":"a","sub":"u"}'), TYPE, keys)).toEqual({ ok: false, problem: "payload" });
  for (const payload of ["[]", "null", '"text"', "{", '{"exp":1e400}', ' {"sub":"u"}', ""])
    expect(verifyJws(make(HEADER, payload), TYPE, keys).ok, payload).toBe(false);
});

test("R-G3: another type is refused, and so is a type in other letters or none", () => {
  for (const typ of ["JWT", "TEST+JWT", "test+jwt ", "", undefined, 1])
    expect(verifyJws(make({ ...HEADER, typ }), TYPE, keys), String(typ)).toEqual({ ok: false, problem: "type" });
});

test("R-G7: what is too long, or no JWS by its letters, is not looked into", () => {
  const valid = make(HEADER);
  for (const token of [
    "",
    ".",
    "..",
    "a.b",
    `${valid}.x`,
    ` ${valid}`,
    `${valid}=`,
    `${valid}\n`,
    valid.replaceAll("-", "+").replaceAll("_", "/") + "+",
    `${valid.slice(0, -1)}é`,
  ]) {
    expect(verifyJws(token, TYPE, keys).ok, JSON.stringify(token.slice(0, 20))).toBe(false);
  }
  const long = make(HEADER, { sub: "u".repeat(MAX_JWS_LENGTH) });
  expect(verifyJws(long, TYPE, keys)).toEqual({ ok: false, problem: "malformed" });
  expect(claimedType(long)).toBeUndefined();
});

test("each signature has one spelling: changing any of the characters of a token is noticed", () => {
  const token = make(HEADER);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (let at = 0; at < token.length; at++) {
    if (token[at] === ".") continue;
    const next = alphabet[(alphabet.indexOf(token[at] as string) + 1) % 64] as string;
    expect(verifyJws(token.slice(0, at) + next + token.slice(at + 1), TYPE, keys).ok, `character ${at}`).toBe(false);
  }
});

test("the claimed type is told of anything that looks like a JWS, and of nothing else", () => {
  expect(claimedType(make({ alg: "none", typ: "x" }))).toBe("x");
  for (const token of ["", "opaque", "a.b.c", make({ alg: "ES256" }), make({ typ: 1 })]) expect(claimedType(token)).toBeUndefined();
});

test("R-G5: a date is a whole, positive, exact number", () => {
  expect(isNumericDate(1_700_000_000)).toBe(true);
  for (const value of [undefined, null, "1700000000", 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, [1], {}])
    expect(isNumericDate(value)).toBe(false);
});
