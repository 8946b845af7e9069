import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessSubject } from "@sallyport/shared/access-contract";
import { ManualClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair, type TunnelCredential } from "@sallyport/shared/credential-file";
import { type ManifestJwk, MANIFEST_LIFETIME_MS, signManifest } from "@sallyport/shared/key-manifest";
import { afterAll, describe, expect, test } from "vitest";
import { AssertionGate, createGate, type StreamGate, type Verdict } from "./gate.ts";
import { MemoryKeyState } from "./keyring.ts";

const folder = mkdtempSync(join(tmpdir(), "gate-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const otherEc = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

function jwk(key: KeyObject, kid: string): ManifestJwk {
  const alg = key.asymmetricKeyType === "rsa" ? "RS256" : "ES256";
  return { ...key.export({ format: "jwk" }), kid, alg } as unknown as ManifestJwk;
}

interface Bench {
  readonly clock: ManualClock;
  readonly gate: StreamGate;
  readonly root: KeyObject;
  readonly credential: TunnelCredential;
  manifest(
    version: number,
    more?: { readonly root?: KeyObject; readonly keys?: readonly ManifestJwk[]; readonly nextRoot?: Uint8Array },
  ): string;
  check(token: string | undefined, service?: string, fields?: readonly string[]): Verdict;
}

function bench(gateOf?: (credential: TunnelCredential, clock: ManualClock) => StreamGate): Bench {
  const clock = new ManualClock();
  const { privateKey: root, publicKey: rootKey } = generateTunnelKeyPair();
  const { privateKey } = generateTunnelKeyPair();
  const credential: TunnelCredential = {
    relayUrl: "https://auth.example.com",
    tunnel: "office",
    credentialId: `cred_${"A".repeat(22)}`,
    privateKey,
    rootKey,
  };
  const gate = gateOf?.(credential, clock) ?? new AssertionGate(credential, new MemoryKeyState(), clock);
  const keys = [jwk(ec.publicKey, "k1"), jwk(rsa.publicKey, "r1")];
  return {
    clock,
    gate,
    root,
    credential,
    manifest: (version, more = {}) =>
      signManifest(
        { version, issuedAt: clock.now(), expiresAt: clock.now() + MANIFEST_LIFETIME_MS, keys: more.keys ?? keys, nextRoot: more.nextRoot },
        more.root ?? root,
      ),
    check: (token, service = "wiki", fields = []) => gate.check(token, { service, fields }),
  };
}

function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

interface TokenParts {
  readonly header?: Readonly<Record<string, unknown>> | string;
  readonly claims?: Readonly<Record<string, unknown>> | string;
  readonly key?: KeyObject;
}

/** A token that is right in every respect, except for what the case changes. */
function token(clock: ManualClock, { header = {}, claims = {}, key = ec.privateKey }: TokenParts = {}): string {
  const now = Math.floor(clock.now() / 1_000);
  const right = {
    iss: "https://auth.example.com",
    aud: "https://wiki.example.com/",
    tunnel: "office",
    service: "wiki",
    kind: "person",
    sub: "corp|1",
    jti: "j1",
    iat: now,
    nbf: now,
    exp: now + 300,
  };
  const head =
    typeof header === "string"
      ? header
      : {
          alg: key.asymmetricKeyType === "rsa" ? "RS256" : "ES256",
          typ: "sallyport-assertion+jwt",
          kid: key.asymmetricKeyType === "rsa" ? "r1" : "k1",
          ...header,
        };
  const input = `${encode(head)}.${encode(typeof claims === "string" ? claims : { ...right, ...claims })}`;
  return `${input}.${sign("SHA256", Buffer.from(input), key.asymmetricKeyType === "rsa" ? key : { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

function ready(): Bench {
  const made = bench();
  expect(made.gate.takeManifest(made.manifest(1))).toMatchObject({ kind: "accepted" });
  return made;
}

describe("an assertion (R-G4, R-K5)", () => {
  test("by a key of the manifest lets the stream through, ES256 and RS256", () => {
    const { clock, check } = ready();
    expect(check(token(clock))).toMatchObject({ kind: "allowed", claims: { kind: "person", subject: "corp|1" } });
    expect(check(token(clock, { key: rsa.privateKey }))).toMatchObject({ kind: "allowed" });
  });

  test("of a bypass lets the stream through, about nobody", () => {
    const { clock, check } = ready();
    expect(check(token(clock, { claims: { kind: "bypass", sub: undefined, email: "root@example.com", groups: ["root"] } }))).toMatchObject({
      kind: "allowed",
      claims: { kind: "bypass", subject: "", email: undefined, groups: [] },
    });
  });

  const seconds = (clock: ManualClock): number => Math.floor(clock.now() / 1_000);
  test.each<[string, (clock: ManualClock) => string | undefined, string]>([
    ["that is missing", () => undefined, "no assertion"],
    ["for another service", (clock) => token(clock, { claims: { service: "grafana" } }), "another service"],
    ["for another tunnel", (clock) => token(clock, { claims: { tunnel: "home" } }), "another tunnel"],
    ["of another relay", (clock) => token(clock, { claims: { iss: "https://auth.example.com/" } }), "another relay"],
    ["by a key outside of the manifest", (clock) => token(clock, { key: otherEc.privateKey }), "does not verify"],
    ["with an unknown kid", (clock) => token(clock, { header: { kid: "__proto__" } }), "unknown key"],
    ["without kid", (clock) => token(clock, { header: { kid: undefined } }), "unknown key"],
    ["with alg none", (clock) => token(clock, { header: { alg: "none" } }), "another algorithm"],
    ["with HS256", (clock) => token(clock, { header: { alg: "HS256" } }), "another algorithm"],
    ["with the other key's algorithm", (clock) => token(clock, { header: { kid: "r1" } }), "another algorithm"],
    ["of another type", (clock) => token(clock, { header: { typ: "JWT" } }), "another type"],
    ["with crit", (clock) => token(clock, { header: { crit: ["x"] } }), "another type"],
    ["with an embedded key", (clock) => token(clock, { header: { jwk: ec.publicKey.export({ format: "jwk" }) } }), "another type"],
    [
      "with a header member twice",
      (clock) => token(clock, { header: '{"alg":"ES256","typ":"sallyport-assertion+jwt","kid":"x","kid":"k1"}' }),
      "another type",
    ],
    ["with a claim twice", (clock) => token(clock, { claims: '{"service":"x","service":"wiki"}' }), "lacks a claim"],
    ["without exp", (clock) => token(clock, { claims: { exp: undefined } }), "lacks a claim"],
    ["with exp as text", (clock) => token(clock, { claims: { exp: String(seconds(clock) + 60) } }), "lacks a claim"],
    ["with exp beyond five minutes", (clock) => token(clock, { claims: { exp: seconds(clock) + 301 } }), "lacks a claim"],
    ["with negative iat", (clock) => token(clock, { claims: { iat: -1 } }), "lacks a claim"],
    ["without jti", (clock) => token(clock, { claims: { jti: undefined } }), "lacks a claim"],
    ["with aud as a list", (clock) => token(clock, { claims: { aud: ["https://wiki.example.com/"] } }), "lacks a claim"],
    ["of an unknown kind", (clock) => token(clock, { claims: { kind: "admin" } }), "lacks a claim"],
    ["of a person without sub", (clock) => token(clock, { claims: { sub: undefined } }), "lacks a claim"],
    [
      "from the future",
      (clock) => token(clock, { claims: { iat: seconds(clock) + 60, nbf: seconds(clock) + 60, exp: seconds(clock) + 120 } }),
      "not valid yet",
    ],
    ["that is no JWS", () => "a.b", "malformed"],
    ["without signature", (clock) => `${token(clock).split(".").slice(0, 2).join(".")}.`, "malformed"],
    ["beyond 8 KiB", (clock) => token(clock, { claims: { pad: "x".repeat(8_192) } }), "malformed"],
  ])("%s is refused", (_name, make, reason) => {
    const { clock, check } = ready();
    const made = make(clock);
    const verdict = check(made);
    expect(verdict).toMatchObject({ kind: "refused", reason: expect.stringContaining(reason) });
    if (made !== undefined) expect(JSON.stringify(verdict)).not.toContain(made);
  });

  test("every changed byte of the signature is noticed", () => {
    const { clock, check } = ready();
    const good = token(clock);
    const at = good.lastIndexOf(".") + 5;
    const changed = good.slice(0, at) + (good[at] === "A" ? "B" : "A") + good.slice(at + 1);
    expect(check(changed).kind).toBe("refused");
  });

  test("is judged by time and service at each use, also when its signature is known", () => {
    const { clock, check } = ready();
    const good = token(clock);
    expect(check(good).kind).toBe("allowed");
    expect(check(good, "grafana").kind).toBe("refused");
    clock.advance(300_000 + 29_000);
    expect(check(good).kind).toBe("allowed");
    clock.advance(1_000);
    expect(check(good)).toEqual({ kind: "refused", reason: "assertion expired" });
  });
});

describe("the assertion of the Cloudflare Access contract", () => {
  const EMAIL = "ann@example.com";
  const person = (clock: ManualClock): string => token(clock, { claims: { email: EMAIL } });
  const theirs = (clock: ManualClock, { claims = {}, header = {}, key = rsa.privateKey }: Changed = {}): string =>
    token(clock, {
      header: { alg: "RS256", typ: "JWT", kid: "r1", ...header },
      claims: { type: "app", email: EMAIL, sub: accessSubject("corp|1"), ...claims },
      key,
    });
  const head = (access: string, email: string | null = EMAIL, cookie: string = access): string[] => [
    ...["Cookie", `a=1; CF_Authorization=${cookie}`, "Cf-Access-Jwt-Assertion", access],
    ...(email === null ? [] : ["Cf-Access-Authenticated-User-Email", email]),
  ];
  interface Changed {
    readonly claims?: Readonly<Record<string, unknown>>;
    readonly header?: Readonly<Record<string, unknown>>;
    readonly key?: KeyObject;
  }

  test("passes by a key of the manifest, about the person of ours; and about a program", () => {
    const { clock, check } = ready();
    expect(check(person(clock), "wiki", head(theirs(clock))).kind).toBe("allowed");
    const program = token(clock, { claims: { kind: "service", sub: "st_1" } });
    const named = theirs(clock, { claims: { common_name: "st_1", sub: "", email: undefined } });
    expect(check(program, "wiki", head(named, null)).kind).toBe("allowed");
    const international = token(clock, { claims: { email: "jürgen@example.com" } });
    const encoded = head(theirs(clock, { claims: { email: "jürgen@example.com" } }), "j%C3%BCrgen@example.com");
    expect(check(international, "wiki", encoded).kind).toBe("allowed");
  });

  const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
  test.each<[string, (clock: ManualClock) => string[], string]>([
    ["by a key outside of the manifest", (clock) => head(theirs(clock, { key: other.privateKey })), "does not verify"],
    ["with an unknown kid", (clock) => head(theirs(clock, { header: { kid: "r2" } })), "does not verify"],
    ["with alg none", (clock) => head(theirs(clock, { header: { alg: "none" } })), "does not verify"],
    ["that is ours", (clock) => head(person(clock)), "does not verify"],
    ["that is nonsense", () => head("forged"), "does not verify"],
    ["of another type of login", (clock) => head(theirs(clock, { claims: { type: "org" } })), "does not verify"],
    ["that lives an hour", (clock) => head(theirs(clock, { claims: { exp: Math.floor(clock.now() / 1_000) + 3_600 } })), "does not verify"],
    ["of another relay", (clock) => head(theirs(clock, { claims: { iss: "https://evil.example" } })), "another relay"],
    ["about another email", (clock) => head(theirs(clock, { claims: { email: "root@example.com" } })), "somebody else"],
    ["about another subject", (clock) => head(theirs(clock, { claims: { sub: accessSubject("corp|2") } })), "somebody else"],
    ["about a program", (clock) => head(theirs(clock, { claims: { common_name: "st_1" } })), "somebody else"],
    ["with another email in the clear", (clock) => head(theirs(clock), "root@example.com"), "somebody else"],
    ["with an email in the clear that does not decode", (clock) => head(theirs(clock), "%E0%A4%A"), "somebody else"],
    ["without the email in the clear", (clock) => head(theirs(clock), null), "somebody else"],
    ["with another cookie", (clock) => head(theirs(clock), EMAIL, "forged"), "contradict"],
    ["with a second cookie", (clock) => [...head(theirs(clock)), "cookie", "CF_Authorization=forged"], "contradict"],
    ["without its cookie", (clock) => head(theirs(clock)).slice(2), "contradict"],
    ["twice", (clock) => [...head(theirs(clock)), "cf-access-jwt-assertion", "forged"], "contradict"],
    ["with a copy in another spelling", (clock) => [...head(theirs(clock)), "Cf_Access_Jwt_Assertion", "forged"], "contradict"],
    ["that is a cookie alone", () => ["Cookie", "CF_Authorization=forged"], "contradict"],
    ["that is a cookie of another spelling alone", () => ["Cookie", "cf_authorization=forged"], "contradict"],
    ["that is an email alone", () => ["Cf-Access-Authenticated-User-Email", EMAIL], "contradict"],
  ])("%s is refused beside a good one of ours", (_name, fields, reason) => {
    const { clock, check } = ready();
    expect(check(person(clock), "wiki", fields(clock))).toEqual({ kind: "refused", reason: expect.stringContaining(reason) });
  });

  test("is refused for nobody, is judged by time at each use, and ends with its key", () => {
    const { clock, check, gate, manifest } = ready();
    expect(check(token(clock, { claims: { kind: "bypass", sub: undefined } }), "wiki", head(theirs(clock))).kind).toBe("refused");
    const access = theirs(clock);
    clock.advance(200_000);
    expect(check(person(clock), "wiki", head(access)).kind).toBe("allowed");
    clock.advance(130_000);
    expect(check(person(clock), "wiki", head(access))).toEqual({ kind: "refused", reason: "Access assertion expired" });
    const fresh = theirs(clock);
    expect(check(person(clock), "wiki", head(fresh)).kind).toBe("allowed");
    gate.takeManifest(manifest(2, { keys: [jwk(ec.publicKey, "k1")] }));
    expect(check(person(clock), "wiki", head(fresh))).toEqual({ kind: "refused", reason: "Access assertion does not verify" });
  });
});

describe("the key manifest (R-K5)", () => {
  test("is needed: without one everything is refused", () => {
    const { clock, check } = bench();
    expect(check(token(clock))).toEqual({ kind: "refused", reason: "no valid key manifest" });
  });

  test("that has expired counts as none", () => {
    const { clock, check } = ready();
    clock.advance(MANIFEST_LIFETIME_MS);
    expect(check(token(clock))).toEqual({ kind: "refused", reason: "no valid key manifest" });
  });

  test("by another root is refused, and what was known stays", () => {
    const { clock, check, gate, manifest } = ready();
    const { privateKey: stranger } = generateTunnelKeyPair();
    expect(gate.takeManifest(manifest(2, { root: stranger, keys: [jwk(otherEc.publicKey, "k1")] }))).toMatchObject({
      kind: "refused",
      problem: expect.stringContaining("root key"),
    });
    expect(check(token(clock)).kind).toBe("allowed");
  });

  test("that withdraws a key ends tokens that were verified with it", () => {
    const { clock, check, gate, manifest } = ready();
    const good = token(clock);
    expect(check(good).kind).toBe("allowed");
    gate.takeManifest(manifest(2, { keys: [jwk(otherEc.publicKey, "k2")] }));
    expect(check(good)).toEqual({ kind: "refused", reason: "assertion by an unknown key" });
  });

  test("of a lower version is refused, the same version is taken again", () => {
    const { gate, manifest } = ready();
    gate.takeManifest(manifest(5));
    expect(gate.takeManifest(manifest(4))).toMatchObject({ kind: "refused", problem: expect.stringContaining("older") });
    expect(gate.takeManifest(manifest(5)).kind).toBe("accepted");
  });

  test("a new root is believed once the old one named it, and the old one no more", () => {
    const { gate, manifest, root } = ready();
    const { privateKey: next, publicKey: nextRoot } = generateTunnelKeyPair();
    expect(gate.takeManifest(manifest(2, { root: next })).kind).toBe("refused");
    gate.takeManifest(manifest(2, { nextRoot }));
    expect(gate.takeManifest(manifest(3, { root: next })).kind).toBe("accepted");
    expect(gate.takeManifest(manifest(4, { root })).kind).toBe("refused");
  });
});

describe("the record beside the credential", () => {
  test("keeps the version over a restart, for its owner alone to read", () => {
    const path = join(folder, "office.credential");
    const first = bench((credential, clock) => createGate(credential, path, clock));
    first.gate.takeManifest(first.manifest(7));
    expect(statSync(`${path}.keys`).mode & 0o777).toBe(0o600);
    const again = createGate(first.credential, path, first.clock);
    expect(again.takeManifest(first.manifest(6))).toMatchObject({ kind: "refused", problem: expect.stringContaining("older") });
    expect(again.takeManifest(first.manifest(7)).kind).toBe("accepted");
    expect(readFileSync(`${path}.keys`, "utf8")).not.toContain("privateKey");
  });

  test("of another relay's credential at the same path says nothing", () => {
    const path = join(folder, "reused.credential");
    const first = bench((credential, clock) => createGate(credential, path, clock));
    first.gate.takeManifest(first.manifest(7));
    const second = bench((credential, clock) => createGate(credential, path, clock));
    expect(second.gate.takeManifest(second.manifest(1)).kind).toBe("accepted");
  });

  test("that is damaged stops the start instead of forgetting", () => {
    const path = join(folder, "damaged.credential");
    writeFileSync(`${path}.keys`, "{");
    const { credential, clock } = bench();
    expect(() => createGate(credential, path, clock)).toThrow();
  });

  test("that others can write stops the start, with the command that repairs it (R-J4)", () => {
    const path = join(folder, "open.credential");
    writeFileSync(`${path}.keys`, "{}");
    chmodSync(`${path}.keys`, 0o664);
    const { credential, clock } = bench();
    expect(() => createGate(credential, path, clock)).toThrow(/chmod 600 .*open\.credential\.keys/);
  });

  test("that cannot be written is a warning: the keys are good, the memory is not", () => {
    const { gate, manifest } = bench((credential, clock) => createGate(credential, join(folder, "absent", "c"), clock));
    expect(gate.takeManifest(manifest(1))).toMatchObject({ kind: "accepted", warning: expect.stringContaining("ENOENT") });
  });
});
