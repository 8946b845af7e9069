// R-K2: connectors with one tunnel's credential share its load, and each is on record, so that a stolen one shows.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { RogueConnector } from "./support/rogue-connector.ts";
import { ask } from "./support/visit.ts";

const bed = useBed();

test("R-K2: two connectors of one tunnel share its visitors, and the record names both with address and version", async () => {
  const served = new Map<string, number>();
  await using stack = new AsyncDisposableStack();
  for (const connectorId of ["replica-one", "replica-two"]) {
    const connector = stack.use(
      await RogueConnector.connect(bed(), bed().credentials.lab, {
        connectorId,
        software: `rogue/${connectorId}`,
        hostname: `${connectorId}-host`,
      }),
    );
    connector.onOpen = (stream) => {
      served.set(connectorId, (served.get(connectorId) ?? 0) + 1);
      // Held for a moment, so that load is outstanding.
      setImmediate(() => connector.answer(stream, { status: 200, fields: [] }, connectorId));
    };
  }
  await Promise.all(Array.from({ length: 20 }, () => ask(bed(), "/x", { host: "lab.example.test" })));
  expect([...served.keys()].toSorted()).toEqual(["replica-one", "replica-two"]);
  expect(Math.min(...served.values())).toBeGreaterThanOrEqual(4);
  for (const connectorId of ["replica-one", "replica-two"]) {
    const line = await eventually(() => lines().find((text) => text.includes(`rogue/${connectorId}`)), {
      what: `the record of ${connectorId}`,
    });
    expect(line).toContain("127.0.0.1");
    expect(line).toContain(bed().credentials.lab.credentialId);
  }
});

function lines(): readonly string[] {
  const folder = join(bed().folder, "state", "records");
  return readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"));
}
