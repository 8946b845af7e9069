// R-K3: the connector knows whom it speaks with, and what it signs is good once and nowhere else.

import { createServer } from "node:https";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createConnector } from "@sallyport/connector/connector";
import { parseConfig } from "@sallyport/connector/config/load";
import { createGate } from "@sallyport/connector/gate/gate";
import { systemClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair, relayOrigin } from "@sallyport/shared/credential-file";
import { encodeFrame, FrameType } from "@sallyport/shared/protocol/frame";
import { stringify } from "yaml";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { eventually, scratchFolder, within } from "../harness/scratch.ts";
import { createAuthority } from "../harness/tls.ts";
import { AUTH_URL, useBed } from "./support/bed.ts";
import { dialTunnel, helloOf } from "./support/rogue-connector.ts";
import { startRogueRelay } from "./support/rogue-relay.ts";
import { proofMessage } from "@sallyport/shared/protocol/handshake";
import { sign, type KeyObject } from "node:crypto";

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

test("R-K3: a relay that has another root key than the credential gets a connection, but no request past the connector", async () => {
  await using stack = new AsyncDisposableStack();
  const rogue = await startRogueRelay(stack, { open: bed().open.url });
  const stranger = generateTunnelKeyPair();
  rogue.mux.sendKeys(rogue.manifest({ version: 9 }, stranger.privateKey));
  await eventually(() => rogue.manifestVerdicts.length === 2, { what: "the second manifest to be judged" });
  expect(rogue.manifestVerdicts[1]).not.toMatch(/^accepted/);
  // And from the very start: nothing has been accepted then.
  const strange = await startRogueRelay(stack, { open: bed().open.url }, { manifestKey: stranger.privateKey });
  expect(strange.manifestVerdicts).toEqual([expect.not.stringMatching(/^accepted/)]);
  expect(await strange.open()).toMatchObject({ reset: "ASSERTION_REFUSED" });
  expect(bed().open.requests).toEqual([]);
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

  interface Said {
    readonly authUrl?: string;
    /** What is signed; the relay verifies with its own. */
    readonly relayNonce?: Buffer;
    /** What is signed, beside the one that is sent. */
    readonly connectorNonce?: Buffer;
    readonly credentialId?: string;
    readonly key?: KeyObject;
    readonly label?: string;
  }

  function proof(relayNonce: Buffer, said: Said = {}): Buffer {
    const { credentialId, privateKey } = bed().credentials.lab;
    const connectorNonce = Buffer.alloc(32, 7);
    const message = proofMessage({ authUrl: AUTH_URL, relayNonce, connectorNonce, credentialId, ...said });
    const signed = said.label === undefined ? message : Buffer.concat([Buffer.from(said.label), message.subarray(message.indexOf(0))]);
    const signature = sign(null, signed, said.key ?? privateKey);
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

  test.each<[string, Said | (() => Said)]>([
    ["for another relay", { authUrl: "https://other.example.test" }],
    ["for another port of this relay", { authUrl: `${AUTH_URL}:8443` }],
    ["for this relay over plain HTTP", { authUrl: AUTH_URL.replace("https:", "http:") }],
    ["of a nonce that this relay did not choose", { relayNonce: Buffer.alloc(32) }],
    ["of another nonce than the one that is sent", { connectorNonce: Buffer.alloc(32, 8) }],
    ["of another credential's id", () => ({ credentialId: bed().credentials.office.credentialId })],
    ["made with another credential's key", () => ({ key: bed().credentials.office.privateKey })],
    ["made with a key that nobody knows", () => ({ key: generateTunnelKeyPair().privateKey })],
    ["of another version of the protocol", { label: "sallyport.v2 proof" }],
  ])("%s is not", async (_name, said) => {
    expect(await answerTo((nonce) => proof(nonce, typeof said === "function" ? said() : said))).toBe(FrameType.GOAWAY);
    expect(await answerTo(proof), "an honest one is, afterwards").toBe(FrameType.HELLO);
  });

  test("of another connection is not: every challenge is new", async () => {
    let recorded: Buffer | undefined;
    expect(await answerTo((nonce) => (recorded = proof(nonce)))).toBe(FrameType.HELLO);
    expect(await answerTo(() => recorded as Buffer)).toBe(FrameType.GOAWAY);
  });
});

describe("R-K3: the clocks are compared", () => {
  test.each([
    ["29 s ahead of the relay", 29_000, false],
    ["32 s ahead of the relay", 32_000, true],
    ["29 s behind the relay", -29_000, false],
    ["32 s behind the relay", -32_000, true],
  ])("%s", async (_name, skewMs, reported) => {
    await using stack = new AsyncDisposableStack();
    const rogue = await startRogueRelay(stack, { open: "http://127.0.0.1:9" }, { clockAheadMs: -skewMs });
    const lines = rogue.logLines.filter((line) => /clock differs/.test(String(line["msg"])));
    expect(lines).toHaveLength(reported ? 1 : 0);
    if (!reported) return;
    expect(Math.abs(Number(lines[0]?.["skewMs"]) - skewMs)).toBeLessThan(1_500);
    expect(lines[0]?.["remedy"]).toMatch(/NTP/);
  });
});
