// kill -9 of the relay at any moment loses no credential that a command said was made (O9), and none that was
// revoked comes back.

import { expect, test } from "vitest";
import { startRelay } from "../harness/relay.ts";

const ROUNDS = 10;

interface Listed {
  readonly id: string;
  readonly revokedAt?: unknown;
  readonly revoked?: boolean;
}

test("every credential that was made or revoked before kill -9 is so after the restart", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  for (let round = 0; round < ROUNDS; round += 1) {
    await relay.createCredential();
    if (round % 3 === 2) {
      const [first] = (JSON.parse(await relay.mustRun("credential", "list", "office", "--json")) as Listed[]).filter((c) => !isRevoked(c));
      await relay.mustRun("credential", "revoke", first?.id ?? "");
    }
    const before = await relay.mustRun("credential", "list", "office", "--json");
    relay.program.kill("SIGKILL");
    await relay.program.exited;
    await relay.start();
    const after = await relay.mustRun("credential", "list", "office", "--json");
    expect(JSON.parse(after)).toEqual(JSON.parse(before));
  }
  const listed = JSON.parse(await relay.mustRun("credential", "list", "office", "--json")) as Listed[];
  expect(listed.length).toBe(ROUNDS);
  expect(listed.filter(isRevoked).length).toBe(Math.floor(ROUNDS / 3));
});

function isRevoked(credential: Listed): boolean {
  return credential.revoked === true || (credential.revokedAt !== undefined && credential.revokedAt !== null);
}
