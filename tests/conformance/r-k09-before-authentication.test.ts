// R-K9: a stranger at the tunnel endpoint costs little, learns nothing, and does not stay.

import { generateTunnelKeyPair } from "@sallyport/shared/credential-file";
import { encodeFrame, FrameType } from "@sallyport/shared/protocol/frame";
import { readGoaway } from "@sallyport/shared/protocol/control";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import type { HandshakeError } from "@sallyport/shared/protocol/handshake";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { within } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { dialTunnel, helloOf, RogueConnector } from "./support/rogue-connector.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

interface Farewell {
  readonly code: number;
  readonly goaway: { readonly reason: number; readonly text: string } | undefined;
}

async function farewell(socket: WebSocket, timeoutMs = 5_000): Promise<Farewell> {
  let goaway: Farewell["goaway"];
  socket.on("message", (data: Buffer) => {
    if (data[0] === FrameType.GOAWAY) goaway = readGoaway(data, 8, data.length);
  });
  const code = await within(timeoutMs, "the relay to close", new Promise<number>((resolve) => void socket.once("close", resolve)));
  return { code, goaway };
}

const UNKNOWN = { reason: GoawayReason.CREDENTIAL_UNKNOWN, text: "this relay does not accept the credential" };

describe("R-K9: until a signature verifies there is one answer, whatever was wrong", () => {
  const proof = (id: string, signature: Buffer): Buffer =>
    encodeFrame(FrameType.PROOF, 0, Buffer.concat([Buffer.alloc(32, 1), Buffer.of(id.length), Buffer.from(id), signature]));
  test.each([
    ["an unknown id", () => proof(`cred_${"B".repeat(22)}`, Buffer.alloc(64, 1))],
    ["a known id with a wrong signature", () => proof(bed().credentials.lab.credentialId, Buffer.alloc(64, 1))],
    ["a signature of zeros", () => proof(bed().credentials.lab.credentialId, Buffer.alloc(64))],
    ["a short signature", () => proof(bed().credentials.lab.credentialId, Buffer.alloc(10))],
    ["an empty id", () => proof("", Buffer.alloc(64))],
    ["an id called __proto__", () => proof("__proto__", Buffer.alloc(64))],
    ["a HELLO before any proof", () => encodeFrame(FrameType.HELLO, 0, Buffer.from(JSON.stringify(helloOf())))],
    ["an OPEN", () => encodeFrame(FrameType.OPEN, 1, Buffer.alloc(20))],
    ["nonsense", () => Buffer.from("nonsense")],
    [
      "two frames in one message",
      () => Buffer.concat([proof(bed().credentials.lab.credentialId, Buffer.alloc(64)), encodeFrame(FrameType.PING, 0, Buffer.alloc(8))]),
    ],
    ["a frame that claims 16 MiB", () => Buffer.of(FrameType.PROOF, 0xff, 0xff, 0xff, 0, 0, 0, 0)],
  ])("%s", async (_name, message) => {
    const socket = await dialTunnel(bed());
    const ended = farewell(socket);
    socket.send(message());
    const { code, goaway } = await ended;
    expect(code).toBe(4001);
    expect(goaway).toMatchObject(UNKNOWN);
  });

  test("more than 4 KiB", async () => {
    const socket = await dialTunnel(bed());
    const ended = farewell(socket);
    socket.send(Buffer.alloc(4_097));
    const { code, goaway } = await ended;
    expect([4001, 1009]).toContain(code);
    if (goaway !== undefined) expect(goaway).toMatchObject(UNKNOWN);
  });
});

test("R-K9: a revoked credential is named as such to who can sign with it, and to nobody else", async () => {
  const { revoked } = bed().credentials;
  const told = async (credential: typeof revoked): Promise<unknown> =>
    ((await RogueConnector.connect(bed(), credential).catch((error: unknown) => error)) as HandshakeError).goaway;
  expect(await told(revoked)).toMatchObject({ reason: GoawayReason.CREDENTIAL_REVOKED, text: expect.stringContaining("revoked") });
  expect(await told({ ...revoked, privateKey: generateTunnelKeyPair().privateKey })).toMatchObject(UNKNOWN);
});

test("R-K9: who says nothing for 10 s is sent away", async () => {
  const socket = await dialTunnel(bed());
  const startMs = performance.now();
  const { code } = await farewell(socket, 12_000);
  expect(code).toBe(4002);
  expect(performance.now() - startMs).toBeGreaterThan(9_000);
});

test("R-K9: one address has a bounded number of handshakes under way, and visitors do not notice", async () => {
  const dialled = await Promise.allSettled(Array.from({ length: 90 }, () => dialTunnel(bed())));
  const open = dialled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  expect(open.length).toBeLessThanOrEqual(64);
  expect(dialled.filter((result) => result.status === "rejected" && /503/.test(String(result.reason)))).toHaveLength(90 - open.length);
  await expectForwarded(bed(), write("/visitor"));
  await Promise.all(
    open.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once("close", () => resolve());
          socket.terminate();
        }),
    ),
  );
});

test("R-K9: the endpoint is no page: without an upgrade 426, without the protocol 400, on an application's host nothing", async () => {
  expect((await ask(bed(), "/.sallyport/tunnel", { host: "auth.example.test" })).status).toBe(426);
  await expect(dialTunnel(bed(), { protocols: ["sallyport.v99"] })).rejects.toThrow(/400/);
  await expect(dialTunnel(bed(), { host: "app.example.test" })).rejects.toThrow(/404/);
  await expect(dialTunnel(bed(), { host: "evil.example" })).rejects.toThrow(/421/);
});
