// The administrative commands as a person uses them, in a scratch folder, with a running relay's socket and without.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCredentialFile, rawPublicKey } from "@sallyport/shared/credential-file";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createStateOperations } from "../admin/operations.ts";
import { createAdminSocket } from "../admin/socket.ts";
import type { RelayStatus } from "../admin/status.ts";
import { isSecret } from "../authn/service-token-format.ts";
import { openState } from "../state/state.ts";
import { registerAuditCommand } from "./audit.ts";
import { registerBackupCommand } from "./backup.ts";
import { findPlace, openLocal } from "./context.ts";
import { registerCredentialCommand } from "./credential.ts";
import { registerKeysCommand } from "./keys.ts";
import { registerRestoreCommand } from "./restore.ts";
import { registerServiceTokenCommand } from "./service-token.ts";
import { registerSessionCommand } from "./session.ts";
import { registerStatusCommand } from "./status.ts";

let folder: string;
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sp-"));
  writeFileSync(
    join(folder, "relay.yaml"),
    'authUrl: http://auth.relay.localhost:8080\nlisten:\n  - { address: "127.0.0.1:8080" }\nstate: ./data\ntunnels:\n  - name: office\n',
    { mode: 0o600 },
  );
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  rmSync(folder, { recursive: true });
  process.exitCode = 0;
});

const at = (name: string): string => join(folder, name);
const config = (): string[] => ["--config", at("relay.yaml")];

interface Run {
  readonly out: string;
  readonly error: string;
  readonly exitCode: number;
}

/** Runs a command line in this process. */
async function run(...argv: readonly string[]): Promise<Run> {
  const program = new Command("sallyport-relay").exitOverride();
  const registrations = [registerCredentialCommand, registerServiceTokenCommand, registerAuditCommand, registerStatusCommand];
  for (const register of [...registrations, registerSessionCommand, registerBackupCommand, registerRestoreCommand, registerKeysCommand])
    register(program);
  const texts = { out: "", error: "" };
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => ((texts.out += String(text)), true));
  const error = vi.spyOn(process.stderr, "write").mockImplementation((text) => ((texts.error += String(text)), true));
  process.exitCode = 0;
  try {
    await program.parseAsync(argv, { from: "user" });
  } finally {
    out.mockRestore();
    error.mockRestore();
  }
  return { ...texts, exitCode: Number(process.exitCode) };
}

async function runJson(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const { out, error } = await run(...argv, ...config(), "--json");
  expect(error).toBe("");
  return JSON.parse(out) as Record<string, unknown>;
}

/** What a running relay has: the lock, the record and the socket. */
async function startRelay(status?: RelayStatus) {
  const { state, recorder, close } = openLocal(await findPlace({ config: at("relay.yaml") }));
  const record = recorder.event.bind(recorder);
  const operations = createStateOperations({ state, record, now: () => Date.now(), flush: () => recorder.flush() });
  const socket = await createAdminSocket({ folder: state.folder, handlers: { ...operations, status: () => status } });
  const stop = async (): Promise<void> => {
    await socket.close();
    await close();
  };
  closing.push(stop);
  return { state, stop };
}

