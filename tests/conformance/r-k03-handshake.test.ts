// R-K3: the connector knows whom it speaks with, and what it signs is good once and nowhere else.

import { createServer } from "node:https";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createConnector } from "@sallyport/connector/connector";
import { parseConfig } from "@sallyport/connector/config/load";
import { createGate } from "@sallyport/connector/gate/gate";
import { systemClock } from "@sallyport/shared/clock";
import { relayOrigin } from "@sallyport/shared/credential-file";
import { encodeFrame, FrameType } from "@sallyport/shared/protocol/frame";
import { stringify } from "yaml";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { eventually, scratchFolder, within } from "../harness/scratch.ts";
import { createAuthority } from "../harness/tls.ts";
import { useBed } from "./support/bed.ts";
import { dialTunnel, helloOf } from "./support/rogue-connector.ts";
import { proofMessage } from "@sallyport/shared/protocol/handshake";
import { sign } from "node:crypto";

const bed = useBed();

test("R-K3: a relay whose certificate does not verify never sees a handshake", async () => {
  await using stack = new AsyncDisposableStack();
  const authority = await createAuthority(scratchFolder(stack));
  const { certificateFile, privateKeyFile } = await authority.issue("impostor", ["localhost"]);
  let upgrades = 0;
  const impostor = createServer({ cert: readFileSync(certificateFile), key: readFileSync(privateKeyFile) });
  impostor.on("upgrade", (_request, socket) => {
    upgrades++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void impostor.close());
  const relayUrl = `https://localhost:${(impostor.address() as AddressInfo).port}`;
  const loaded = parseConfig("connector.yaml", stringify({ connections: 1, services: { open: bed().open.url } }), {});
  if (loaded.kind !== "loaded") throw new Error("configuration");
  const credential = { ...bed().credentials.lab, relayUrl };
  const connector = createConnector({
    config: loaded.config,
    credential,
    gate: createGate(credential, undefined, systemClock),
    software: "x",
    environment: {},
    logger: bed().logger("impostor"),
    clock: systemClock,
  });
  await connector.start();
  stack.defer(async () => {
    connector.close();
    await connector.ended;
  });
  await eventually(() => bed().logLines.some((line) => line["program"] === "impostor" && /certificate|TLS/i.test(JSON.stringify(line))), {
    what: "the connector to say why",
  });
  expect([upgrades, connector.status().ready]).toEqual([0, false]);
});

test.each([
  "http://relay.example",
  "http://10.0.0.1",
  "ws://relay.example",
  "http://localhost.evil.example",
  "https://user@relay.example",
  "https://relay.example/path",
  "ftp://relay.example",
  "http://127.0.0.1.evil.example",
])("R-K3: %s is no relay to connect to", (url) => {
  expect(relayOrigin(url)).toBeUndefined();
});

test.each(["https://relay.example", "http://127.0.0.1:8080", "http://auth.relay.localhost:8080", "http://[::1]"])(
  "R-K3: %s is one",
  (url) => {
    expect(relayOrigin(url)).toBe(url);
  },
);

describe("R-K3: the proof", () => {
  const CHALLENGE_BYTES = 32;

  async function challenge(socket: WebSocket): Promise<Buffer> {
    const message = await within(
      10_000,
      "the challenge",
      new Promise<Buffer>((resolve) => void socket.once("message", (data) => resolve(data as Buffer))),
    );
    return message.subarray(8, 8 + CHALLENGE_BYTES);
  }

  function proof(relayNonce: Buffer): Buffer {
    const { credentialId, privateKey } = bed().credentials.lab;
    const connectorNonce = Buffer.alloc(32, 7);
    const signature = sign(
      null,
      proofMessage({ authUrl: "https://auth.example.test", relayNonce, connectorNonce, credentialId }),
      privateKey,
    );
    return encodeFrame(
      FrameType.PROOF,
      0,
      Buffer.concat([connectorNonce, Buffer.of(credentialId.length), Buffer.from(credentialId), signature]),
    );
  }

  async function answerTo(bytes: (nonce: Buffer) => Buffer): Promise<number> {
    const socket = await dialTunnel(bed());
    // The challenge may have come with the upgrade.
    const nonce = await challenge(socket);
    socket.send(bytes(nonce));
    socket.send(encodeFrame(FrameType.HELLO, 0, Buffer.from(JSON.stringify(helloOf()))));
    const message = await within(
      10_000,
      "the relay's answer",
      new Promise<Buffer>((resolve) => void socket.once("message", (data) => resolve(data as Buffer))),
    );
    socket.terminate();
    return message[0] ?? 0;
  }

  test("of this moment is accepted", async () => {
    expect(await answerTo(proof)).toBe(FrameType.HELLO);
  });

  test("of another connection is not: every challenge is new", async () => {
    let recorded: Buffer | undefined;
    expect(await answerTo((nonce) => (recorded = proof(nonce)))).toBe(FrameType.HELLO);
    expect(await answerTo(() => recorded as Buffer)).toBe(FrameType.GOAWAY);
  });
});

test("R-K3: both clocks are compared: the connector reports the skew the HELLO shows", () => {
  expect(bed().logLines.filter((line) => line["program"] === "connector" && /clock/i.test(String(line["msg"])))).toEqual([]);
});
