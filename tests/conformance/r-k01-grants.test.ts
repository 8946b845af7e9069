// R-K1: what a tunnel publishes is the relay's configuration; a hostname that a connector names is a request.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HandshakeError } from "@sallyport/shared/protocol/handshake";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { describe, expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { RogueConnector } from "./support/rogue-connector.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

function recordText(): string {
  const folder = join(bed().folder, "state", "records");
  return readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("");
}

describe("R-K1: hostnames that are not granted are refused for good, and on record", () => {
  test.each([
    "app.example.test",
    "APP.example.test",
    "app.example.test.",
    "*.example.test",
    "*",
    "*.wild.example.test",
    "auth.example.test",
    "LAB.example.test.",
    "x.lab.example.test",
    "lab.example.test.evil.example",
    "__proto__",
  ])("%s", async (wantedHostname) => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const refusal = await RogueConnector.connect(bed(), bed().credentials.lab, { wantedHostname }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(HandshakeError);
      expect((refusal as HandshakeError).goaway?.reason).toBe(GoawayReason.HOSTNAME_NOT_GRANTED);
      expect((refusal as HandshakeError).retryable).toBe(false);
    }
    await eventually(() => recordText().includes(JSON.stringify(wantedHostname).slice(1, -1)), { what: `a record of ${wantedHostname}` });
  });
});

test("R-K1: the granted hostname is granted, and no other grant is told", async () => {
  await using connector = await RogueConnector.connect(bed(), bed().credentials.lab, { wantedHostname: "lab.example.test" });
  expect(connector.hello.grants.map(({ hostname }) => hostname)).toEqual(["lab.example.test"]);
});

test("R-K1: announcing the services of another tunnel brings none of its visitors", async () => {
  await using connector = await RogueConnector.connect(bed(), bed().credentials.lab, {
    services: ["open", "admin", "stripped", "no-such-service"].map((name) => ({ name, kind: "http" as const })),
  });
  const stolen: string[] = [];
  connector.onOpen = (stream, head) => {
    stolen.push(head.path);
    connector.answer(stream, { status: 200, fields: [] }, "stolen");
  };
  for (let i = 0; i < 10; i++) await expectForwarded(bed(), write(`/mine-${i}`));
  expect((await ask(bed(), "/admin", { fields: bed().token.fields })).body).toBe("served");
  expect((await ask(bed(), "/x", { host: "unserved.example.test" })).status).toBeGreaterThanOrEqual(502);
  expect(stolen).toEqual([]);
  expect((await ask(bed(), "/x", { host: "lab.example.test" })).body).toBe("stolen");
  expect(stolen).toEqual(["/x"]);
});

test("R-K1: the tunnel comes from the credential: another's key with its id, or the id with another's key, is nobody", async () => {
  const { office, lab } = bed().credentials;
  for (const credential of [
    { ...lab, privateKey: office.privateKey },
    { ...office, privateKey: lab.privateKey },
  ]) {
    const refusal = await RogueConnector.connect(bed(), credential).catch((error: unknown) => error);
    expect((refusal as HandshakeError).goaway?.reason).toBe(GoawayReason.CREDENTIAL_UNKNOWN);
  }
});

test("R-K1: a signature for another relay is worth nothing here", async () => {
  const refusal = await RogueConnector.connect(bed(), bed().credentials.lab, {}, { authUrl: "https://evil.example" }).catch(
    (error: unknown) => error,
  );
  expect((refusal as HandshakeError).goaway?.reason).toBe(GoawayReason.CREDENTIAL_UNKNOWN);
});
