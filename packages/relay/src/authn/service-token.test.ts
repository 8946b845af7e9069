import { ManualClock } from "@sallyport/shared/clock";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { digestSecret, generateSecret, generateServiceToken, isClientId, isSecret } from "./service-token-format.ts";
import {
  CLOUDFLARE_TOKEN_FIELDS,
  createServiceTokenVerifier,
  type ServiceTokenVerifier,
  type StoredServiceToken,
} from "./service-token.ts";

const { clientId, secret } = generateServiceToken();
const oldSecret = generateSecret();
let clock: ManualClock;
let stored: StoredServiceToken;
let uses: string[];
let verifier: ServiceTokenVerifier;

beforeEach(() => {
  clock = new ManualClock();
  stored = {
    clientId,
    name: "ci",
    secretHash: digestSecret(secret),
    expiresAt: clock.now() + 1000,
    previousHash: undefined,
    previousExpiresAt: undefined,
    disabledAt: undefined,
    revokedAt: undefined,
  };
  uses = [];
  verifier = createServiceTokenVerifier({ get: (id) => (id === clientId ? stored : undefined), used: (id) => void uses.push(id) }, clock);
});

const present = (id: string, value: string) => verifier.fromFields(["SALLYPORT-Client-Id", id, "sallyport-client-secret", value]);
const basic = (id: string, value: string) => ["Authorization", `Basic ${Buffer.from(`${id}:${value}`).toString("base64")}`];
const refusal = (result: ReturnType<typeof present>) => (result.kind === "invalid" ? result.reason : result.kind);

describe("a service token in its two headers", () => {
  test("is accepted, whatever the case of the header names, and its use is noted", () => {
    expect(present(clientId, secret)).toEqual({ kind: "valid", identity: { kind: "service", tokenId: clientId, name: "ci" } });
    expect(uses).toEqual([clientId]);
  });

  test("is accepted under Cloudflare's names only where those are asked for", () => {
    const fields = ["CF-Access-Client-Id", clientId, "CF-Access-Client-Secret", secret];
    expect(verifier.fromFields(fields).kind).toBe("none");
    expect(verifier.fromFields(fields, CLOUDFLARE_TOKEN_FIELDS).kind).toBe("valid");
  });

  test("that is not there is no error", () => {
    expect(verifier.fromFields(["Accept", "*/*", "Cookie", "a=b"])).toEqual({ kind: "none" });
  });

  test("with only one of the headers, or one of them twice, is refused", () => {
    expect(refusal(verifier.fromFields(["Sallyport-Client-Id", clientId]))).toBe("malformed");
    expect(refusal(verifier.fromFields(["Sallyport-Client-Secret", secret]))).toBe("malformed");
    const twice = ["Sallyport-Client-Id", clientId, "sallyport-client-id", clientId, "Sallyport-Client-Secret", secret];
    expect(refusal(verifier.fromFields(twice))).toBe("duplicate");
  });

  test("is refused when unknown, with another's secret, expired, disabled or revoked, and no use is noted", () => {
    expect(refusal(present(generateServiceToken().clientId, secret))).toBe("unknown");
    expect(refusal(present(clientId, generateSecret()))).toBe("mismatch");
    stored = { ...stored, revokedAt: clock.now() };
    expect(refusal(present(clientId, secret))).toBe("revoked");
    stored = { ...stored, revokedAt: undefined, disabledAt: clock.now() };
    expect(refusal(present(clientId, secret))).toBe("disabled");
    stored = { ...stored, disabledAt: undefined };
    clock.advance(1000);
    expect(refusal(present(clientId, secret))).toBe("expired");
    expect(uses).toEqual([]);
  });

  test("tells nothing about a token to who does not hold its secret (R-J1)", () => {
    stored = { ...stored, revokedAt: clock.now() };
    expect(refusal(present(clientId, generateSecret()))).toBe("mismatch");
  });

  test("works with the secret before a rotation until the grace time is over", () => {
    stored = { ...stored, previousHash: digestSecret(oldSecret), previousExpiresAt: clock.now() + 500 };
    expect(present(clientId, oldSecret).kind).toBe("valid");
    expect(present(clientId, secret).kind).toBe("valid");
    clock.advance(500);
    expect(refusal(present(clientId, oldSecret))).toBe("mismatch");
    expect(present(clientId, secret).kind).toBe("valid");
  });

  test("of any other text is refused and never throws (R-J1)", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("", "__proto__", "constructor", "st_", secret.slice(1), `${secret} `, "x".repeat(10_000)),
    );
    fc.assert(fc.property(text, text, (id, value) => ["malformed", "unknown", "mismatch"].includes(refusal(present(id, value)))));
    fc.assert(fc.property(text, (value) => refusal(present(clientId, value)) === "malformed"));
  });
});