describe("credential", () => {
  test("create writes a private file that the connector can read, for a key that the relay knows", async () => {
    const { state } = await startRelay();
    const { credential } = await runJson("credential", "create", "office", "--label", "rack3", "--output", at("c"));
    expect(statSync(at("c")).mode & 0o777).toBe(0o600);
    const file = parseCredentialFile(readFileSync(at("c"), "utf8"));
    if (file.kind !== "valid") throw new Error(file.problem);
    expect(file.credential).toMatchObject({
      relayUrl: "http://auth.relay.localhost:8080",
      tunnel: "office",
      rootKey: state.keys.rootPublicKey,
    });
    const stored = state.credentials.get(file.credential.credentialId);
    expect(stored).toMatchObject({ label: "rack3", publicKey: rawPublicKey(file.credential.privateKey) });
    expect(credential).toMatchObject({ id: stored?.id });
  });

  test("create overwrites no file, and makes no credential for a tunnel that is not configured", async () => {
    writeFileSync(at("c"), "mine");
    expect(await run("credential", "create", "office", ...config(), "--output", at("c"))).toMatchObject({ exitCode: 1, out: "" });
    expect(readFileSync(at("c"), "utf8")).toBe("mine");
    const refused = await run("credential", "create", "nope", ...config(), "--output", at("d"));
    expect(refused.error).toMatch(/there: office.*ERR_CREDENTIAL_TUNNEL/s);
    expect(statSync(at("d"), { throwIfNoEntry: false })).toBeUndefined();
    expect(await runJson("credential", "list")).toEqual({ credentials: [] });
  });

  test("revoke reaches the running relay, also while its configuration file is broken", async () => {
    const { state } = await startRelay();
    const { credential } = (await runJson("credential", "create", "office", "--output", at("c"))) as { credential: { id: string } };
    const heard: string[] = [];
    state.credentials.onRevoked((record) => heard.push(record.id));
    writeFileSync(at("relay.yaml"), "tunnels: [", { mode: 0o600 });
    expect((await run("credential", "revoke", credential.id, ...config())).exitCode).toBe(1);
    expect(await run("credential", "revoke", credential.id, "--state", at("data"))).toMatchObject({ exitCode: 0, error: "" });
    expect(heard).toEqual([credential.id]);
  });

  test("rotate makes a second one for the same tunnel and leaves the first", async () => {
    const { credential } = (await runJson("credential", "create", "office", "--output", at("c"))) as { credential: { id: string } };
    await runJson("credential", "rotate", credential.id, "--output", at("d"));
    const { credentials } = (await runJson("credential", "list", "office")) as { credentials: { revokedAt?: number }[] };
    expect(credentials.map((one) => one.revokedAt)).toEqual([undefined, undefined]);
    expect((await run("credential", "rotate", "cred_x", ...config(), "--output", at("e"))).error).toContain("ERR_CREDENTIAL_UNKNOWN");
  });
});

describe("service-token", () => {
  test("create shows a secret once that is stored nowhere (R-J1)", async () => {
    const { secret } = (await runJson("service-token", "create", "ci")) as { secret: string };
    expect(isSecret(secret)).toBe(true);
    const listed = await run("service-token", "list", ...config());
    expect(listed.out).toMatch(/^ci +st_\S+ +active/m);
    const state = openState({ folder: at("data") });
    state.copyTo(at("copy.db"));
    state.close();
    const record = (await run("audit", "tail", ...config())).out;
    for (const text of [listed.out, record, readFileSync(at("copy.db"), "latin1")]) expect(text).not.toContain(secret.slice(4, 40));
  });

  test("rotate, disable, enable and revoke take a name or an id, and are events of the record", async () => {
    const { token } = (await runJson("service-token", "create", "ci", "--expires", "1d")) as { token: { clientId: string } };
    await runJson("service-token", "rotate", "ci", "--grace", "1h");
    await runJson("service-token", "disable", token.clientId);
    await runJson("service-token", "enable", "ci");
    expect(await runJson("service-token", "revoke", "ci")).toMatchObject({ token: { status: "revoked" } });
    const { events } = (await runJson("audit", "events", "--type", "service-token.")) as { events: { type: string; ids: object }[] };
    expect(events.map((event) => event.type.split(".")[1])).toEqual(["revoked", "enabled", "disabled", "rotated", "created"]);
    expect(events[0]?.ids).toEqual({ tokenId: token.clientId, tokenName: "ci" });
    expect((await run("service-token", "enable", "ci", ...config())).error).toContain("ERR_SERVICE_TOKEN_UNKNOWN");
  });

  test("create refuses a lifetime that is none", async () => {
    await expect(run("service-token", "create", "ci", "--expires", "soon", ...config())).rejects.toMatchObject({
      code: "commander.invalidArgument",
    });
  });
});

describe("audit verify", () => {
  test("succeeds on what the commands recorded, and fails once a line was edited", async () => {
    await runJson("service-token", "create", "ci");
    expect(await run("audit", "verify", ...config())).toMatchObject({ exitCode: 0 });
    const file = join(at("data"), "records", "records-0000000000000001.jsonl");
    writeFileSync(file, readFileSync(file, "utf8").replace('"tokenName":"ci"', '"tokenName":"xx"'));
    expect(await run("audit", "verify", ...config())).toMatchObject({ exitCode: 1, out: expect.stringContaining("BROKEN") as string });
  });
});

