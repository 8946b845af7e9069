import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateTunnelKeyPair, serializeCredentialFile } from "@sallyport/shared/credential-file";
import { afterAll, describe, expect, test } from "vitest";
import { findCredential } from "./credential.ts";
import { directoryProblem, privateFileProblem } from "./permissions.ts";

const folder = mkdtempSync(join(tmpdir(), "it's "));
afterAll(() => rmSync(folder, { recursive: true }));

function credentialFile(mode: number): string {
  const path = join(folder, `c${mode}.credential`);
  const { privateKey, publicKey } = generateTunnelKeyPair();
  const credentialId = `cred_${"A".repeat(22)}`;
  writeFileSync(
    path,
    serializeCredentialFile({ relayUrl: "https://auth.example.com", tunnel: "office", credentialId, privateKey, rootKey: publicKey }),
  );
  chmodSync(path, mode);
  return path;
}

describe("the credential file (R-J4)", () => {
  test.each([0o600, 0o400])("is read with mode %i", (mode) => {
    const path = credentialFile(mode);
    expect(findCredential({ kind: "file", path }, {})).toMatchObject({ kind: "found", path, credential: { tunnel: "office" } });
  });

  test.each([0o640, 0o604, 0o620, 0o602, 0o644])("is refused with mode %i, with the command that repairs it", (mode) => {
    const path = credentialFile(mode);
    const result = findCredential({ kind: "file", path }, {});
    expect(result).toMatchObject({ kind: "refused", remedy: `run: chmod 600 '${path.replace("'", `'\\''`)}'` });
  });

  test("may be readable by a group on a read-only mount, where nobody can change it", () => {
    expect(privateFileProblem("/run/secrets/c", { mode: 0o100440, uid: 0 }, true)).toBeUndefined();
    expect(privateFileProblem("/run/secrets/c", { mode: 0o100440, uid: 0 }, false)).toBeDefined();
  });

  test("is found by SALLYPORT_CREDENTIAL as a path or as the text itself; --credential goes first", () => {
    const path = credentialFile(0o600);
    expect(findCredential(undefined, { SALLYPORT_CREDENTIAL: path })).toMatchObject({ kind: "found", path });
    expect(findCredential({ kind: "file", path: join(folder, "absent") }, { SALLYPORT_CREDENTIAL: path }).kind).toBe("refused");
    const broken = findCredential(undefined, { SALLYPORT_CREDENTIAL: '{"privateKey":"hunter2"}' });
    expect(broken.kind).toBe("refused");
    expect(JSON.stringify(broken)).not.toContain("hunter2");
  });

  test("that is missing says how to make one", () => {
    expect(findCredential({ kind: "file", path: join(folder, "absent") }, {})).toMatchObject({
      kind: "refused",
      problem: expect.stringContaining("ENOENT"),
      remedy: expect.stringContaining("sallyport-relay credential create"),
    });
  });
});

describe("the folder of a configuration (R-J4)", () => {
  test("is refused when every user may write there", () => {
    const open = join(folder, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(directoryProblem(join(open, "connector.yaml"))).toMatchObject({ remedy: expect.stringContaining("chmod o-w") });
    chmodSync(open, 0o755);
    expect(directoryProblem(join(open, "connector.yaml"))).toBeUndefined();
  });

  test("is fine when it is shared but sticky, unless the file itself is open to all", () => {
    const shared = join(folder, "shared");
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    const file = join(shared, "connector.yaml");
    writeFileSync(file, "");
    expect(directoryProblem(file)).toBeUndefined();
    chmodSync(file, 0o666);
    expect(directoryProblem(file)).toMatchObject({ remedy: expect.stringContaining("connector.yaml") });
  });
});
