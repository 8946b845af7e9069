// The relay's keys: the root that connectors pin, the keys that sign assertions, application tokens and records, and
// secrets derived from one master secret. Read from memory; a change is stored first. Private keys lie in the state
// database (0600 in a 0700 folder), not encrypted further: whoever reads that folder is the relay.

import { hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { rawPublicKey } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import type { ManifestJwk } from "@sallyport/shared/key-manifest";
import type { Database } from "./database.ts";
import { readFact, writeFact } from "./facts.ts";
import { deleteKey, forgetPrivateKey, generateKey, type KeyPurpose, type KeyRecord, loadKeys, saveKey } from "./key-rows.ts";
import { activeKey, expiredKeys, planRotation, publishedKeys, rotationDue } from "./key-schedule.ts";
import { createListeners, type Unsubscribe } from "./listeners.ts";
import {
  adoptable,
  MANIFEST_RENEWAL_MS,
  planManifest,
  publicJwk,
  readManifest,
  requestSignature,
  type SignedManifest,
  signWithRoot,
} from "./manifest.ts";

/** Purposes that rotate. */
export type RotatingPurpose = "assertion" | "token" | "access";
const ROTATING: readonly RotatingPurpose[] = ["assertion", "token"];
/** Made when an application needs it first, and rotated from then on. */
const ON_DEMAND: readonly RotatingPurpose[] = ["access"];

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface KeyRotation {
  readonly key: KeyRecord;
  /** What the offline root has to sign before connectors learn of the change; undefined with the root here. */
  readonly toSign: string | undefined;
}

export interface KeyStore {
  /** Raw public root key: goes into each credential file. */
  readonly rootPublicKey: Uint8Array;
  /** False when the private root key is kept elsewhere. */
  readonly rootOnline: boolean;
  /** All keys, for listing. */
  list(): readonly KeyRecord[];
  /** The key that signs now. What connectors verify (assertion, access) is always signed by one that the current manifest names. */
  signingKey(purpose: RotatingPurpose | "record"): SigningKey;
  /** Keys that verify now, by kid: the fixed map of R-G2. */
  verificationKeys(purpose: RotatingPurpose): ReadonlyMap<string, KeyObject>;
  /** Makes the first key of a purpose that not every relay needs. Idempotent. */
  ensure(purpose: "access"): void;
  /** Keys that verifiers are told about now. */
  published(purpose: RotatingPurpose): readonly KeyRecord[];
  /** Public record keys, past ones too: what signed the batches of the record. */
  recordKeys(): readonly KeyObject[];
  /** The JWK set (RFC 7517 section 5) of what origins verify. Cache it for at most JWKS_MAX_AGE_SECONDS. */
  jwks(): { readonly keys: readonly ManifestJwk[] };
  /** `bytes` (default 32) of key material that no other purpose gets (HKDF-SHA256, RFC 5869). */
  secret(purpose: string, bytes?: number): Uint8Array;
  /** The signed manifest for KEYS; undefined until an offline root has signed the first one. */
  currentManifest(): Uint8Array | undefined;
  rotate(purpose: RotatingPurpose): KeyRotation;
  /** Ends a key at once; its successor signs at once. Undefined when there is no such key that could still be used. */
  revoke(kid: string): KeyRotation | undefined;
  /** What the offline root has to sign; undefined when the manifest is up to date or the root is here. */
  manifestToSign(): string | undefined;
  /** Takes a manifest that the offline root signed. @throws ERR_KEYS_MANIFEST */
  adoptManifest(token: string): void;
  /** The private root key, for writing it elsewhere before {@link takeRootOffline}. @throws ERR_KEYS_ROOT when it is not here. */
  exportRoot(): KeyObject;
  /** Removes the private root key from the state and returns it. @throws ERR_KEYS_ROOT when it is not here. */
  takeRootOffline(): KeyObject;
  /** Rotates what is due, renews the manifest, deletes what nothing needs. Called by the state every hour. */
  maintain(): void;
  /** After any change of keys or manifest. */
  onChanged(listener: () => void): Unsubscribe;
}

/** How long the choice of a signing key stands: less than any step of the schedule, which is made of hours. */
const CHOICE_MS = 1_000;

interface Choice {
  readonly key: SigningKey;
  /** What it was chosen from. */
  readonly keys: readonly KeyRecord[];
  readonly manifest: SignedManifest | undefined;
  readonly atMs: number;
}

export function createKeyStore(db: Database, clock: Clock): KeyStore {
  const master = ensureMasterSecret(db);
  let keys: readonly KeyRecord[] = loadKeys(db);
  let manifest: SignedManifest | undefined;
  const changed = createListeners<void>();
  const chosen = new Map<RotatingPurpose | "record", Choice>();

  function root(): KeyRecord {
    const key = keys.find((candidate) => candidate.purpose === "root" && candidate.revokedAt === undefined);
    if (key === undefined) throw new SallyportError("ERR_STATE_CORRUPT", "The state holds no root key; restore a backup.");
    return key;
  }

  /** Stores keys and, with the root here, the manifest that follows from them, in one transaction; then memory. */
  function commit(changes: readonly KeyRecord[], removed: readonly KeyRecord[] = []): void {
    const next = merge(keys, changes, removed);
    const signed = nextManifest(next);
    db.write(() => {
      for (const key of changes) saveKey(db, key);
      for (const key of removed) deleteKey(db, key.kid);
      if (signed !== undefined) writeFact(db, "manifest", Buffer.from(signed.token, "latin1"));
    });
    keys = next;
    manifest = signed ?? manifest;
    changed.notify();
  }

  function nextManifest(next: readonly KeyRecord[]): SignedManifest | undefined {
    const rootKey = next.find((key) => key.purpose === "root")?.privateKey;
    const now = clock.now();
    if (rootKey === undefined || upToDate(manifest, next, now)) return undefined;
    return signWithRoot(planManifest(manifestKeys(next, now), manifest?.version ?? 0, now), rootKey);
  }

  function chooseSigningKey(purpose: RotatingPurpose | "record", now: number): SigningKey {
    const known = manifest;
    const verified = purpose === "assertion" || purpose === "access";
    const usable = verified && known !== undefined ? keys.filter((key) => known.kids.has(key.kid)) : keys;
    const key = activeKey(usable, purpose, now);
    if (key?.privateKey === undefined) {
      throw new SallyportError(
        "ERR_KEYS_NONE",
        `No ${purpose} key can sign. Run \`sallyport-relay keys rotate\`, and have the offline root sign the manifest.`,
      );
    }
    return { kid: key.kid, privateKey: key.privateKey, publicKey: key.publicKey };
  }

  function rotation(key: KeyRecord): KeyRotation {
    return { key, toSign: store.manifestToSign() };
  }

  const store: KeyStore = {
    get rootPublicKey() {
      return rawPublicKey(root().publicKey);
    },
    get rootOnline() {
      return root().privateKey !== undefined;
    },
    list: () => keys,

    signingKey(purpose) {
      const now = clock.now();
      const before = chosen.get(purpose);
      // Asked on every request. A clock that was set back asks anew.
      if (before?.keys === keys && before.manifest === manifest && now >= before.atMs && now < before.atMs + CHOICE_MS) return before.key;
      const key = chooseSigningKey(purpose, now);
      chosen.set(purpose, { key, keys, manifest, atMs: now });
      return key;
    },

    verificationKeys: (purpose) => new Map(publishedKeys(keys, purpose, clock.now()).map((key) => [key.kid, key.publicKey])),
    ensure(purpose) {
      const now = clock.now();
      if (activeKey(keys, purpose, now) === undefined) commit([generateKey(purpose, now, now)]);
    },
    published: (purpose) => publishedKeys(keys, purpose, clock.now()),
    recordKeys: () => keys.filter((key) => key.purpose === "record").map((key) => key.publicKey),
    jwks: () => ({ keys: publishedKeys(keys, "assertion", clock.now()).map(publicJwk) }),
    secret: (purpose, length = 32) => new Uint8Array(hkdfSync("sha256", master, new Uint8Array(0), `sallyport ${purpose}`, length)),
    currentManifest: () => (manifest === undefined ? undefined : new Uint8Array(Buffer.from(manifest.token, "latin1"))),

    rotate(purpose) {
      const plan = planRotation(keys, purpose, clock.now(), false);
      commit(plan);
      return rotation(plan[0] as KeyRecord);
    },

    revoke(kid) {
      const now = clock.now();
      const key = keys.find((candidate) => candidate.kid === kid && candidate.revokedAt === undefined);
      if (key === undefined || key.purpose === "root" || key.purpose === "record") return undefined;
      const revoked = { ...key, revokedAt: now };
      const remaining = merge(keys, [revoked], []);
      const signs = activeKey(keys, key.purpose, now)?.kid === kid;
      commit(signs ? [revoked, ...planRotation(remaining, key.purpose, now, true)] : [revoked]);
      return rotation(revoked);
    },

    manifestToSign() {
      const now = clock.now();
      if (root().privateKey !== undefined || upToDate(manifest, keys, now)) return undefined;
      return requestSignature(planManifest(manifestKeys(keys, now), manifest?.version ?? 0, now), root());
    },

    adoptManifest(token) {
      const adopted = adoptable(token, root(), manifest?.version ?? 0, clock.now());
      db.write(() => writeFact(db, "manifest", Buffer.from(token, "latin1")));
      manifest = adopted;
      changed.notify();
    },

    exportRoot() {
      const secret = root().privateKey;
      if (secret === undefined)
        throw new SallyportError("ERR_KEYS_ROOT", "The private root key is not in this state; it is offline already.");
      return secret;
    },

    takeRootOffline() {
      const key = root();
      const secret = store.exportRoot();
      db.write(() => forgetPrivateKey(db, key.kid));
      db.scrub();
      keys = keys.map((candidate) => (candidate.kid === key.kid ? { ...candidate, privateKey: undefined } : candidate));
      return secret;
    },

    maintain() {
      const now = clock.now();
      const changes = rotating()
        .filter((purpose) => rotationDue(keys, purpose, now))
        .flatMap((purpose) => [
          // With nothing that could sign there is nobody to wait for.
          ...planRotation(keys, purpose, now, activeKey(keys, purpose, now) === undefined),
        ]);
      const removed = expiredKeys(keys, now);
      if (changes.length > 0 || removed.length > 0 || nextManifest(keys) !== undefined) commit(changes, removed);
    },

    onChanged: (listener) => changed.add(listener),
  };

  start();
  return store;

  function rotating(): readonly RotatingPurpose[] {
    return [...ROTATING, ...ON_DEMAND.filter((purpose) => keys.some((key) => key.purpose === purpose))];
  }

  /** First start: root, record, assertion and token keys and the first manifest in one transaction. Later: what is due. */
  function start(): void {
    const now = clock.now();
    const missing = (["root", "record"] as const).filter((purpose) => !keys.some((key) => key.purpose === purpose && usable(key)));
    const first = missing.map((purpose) => generateKey(purpose, now, now));
    if (!missing.includes("root")) manifest = storedManifest(db, root());
    if (first.length > 0) {
      const rotating = ROTATING.filter((purpose) => activeKey(keys, purpose, now) === undefined);
      commit([...first, ...rotating.map((purpose) => generateKey(purpose, now, now))]);
    }
    store.maintain();
  }
}

// A root without its private half is an offline one; a record key without it is from a backup without keys.
function usable(key: KeyRecord): boolean {
  return key.purpose === "root" || key.privateKey !== undefined;
}

/** What connectors are told about: everything whose signatures they verify. */
function manifestKeys(keys: readonly KeyRecord[], now: number): readonly KeyRecord[] {
  return [...publishedKeys(keys, "assertion", now), ...publishedKeys(keys, "access", now)];
}

function upToDate(manifest: SignedManifest | undefined, keys: readonly KeyRecord[], now: number): boolean {
  if (manifest === undefined || now >= manifest.issuedAt + MANIFEST_RENEWAL_MS) return false;
  const published = manifestKeys(keys, now);
  return published.length === manifest.kids.size && published.every((key) => manifest.kids.has(key.kid));
}

function merge(keys: readonly KeyRecord[], changes: readonly KeyRecord[], removed: readonly KeyRecord[]): KeyRecord[] {
  const byKid = new Map(keys.map((key) => [key.kid, key]));
  for (const key of changes) byKid.set(key.kid, key);
  for (const key of removed) byKid.delete(key.kid);
  return [...byKid.values()];
}

function storedManifest(db: Database, root: KeyRecord): SignedManifest | undefined {
  const stored = readFact(db, "manifest");
  return stored === undefined ? undefined : readManifest(Buffer.from(stored).toString("latin1"), root);
}

function ensureMasterSecret(db: Database): Uint8Array {
  const stored = readFact(db, "master-secret");
  if (stored !== undefined) return stored;
  const fresh = new Uint8Array(randomBytes(32));
  db.write(() => writeFact(db, "master-secret", fresh));
  return fresh;
}

export type { KeyPurpose, KeyRecord };
