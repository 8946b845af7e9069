// kill -9 of the relay at any moment loses no credential that a command said was made (O9), and none that was
// revoked comes back.

import { expect, test } from "vitest";
import { startRelay } from "../harness/relay.ts";

const ROUNDS = 10;

test("every credential that was made or revoked before kill -9 is so after the restart", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  for (let round = 0; round < ROUNDS; round += 1) {
    await relay.createCredential();
    if (round % 3 === 2) {
      const first = (await relay.credentials()).find(({ revokedAt }) => revokedAt === undefined);
      await relay.mustRun("credential", "revoke", first?.id ?? "");
    }
    const before = await relay.credentials();
    relay.program.kill("SIGKILL");
    await relay.program.exited;
    await relay.start();
    expect(await relay.credentials()).toEqual(before);
  }
  const listed = await relay.credentials();
  expect(listed.length).toBe(ROUNDS);
  expect(listed.filter(({ revokedAt }) => revokedAt !== undefined).length).toBe(Math.floor(ROUNDS / 3));
});
