import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateTunnelKeyPair } from "@sallyport/shared/credential-file";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isSealed, packBackup, restoreBackup } from "./backup.ts";
import { openState, type State } from "./state.ts";

const PASSPHRASE = "correct horse battery";
let base: string;
let folder: string;
let other: string;
let copy: string;
const open: State[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "sallyport-backup-"));
  [folder, other, copy] = [join(base, "one"), join(base, "two"), join(base, "copy.db")];
});
afterEach(() => {
  for (const state of open.splice(0)) state.close();
  rmSync(base, { recursive: true });
});

function opened(path: string): State {
  const state = openState({ folder: path, lockWaitMs: 0 });
  open.push(state);
  return state;
}

/** A state with a credential; what identifies it, and a copy of it on the disk. */
function prepared() {
  const state = opened(folder);
  const { id } = state.credentials.create({ tunnel: "office", publicKey: generateTunnelKeyPair().publicKey, label: "" });
  state.copyTo(copy);
  return { state, id, root: state.keys.rootPublicKey, kid: state.keys.signingKey("token").kid, secret: state.keys.secret("x") };
}

const code = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "nothing thrown";
};

test("a sealed backup restores everything, keys included, while the relay it came from goes on", () => {
  const { id, root, kid, secret } = prepared();
  const backup = packBackup(copy, PASSPHRASE);
  expect(isSealed(backup)).toBe(true);
  expect(restoreBackup(other, backup, PASSPHRASE, false)).toEqual({ withKeys: true, credentials: 1, serviceTokens: 0 });
  const restored = opened(other);
  expect(restored.credentials.get(id)).toBeDefined();
  expect([restored.keys.rootPublicKey, restored.keys.signingKey("token").kid, restored.keys.secret("x")]).toEqual([root, kid, secret]);
  expect(statSync(join(other, "state.db")).mode & 0o777).toBe(0o600);
});

test("a backup without passphrase holds no private key and no secret, in no corner of the file", () => {
  const { state, id, root } = prepared();
  const backup = packBackup(copy, undefined);
  const stripped = readFileSync(copy);
  for (const key of state.keys.list()) {
    const secret = key.privateKey?.export({ format: "der", type: "pkcs8" }).subarray(-32) ?? Buffer.alloc(0);
    expect(stripped.includes(secret)).toBe(false);
  }
  expect(restoreBackup(other, backup, undefined, false)).toEqual({ withKeys: false, credentials: 1, serviceTokens: 0 });
  const restored = opened(other);
  expect(restored.credentials.get(id)).toBeDefined();
  expect(restored.keys.rootPublicKey).not.toEqual(root);
});

test("a copy that is not stripped does hold them, so that the test above looks in the right place", () => {
  const { state } = prepared();
  const secret = state.keys.signingKey("record").privateKey.export({ format: "der", type: "pkcs8" }).subarray(-32);
  expect(readFileSync(copy).includes(secret)).toBe(true);
});

test("a restore is refused while a relay runs, and over a state unless it may be replaced", () => {
  const { state } = prepared();
  const backup = packBackup(copy, PASSPHRASE);
  expect(code(() => restoreBackup(folder, backup, PASSPHRASE, false))).toBe("ERR_BACKUP_EXISTS");
  expect(code(() => restoreBackup(folder, backup, PASSPHRASE, true))).toBe("ERR_STATE_LOCKED");
  state.credentials.create({ tunnel: "later", publicKey: generateTunnelKeyPair().publicKey, label: "" });
  state.close();
  restoreBackup(folder, backup, PASSPHRASE, true);
  expect(opened(folder).credentials.list("later")).toEqual([]);
});

test("a wrong passphrase, a changed byte, a short passphrase and another file are refused, and nothing is written", () => {
  prepared();
  const backup = packBackup(copy, PASSPHRASE);
  const changed = Buffer.from(backup);
  changed[25] = (changed[25] ?? 0) ^ 1;
  expect(code(() => restoreBackup(other, backup, "wrong passphrase", false))).toBe("ERR_BACKUP_PASSPHRASE");
  expect(code(() => restoreBackup(other, backup, undefined, false))).toBe("ERR_BACKUP_PASSPHRASE");
  expect(code(() => restoreBackup(other, changed, PASSPHRASE, false))).toBe("ERR_BACKUP_PASSPHRASE");
  expect(code(() => restoreBackup(other, Buffer.from("PK"), PASSPHRASE, false))).toBe("ERR_BACKUP_FORMAT");
  expect(code(() => packBackup(copy, "short"))).toBe("ERR_BACKUP_PASSPHRASE");
  expect(statSync(other, { throwIfNoEntry: false })).toBeUndefined();
});
