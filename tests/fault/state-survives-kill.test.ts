// O9: kill -9 at any moment loses nothing that was acknowledged, and leaves a state that opens at once.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { openState } from "@sallyport/relay/state/state";
import { expect, test } from "vitest";

const ROUNDS = 60;
const WRITER = fileURLToPath(new URL("state-writer.ts", import.meta.url));

/** Runs the writer until it has printed `lines` lines, then kills it in whatever it is doing; returns what it printed. */
function writeUntilKilled(folder: string, lines: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=sallyport-source", WRITER, folder], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let failure = "";
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      output += text;
      if (output.split("\n").length > lines) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (failure += text));
    child.on("error", reject);
    child.on("close", (_code, signal) => {
      if (signal === "SIGKILL") resolve(output.split("\n").slice(0, -1));
      else reject(new Error(`the writer ended by itself: ${failure}`));
    });
  });
}

test(`${ROUNDS} kills at different moments lose no acknowledged credential, token, session, revocation or key`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-kill-"));
  const expected = {
    open: new Set<string>(),
    credential: new Set<string>(),
    token: new Set<string>(),
    revoked: new Set<string>(),
    key: new Set<string>(),
    session: new Set<string>(),
    ending: new Set<string>(),
    ended: new Set<string>(),
  };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      // The first kills come right after opening, the others anywhere within some hundred commits.
      const printed = await writeUntilKilled(folder, round < 5 ? 1 : 1 + ((round * 7919) % 400));
      for (const line of printed) {
        const [kind, id] = line.split(" ") as [keyof typeof expected, string];
        expected[kind].add(id);
      }
      checkIntegrity(folder);
      // The lock died with its owner: no waiting, no cleaning up.
      const state = openState({ folder, lockWaitMs: 0 });
      const credentials = new Map(state.credentials.list().map((record) => [record.id, record]));
      const tokens = new Set(state.serviceTokens.list().map((token) => token.clientId));
      const keys = new Set(state.keys.list().map((key) => key.kid));
      const root = Buffer.from(state.keys.rootPublicKey).toString("hex");
      const sessions = new Set(state.sessions.list({}, Number.POSITIVE_INFINITY).map(({ id }) => id));
      state.close();
      expect([...expected.open]).toEqual([root]);
      expect([...expected.credential].filter((id) => !credentials.has(id))).toEqual([]);
      expect([...expected.token].filter((id) => !tokens.has(id))).toEqual([]);
      expect([...expected.revoked].filter((id) => credentials.get(id)?.revokedAt === undefined)).toEqual([]);
      // One whose end was under way may be either; one whose end was acknowledged is gone for good (R-I5).
      expect([...expected.session].filter((id) => !sessions.has(id) && !expected.ending.has(id))).toEqual([]);
      expect([...expected.ended].filter((id) => sessions.has(id))).toEqual([]);
      expect([...expected.key].filter((kid) => !keys.has(kid))).toEqual([]);
    }
    expect(expected.credential.size).toBeGreaterThan(1_000);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function checkIntegrity(folder: string): void {
  const db = new DatabaseSync(join(folder, "state.db"));
  expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  db.close();
}
