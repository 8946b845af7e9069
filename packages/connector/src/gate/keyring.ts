// The keys that may sign assertions: those of the newest manifest that the pinned root (or a root it named as its
// follower) signed. The highest version seen is kept beside the credential, so that a restart cannot be used to bring
// back a key that was withdrawn (R-K5).

import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/errors";
import { repairOf } from "@sallyport/shared/file-modes";
import { type ManifestKey, type ManifestProblem, type ManifestResult, verifyManifest } from "@sallyport/shared/key-manifest";
import type { ManifestVerdict } from "./gate.ts";

/** What outlives a restart. Keys in base64url. */
export interface KeyRecord {
  /** The root of the credential this was recorded for: a record of another one says nothing. */
  readonly pinned: string;
  readonly version: number;
  /** The root in force, when it is no longer the credential's. */
  readonly root: string | undefined;
  /** The follower that the newest manifest named. */
  readonly nextRoot: string | undefined;
}

export interface KeyState {
  /** Undefined when nothing was saved yet. @throws when there is something that cannot be read. */
  load(): KeyRecord | undefined;
  /** @throws when it cannot be written */
  save(record: KeyRecord): void;
}

const GROUP_OR_OTHERS_WRITE = 0o022;

interface Accepted {
  readonly keys: ReadonlyMap<string, ManifestKey>;
  readonly expiresAt: number;
}

const PROBLEM_WORDS: Readonly<Record<ManifestProblem, string>> = {
  malformed: "it is malformed",
  type: "it was not signed by the root key in the credential: this is another relay, or its root was replaced without the old one's signature",
  signature: "its signature does not verify",
  expired: "it has expired: the relay's operator must sign a new one (`sallyport-relay keys rotate`)",
  "not-yet-valid": "it is from the future: compare the clocks of relay and connector",
  "rolled-back": "it is older than one that was accepted before",
};

export class Keyring {
  readonly #state: KeyState;
  readonly #pinned: string;
  #root: Uint8Array;
  #nextRoot: Uint8Array | undefined;
  #version: number;
  #accepted: Accepted | undefined;

  /** @param pinnedRoot raw Ed25519 key of the credential. @throws when the saved state cannot be read (fail closed) */
  constructor(pinnedRoot: Uint8Array, state: KeyState) {
    const record = state.load();
    this.#state = state;
    this.#pinned = text(pinnedRoot);
    const saved = record?.pinned === this.#pinned ? record : undefined;
    this.#root = saved?.root === undefined ? pinnedRoot : bytes(saved.root);
    this.#nextRoot = saved?.nextRoot === undefined ? undefined : bytes(saved.nextRoot);
    this.#version = saved?.version ?? 0;
  }

  /** The keys in force; undefined when there is no manifest or it has expired. */
  keys(nowMs: number): ReadonlyMap<string, ManifestKey> | undefined {
    return this.#accepted !== undefined && this.#accepted.expiresAt > nowMs ? this.#accepted.keys : undefined;
  }

  take(token: string, nowMs: number): ManifestVerdict {
    let root = this.#root;
    let result = verifyManifest(token, root, nowMs, this.#version);
    if (isOtherRoot(result) && this.#nextRoot !== undefined) {
      root = this.#nextRoot;
      result = verifyManifest(token, root, nowMs, this.#version);
    }
    if (result.kind === "invalid") return { kind: "refused", problem: PROBLEM_WORDS[result.problem] };
    const { manifest, keys } = result;
    const changed = manifest.version !== this.#version || root !== this.#root;
    this.#accepted = { keys, expiresAt: manifest.expiresAt };
    this.#root = root;
    this.#nextRoot = manifest.nextRoot;
    this.#version = manifest.version;
    const warning = changed ? this.#save() : undefined;
    return { kind: "accepted", version: manifest.version, ...(warning === undefined ? {} : { warning }) };
  }

  #save(): string | undefined {
    try {
      this.#state.save({
        pinned: this.#pinned,
        version: this.#version,
        root: text(this.#root),
        nextRoot: this.#nextRoot === undefined ? undefined : text(this.#nextRoot),
      });
      return undefined;
    } catch (error) {
      return `the version of the key manifest cannot be kept (${(error as NodeJS.ErrnoException).code ?? "unknown"}): after a restart an older manifest would be accepted`;
    }
  }
}

// A manifest's header names its root; verifyManifest compares it as a whole.
function isOtherRoot(result: ManifestResult): boolean {
  return result.kind === "invalid" && result.problem === "type";
}

/** For a credential that came from the environment: there is no "beside". */
export class MemoryKeyState implements KeyState {
  #record: KeyRecord | undefined;

  load(): KeyRecord | undefined {
    return this.#record;
  }

  save(record: KeyRecord): void {
    this.#record = record;
  }
}

/** A small JSON file, replaced atomically, mode 0600. */
export class FileKeyState implements KeyState {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  load(): KeyRecord | undefined {
    let content: string;
    try {
      // Who can write it can have an older manifest accepted again (R-J4).
      const { mode } = statSync(this.#path);
      if ((mode & GROUP_OR_OTHERS_WRITE) !== 0)
        throw new SallyportError("ERR_KEY_STATE", `${this.#path} can be changed by other users. Run: ${repairOf(this.#path, "owner")}`);
      content = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const { pinned, version, root, nextRoot } = JSON.parse(content) as Partial<Record<keyof KeyRecord, unknown>>;
    if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 0) throw new TypeError("version");
    if (typeof pinned !== "string") throw new TypeError("pinned");
    return { pinned, version, root: optionalKey(root), nextRoot: optionalKey(nextRoot) };
  }

  save(record: KeyRecord): void {
    const temporary = `${this.#path}.new`;
    writeFileSync(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
  }
}

function optionalKey(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || bytes(value).length !== 32) throw new TypeError("root key");
  return value;
}

function bytes(encoded: string): Uint8Array {
  return new Uint8Array(Buffer.from(encoded, "base64url"));
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString("base64url");
}