describe("backup and restore", () => {
  test("bring back what was lost; a restore is refused while the relay runs", async () => {
    const relay = await startRelay();
    writeFileSync(at("pass"), "correct horse battery\n", { mode: 0o600 });
    await runJson("credential", "create", "office", "--output", at("c"));
    expect(await runJson("backup", at("b"), "--passphrase-file", at("pass"))).toEqual({ file: at("b"), withKeys: true });
    expect(statSync(at("b")).mode & 0o777).toBe(0o600);
    const refused = await run("restore", at("b"), "--passphrase-file", at("pass"), "--replace", ...config());
    expect(refused).toMatchObject({ exitCode: 1, error: expect.stringContaining("ERR_STATE_LOCKED") as string });
    await relay.stop();
    closing.length = 0;
    rmSync(at("data"), { recursive: true });
    expect(await runJson("restore", at("b"), "--passphrase-file", at("pass"))).toMatchObject({ withKeys: true, credentials: 1 });
    expect(((await runJson("credential", "list")) as { credentials: object[] }).credentials).toHaveLength(1);
  });

  test("a passphrase that others can read is not used (R-J4)", async () => {
    writeFileSync(at("pass"), "correct horse battery\n");
    chmodSync(at("pass"), 0o644);
    const refused = await run("backup", at("b"), "--passphrase-file", at("pass"), ...config());
    expect(refused.exitCode).not.toBe(0);
    expect(refused.error).toContain(`chmod g-w,o= ${at("pass")}`);
    expect(statSync(at("b"), { throwIfNoEntry: false })).toBeUndefined();
  });

  test("a backup without keys keeps the record verifiable after its restore", async () => {
    await runJson("service-token", "create", "ci");
    await runJson("backup", at("b"), "--without-keys");
    await runJson("restore", at("b"), "--replace");
    await runJson("service-token", "create", "ci2");
    expect(await run("audit", "verify", ...config())).toMatchObject({ exitCode: 0 });
  });

  test("a backup needs a passphrase or the word that it may do without keys, and leaves no copy behind", async () => {
    const refused = await run("backup", at("b"), ...config());
    expect(refused.error).toContain("ERR_BACKUP_PASSPHRASE");
    expect(statSync(at("b"), { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe("keys", () => {
  test("with the root offline are changed by signing elsewhere what rotate prints", async () => {
    await runJson("keys", "take-root-offline", at("root.key"));
    expect(statSync(at("root.key")).mode & 0o777).toBe(0o600);
    const { toSign } = (await runJson("keys", "rotate")) as { toSign: string };
    const { out } = await run("keys", "sign", at("root.key"), toSign);
    writeFileSync(at("manifest"), out);
    expect(await runJson("keys", "adopt", at("manifest"))).toEqual({ adopted: true });
    expect(await runJson("keys", "list")).toMatchObject({ rootOnline: false, toSign: null });
    expect((await run("keys", "sign", at("root.key"), `${toSign.split(".")[0]}x.e30`)).error).toContain("ERR_KEYS_REQUEST");
  });

  test("are revoked by id; the root key is never shown and never crosses the socket", async () => {
    const { state } = await startRelay();
    const { kid } = state.keys.signingKey("assertion");
    expect(await runJson("keys", "revoke", kid)).toMatchObject({ key: { kid } });
    expect(state.keys.signingKey("assertion").kid).not.toBe(kid);
    expect((await run("keys", "take-root-offline", at("root.key"), ...config())).error).toContain("ERR_STATE_LOCKED");
  });
});

describe("status", () => {
  test("says that no relay runs", async () => {
    expect(await run("status", ...config())).toMatchObject({ exitCode: 1, out: expect.stringContaining("not running") as string });
  });

  test("shows tunnels and what is not well", async () => {
    const connector = {
      connectorId: "c",
      credentialId: "cred",
      hostname: "rack3\u001b[2J",
      version: "1",
      address: "192.0.2.1",
      connectedAt: 0,
      connections: 2,
      streams: 5,
    };
    const status: RelayStatus = {
      version: "0.1.0",
      authUrl: "https://auth.example.com",
      startedAt: 0,
      configFile: "relay.yaml",
      configHash: "h",
      configLoadedAt: 0,
      tunnels: [
        { name: "office", connectors: [connector] },
        { name: "home", connectors: [] },
      ],
      applications: 3,
      publicApplications: ["website"],
      ready: false,
      problems: { record: "the disk is full" },
      record: { written: 1, dropped: 0, failing: true },
    };
    await startRelay(status);
    const { out, exitCode } = await run("status", ...config());
    expect(exitCode).toBe(1);
    expect(out).toMatch(/NOT READY\n {2}record: the disk is full/);
    expect(out).toMatch(/Open to everybody: website/);
    expect(out).toMatch(/^home +no connector$/m);
    expect(out).not.toContain("\u001b");
  });
});

describe("session", () => {
  const login = (subject: string, provider = "corp") =>
    ({
      identity: {
        kind: "person",
        provider,
        subject,
        email: `${subject}@example.com`,
        name: undefined,
        groups: undefined,
        authMethods: undefined,
        claims: {},
      },
      expiresAt: Date.now() + 3_600_000,
      providerSessionId: undefined,
      refreshToken: undefined,
    }) as const;

  test("lists who is signed in, newest first, without any session id, and ends one of them", async () => {
    const { state } = await startRelay();
    const ann = state.sessions.create(login("ann")).session;
    const bob = state.sessions.create(login("bob")).session;
    const text = (await run("session", "list", ...config())).out;
    expect(text.split("\n").slice(1, 3)).toEqual([expect.stringContaining("bob@example.com"), expect.stringContaining("ann@example.com")]);
    for (const { id } of [ann, bob]) expect(text).not.toContain(id);
    const { sessions } = (await runJson("session", "list", "--email", "ann@example.com")) as { sessions: { session: string }[] };
    expect(sessions).toHaveLength(1);
    const ended = await run("session", "revoke", sessions[0]?.session ?? "", ...config());
    expect(ended).toMatchObject({ exitCode: 0, out: expect.stringContaining("Signed out ann@example.com") });
    expect(state.sessions.get(ann.id)).toBeUndefined();
    expect(state.sessions.get(bob.id)).toBeDefined();
  });

  test("ends those of a person, of a provider, of everybody", async () => {
    const { state } = await startRelay();
    for (const [subject, provider] of [
      ["ann", "corp"],
      ["ann", "corp"],
      ["ann", "git"],
      ["bob", "corp"],
      ["eve", "git"],
    ] as const)
      state.sessions.create(login(subject, provider));
    expect((await runJson("session", "revoke", "--provider", "corp", "--subject", "ann"))["ended"]).toHaveLength(2);
    expect((await runJson("session", "revoke", "--provider", "git"))["ended"]).toHaveLength(2);
    expect((await runJson("session", "revoke", "--all"))["ended"]).toHaveLength(1);
    expect((await run("session", "list", ...config())).out).toBe("Nobody is signed in.\n");
  });

  test("works without a running relay, and the end holds when it starts (R-I5)", async () => {
    const stopped = await startRelay();
    const { secret } = stopped.state.sessions.create(login("ann"));
    closing.length = 0;
    await stopped.stop();
    expect((await run("session", "revoke", "--email", "ann@example.com", ...config())).exitCode).toBe(0);
    const { state } = await startRelay();
    expect(state.sessions.bySecret(secret)).toBeUndefined();
  });

  test("says what is missing: whose sessions, or a person who is not signed in", async () => {
    await startRelay();
    for (const argv of [[], ["abc", "--all"], ["--email", "a@example.com", "--all"]]) {
      expect(await run("session", "revoke", ...argv, ...config())).toMatchObject({
        exitCode: 1,
        error: expect.stringContaining("ERR_USAGE"),
      });
    }
    expect(await run("session", "revoke", "--email", "nobody@example.com", ...config())).toMatchObject({
      exitCode: 1,
      error: expect.stringContaining("ERR_SESSION_UNKNOWN"),
    });
  });
});
