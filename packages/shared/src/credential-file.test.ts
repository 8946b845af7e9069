import { sign, verify } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  ed25519PublicKey,
  generateTunnelKeyPair,
  MAX_CREDENTIAL_FILE_BYTES,
  parseCredentialFile,
  rawPublicKey,
  relayOrigin,
  serializeCredentialFile,
  type TunnelCredential,
} from "./credential-file.ts";

const pair = generateTunnelKeyPair();
const credential: TunnelCredential = {
  relayUrl: "https://auth.example.com",
  tunnel: "office",
  credentialId: `cred_${"A".repeat(22)}`,
  privateKey: pair.privateKey,
  rootKey: generateTunnelKeyPair().publicKey,
};
const members = JSON.parse(serializeCredentialFile(credential)) as Record<string, unknown>;

describe("a credential file", () => {
  test("is read back as it was written, with a key that signs for the stored public key", () => {
    const result = parseCredentialFile(serializeCredentialFile(credential));
    if (result.kind !== "valid") throw new Error(result.problem);
    const read = result.credential;
    expect({ ...read, privateKey: undefined }).toEqual({ ...credential, privateKey: undefined });
    expect(rawPublicKey(read.privateKey)).toEqual(pair.publicKey);
    const message = Buffer.from("proof");
    expect(verify(null, message, ed25519PublicKey(pair.publicKey), sign(null, message, read.privateKey))).toBe(true);
  });

  test("keeps its private key out of what is printed", () => {
    const seed = members["privateKey"] as string;
    expect(inspect(credential, { depth: 9 })).not.toContain(seed);
    expect(JSON.stringify(credential)).not.toContain(seed);
  });

  const wrong: ReadonlyArray<readonly [string, unknown]> = [
    ["an unknown member", { ...members, extra: 1 }],
    ["another version", { ...members, version: 2 }],
    ["no version", { ...members, version: undefined }],
    ["a relay over plain http", { ...members, relay: "http://auth.example.com" }],
    ["a relay with a path", { ...members, relay: "https://auth.example.com/x" }],
    ["a relay with user information", { ...members, relay: "https://u:p@auth.example.com" }],
    ["a tunnel name with a line break", { ...members, tunnel: "office\n" }],
    ["a credential id of another shape", { ...members, credentialId: "cred_1" }],
    ["a short private key", { ...members, privateKey: "AAAA" }],
    ["a private key with spare bits set", { ...members, privateKey: `${"A".repeat(42)}B` }],
    ["a missing root key", { ...members, rootKey: undefined }],
    ["an array", []],
    ["null", null],
  ];
  test.each(wrong)("with %s is refused", (_name, value) => {
    const result = parseCredentialFile(JSON.stringify(value));
    expect(result.kind).toBe("invalid");
    if (result.kind === "invalid") expect(result.problem).not.toContain(members["privateKey"]);
  });

  test("that is not JSON, or too large, is refused", () => {
    expect(parseCredentialFile("version: 1").kind).toBe("invalid");
    expect(parseCredentialFile(" ".repeat(MAX_CREDENTIAL_FILE_BYTES) + serializeCredentialFile(credential)).kind).toBe("invalid");
  });
});

test("a relay URL may be http on loopback only, and is made canonical", () => {
  expect(relayOrigin("http://auth.relay.localhost:8080")).toBe("http://auth.relay.localhost:8080");
  expect(relayOrigin("http://127.0.0.1:8080/")).toBe("http://127.0.0.1:8080");
  expect(relayOrigin("http://[::1]:1")).toBe("http://[::1]:1");
  expect(relayOrigin("https://AUTH.example.com:443")).toBe("https://auth.example.com");
  expect(relayOrigin("http://127.0.0.1.example.com")).toBeUndefined();
  expect(relayOrigin("http://evil-localhost")).toBeUndefined();
  expect(relayOrigin("ftp://auth.example.com")).toBeUndefined();
});