describe("a service token over HTTP Basic", () => {
  test("is accepted", () => {
    expect(verifier.fromBasic(basic(clientId, secret)).kind).toBe("valid");
    expect(verifier.fromBasic(["authorization", basic(clientId, secret)[1]!.replace("Basic", "bAsIc")]).kind).toBe("valid");
  });

  test("is nothing of ours when the Authorization is of another kind", () => {
    expect(verifier.fromBasic(["Authorization", "Bearer abc"])).toEqual({ kind: "none" });
    expect(verifier.fromBasic(["Authorization", "Basically no"])).toEqual({ kind: "none" });
  });

  test("is refused when it is not base64, has no colon, is somebody's password, or comes twice", () => {
    expect(refusal(verifier.fromBasic(["Authorization", "Basic"]))).toBe("malformed");
    expect(refusal(verifier.fromBasic(["Authorization", "Basic %%%"]))).toBe("malformed");
    expect(refusal(verifier.fromBasic(["Authorization", `Basic ${Buffer.from(clientId).toString("base64")}`]))).toBe("malformed");
    expect(refusal(verifier.fromBasic(basic("admin", "hunter2")))).toBe("malformed");
    expect(refusal(verifier.fromBasic([...basic(clientId, secret), "Authorization", "Bearer x"]))).toBe("duplicate");
  });
});

describe("R-L10: a service token as JSON in one header", () => {
  const json = (text: string) => verifier.fromJson(["X-Token", text], "x-token");
  const pair = { "Sallyport-Client-Id": clientId, "SALLYPORT-client-secret": secret };

  test("is accepted as exactly two strings, whatever the case of their names", () => {
    expect(json(JSON.stringify(pair)).kind).toBe("valid");
  });

  test.each([
    ["more than 1 KiB", JSON.stringify(pair) + " ".repeat(1_024)],
    ["deep", `${JSON.stringify(pair).slice(0, -1)},"x":${"[".repeat(300)}${"]".repeat(300)}}`],
    ["many members", JSON.stringify({ ...pair, ...Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`k${n}`, 1])) })],
    ["a member more", JSON.stringify({ ...pair, x: "" })],
    ["a number in place of a string", JSON.stringify({ ...pair, "SALLYPORT-client-secret": 1 })],
    ["a name twice in other letters", JSON.stringify({ "Sallyport-Client-Id": clientId, "sallyport-client-id": clientId })],
    ["a prototype", `{"__proto__":${JSON.stringify(pair)}}`],
    ["no end", JSON.stringify(pair).slice(0, -1)],
    ["brackets without end", `{"x":${"[".repeat(1_000)}`],
  ])("%s is malformed", (_name, text) => {
    expect(refusal(json(text))).toBe("malformed");
  });
});

describe("the format of a service token (R-J1)", () => {
  test("is what the generator makes, with secrets that never repeat", () => {
    const made = Array.from({ length: 200 }, generateServiceToken);
    for (const token of made) {
      expect(isClientId(token.clientId)).toBe(true);
      expect(isSecret(token.secret)).toBe(true);
      expect(token.secret).toMatch(/^sps_.{49}$/);
    }
    expect(new Set(made.map((token) => token.secret)).size).toBe(200);
  });

  test("finds every single wrong character in a secret", () => {
    for (let i = 0; i < secret.length; i += 1) {
      const wrong = secret.slice(0, i) + (secret[i] === "a" ? "b" : "a") + secret.slice(i + 1);
      expect(isSecret(wrong), `position ${i}`).toBe(false);
    }
  });
});
