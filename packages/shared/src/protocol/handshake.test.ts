import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import { memoryTransports, type MemoryTransport } from "../mux/memory-transport.ts";
import { CloseCode, GoawayReason } from "./codes.ts";
import { readGoaway } from "./control.ts";
import { encodeFrame, FrameType, readFrames } from "./frame.ts";
import {
  connectorHandshake,
  HANDSHAKE_TIMEOUT_MS,
  HandshakeError,
  MAX_UNAUTHENTICATED_BYTES,
  proofMessage,
  relayHandshake,
  type Admission,
  type KnownCredential,
  type RelayHandshakeResult,
} from "./handshake.ts";
import type { ConnectorHello, RelayHello } from "./hello.ts";

const AUTH_URL = "https://auth.example.com";
const LIMITS = { maxStreams: 100, streamWindowBytes: 65_536, connectionWindowBytes: 1_048_576 };
const HELLO: ConnectorHello = {
  software: "sallyport test",
  limits: LIMITS,
  capabilities: [],
  connectorId: "id",
  hostname: "host",
  services: [],
};
const ANSWER: RelayHello = {
  software: "relay test",
  limits: LIMITS,
  capabilities: [],
  time: 1,
  connectionId: "c-1",
  tunnel: "office",
  grants: [],
};

const KNOWN = generateKeyPairSync("ed25519");
const REVOKED = generateKeyPairSync("ed25519");
const STRANGER = generateKeyPairSync("ed25519");
const DECOY = generateKeyPairSync("ed25519").publicKey;

type Result = RelayHandshakeResult<KnownCredential>;

/** Frames a bare peer has received, and how it was closed. */
interface Listener {
  readonly frames: Array<{ readonly type: number; readonly payload: Buffer }>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly first: Promise<Buffer>;
}

let clock: ManualClock;
let relay: MemoryTransport;
let connector: MemoryTransport;

beforeEach(() => {
  clock = new ManualClock();
  [relay, connector] = memoryTransports();
});

afterEach(() => {
  expect(clock.pendingTimers).toBe(0);
});

function lookup(id: string): KnownCredential | undefined {
  if (id === "known") return { tunnel: "office", publicKey: KNOWN.publicKey, revoked: false };
  if (id === "revoked") return { tunnel: "office", publicKey: REVOKED.publicKey, revoked: true };
  return undefined;
}

function serve(admit: (credential: KnownCredential, hello: ConnectorHello) => Admission = () => ({ hello: ANSWER })): Promise<Result> {
  return relayHandshake({ transport: relay, authUrl: AUTH_URL, lookup, decoyKey: DECOY, admit, clock });
}

function dial(credentialId = "known", privateKey: KeyObject = KNOWN.privateKey, authUrl = AUTH_URL): Promise<RelayHello> {
  const told = connectorHandshake({ transport: connector, authUrl, credentialId, privateKey, hello: HELLO, clock });
  told.catch(() => undefined);
  return told;
}

function listen(transport: MemoryTransport): Listener {
  const frames: Listener["frames"] = [];
  const closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  const first = Promise.withResolvers<Buffer>();
  transport.setReceiver({
    onMessage: (message) =>
      readFrames(message, {
        onFrame: (type, _end, _id, bytes, start, stop) => {
          frames.push({ type, payload: Buffer.from(bytes.subarray(start, stop)) });
          first.resolve(Buffer.from(bytes.subarray(start, stop)));
        },
      }),
    onInvalidMessage: () => undefined,
    onDrain: () => undefined,
    onClose: (code, reason) => closed.resolve({ code, reason }),
  });
  return { frames, closed: closed.promise, first: first.promise };
}

function proof(relayNonce: Buffer, credentialId: string, privateKey: KeyObject, authUrl = AUTH_URL): Buffer {
  const connectorNonce = Buffer.alloc(32, 7);
  const signature = sign(null, proofMessage({ authUrl, relayNonce, connectorNonce, credentialId }), privateKey);
  return Buffer.concat([connectorNonce, Buffer.from([credentialId.length]), Buffer.from(credentialId, "latin1"), signature]);
}

/** Speaks to a relay by hand: `say` gets the nonce and returns the messages to send. Returns everything a stranger learns. */
async function speak(say: (nonce: Buffer) => readonly Buffer[], admit?: Parameters<typeof serve>[0]) {
  const listener = listen(connector);
  const result = serve(admit);
  const nonce = await listener.first;
  for (const message of say(nonce)) connector.send(message);
  const outcome = await result;
  return { outcome, listener };
}

async function learned(listener: Listener): Promise<unknown> {
  const close = await listener.closed;
  return { close, frames: listener.frames.slice(1).map(({ type, payload }) => [type, payload.toString("hex")]) };
}

const helloFrame = (hello: unknown = HELLO): Buffer => encodeFrame(FrameType.HELLO, 0, Buffer.from(JSON.stringify(hello)));
const proofFrame = (nonce: Buffer, id = "known", key = KNOWN.privateKey, authUrl = AUTH_URL): Buffer =>
  encodeFrame(FrameType.PROOF, 0, proof(nonce, id, key, authUrl));

describe("an accepted connector", () => {
  it("is admitted with its HELLO, and has the relay's", async () => {
    const [result, told] = await Promise.all([serve(), dial()]);
    expect(told).toEqual(ANSWER);
    expect(result).toEqual({ kind: "admitted", credential: lookup("known"), credentialId: "known", hello: HELLO, answer: ANSWER });
  });

  it("is known by its URL's scheme and authority: path, case and default port do not matter", async () => {
    const [result] = await Promise.all([serve(), dial("known", KNOWN.privateKey, "https://AUTH.example.com:443/.sallyport/tunnel")]);
    expect(result.kind).toBe("admitted");
  });

  it("loses no frame that follows the handshake at once, on either side", async () => {
    const result = serve();
    const told = dial();
    await result;
    // The relay's KEYS leaves with its HELLO, before the connector has listened to anything but the handshake.
    relay.send(encodeFrame(FrameType.KEYS, 0, Buffer.from("manifest")));
    await told;
    connector.send(encodeFrame(FrameType.PING, 0, Buffer.alloc(8)));
    const atConnector = listen(connector);
    const atRelay = listen(relay);
    await Promise.all([atConnector.first, atRelay.first]);
    expect(atConnector.frames.map((frame) => frame.type)).toEqual([FrameType.KEYS]);
    expect(atRelay.frames.map((frame) => frame.type)).toEqual([FrameType.PING]);
  });

  it("may send a HELLO over 4 KiB right behind its proof", async () => {
    const services = Array.from({ length: 1_000 }, (_, i) => ({ name: `service-${i}`, kind: "http" }));
    const { outcome } = await speak((nonce) => [proofFrame(nonce), helloFrame({ ...HELLO, services })]);
    expect(outcome.kind).toBe("admitted");
  });
});

describe("before a signature verifies", () => {
  it("answers every failure with the same frames and the same close (R-K9)", async () => {
    const attempts: Record<string, (nonce: Buffer) => readonly Buffer[]> = {
      "unknown id": (nonce) => [proofFrame(nonce, "nobody", STRANGER.privateKey)],
      "unknown id, known key": (nonce) => [proofFrame(nonce, "nobody", KNOWN.privateKey)],
      "known id, wrong key": (nonce) => [proofFrame(nonce, "known", STRANGER.privateKey)],
      "revoked id, wrong key": (nonce) => [proofFrame(nonce, "revoked", STRANGER.privateKey)],
      "signed for another relay": (nonce) => [proofFrame(nonce, "known", KNOWN.privateKey, "https://evil.example.com")],
      "signed for http": (nonce) => [proofFrame(nonce, "known", KNOWN.privateKey, "http://auth.example.com")],
      "signed for another nonce": () => [proofFrame(Buffer.alloc(32, 1))],
      "no id": (nonce) => [encodeFrame(FrameType.PROOF, 0, proof(nonce, "", KNOWN.privateKey))],
      "an id of 129 bytes": (nonce) => [encodeFrame(FrameType.PROOF, 0, proof(nonce, "i".repeat(129), KNOWN.privateKey))],
      "a proof too short": (nonce) => [encodeFrame(FrameType.PROOF, 0, proof(nonce, "known", KNOWN.privateKey).subarray(1))],
      "a proof too long": (nonce) => [
        encodeFrame(FrameType.PROOF, 0, Buffer.concat([proof(nonce, "known", KNOWN.privateKey), Buffer.of(0)])),
      ],
      "an empty proof": () => [encodeFrame(FrameType.PROOF, 0, Buffer.alloc(0))],
      "HELLO before PROOF": (nonce) => [helloFrame(), proofFrame(nonce)],
      "an extension frame": () => [encodeFrame(0x80, 0, Buffer.alloc(4))],
      "a frame with a stream id": (nonce) => [encodeFrame(FrameType.PROOF, 1, proof(nonce, "known", KNOWN.privateKey))],
      "two frames in one message": (nonce) => [Buffer.concat([encodeFrame(FrameType.PING, 0, Buffer.alloc(8)), proofFrame(nonce)])],
      "an empty message": () => [Buffer.alloc(0)],
      "half a frame": (nonce) => [proofFrame(nonce).subarray(0, 50)],
      "a message over 4 KiB": () => [encodeFrame(FrameType.PROOF, 0, Buffer.alloc(MAX_UNAUTHENTICATED_BYTES))],
    };
    const outcomes = new Map<string, unknown>();
    for (const [title, say] of Object.entries(attempts)) {
      [relay, connector] = memoryTransports();
      const { outcome, listener } = await speak(say);
      expect([title, outcome.kind]).toEqual([title, "failed"]);
      outcomes.set(title, await learned(listener));
    }
    const [constant] = outcomes.values();
    for (const [title, outcome] of outcomes) expect([title, outcome]).toEqual([title, constant]);
    expect(constant).toMatchObject({ close: { code: CloseCode.AUTHENTICATION_FAILED }, frames: [[FrameType.GOAWAY, expect.any(String)]] });
  });

  it("does not take a proof again that another connection has sent", async () => {
    let recorded: Buffer | undefined;
    const first = await speak((nonce) => [(recorded = proofFrame(nonce)), helloFrame()]);
    expect(first.outcome.kind).toBe("admitted");
    [relay, connector] = memoryTransports();
    const second = await speak(() => [recorded as Buffer, helloFrame()]);
    expect(second.outcome).toEqual({ kind: "failed", why: "credential" });
  });

  it("does not answer a second proof after the first one failed", async () => {
    const { outcome, listener } = await speak((nonce) => [
      proofFrame(nonce, "known", STRANGER.privateKey),
      proofFrame(nonce),
      helloFrame(),
    ]);
    expect(outcome).toEqual({ kind: "failed", why: "credential" });
    await listener.closed;
    expect(listener.frames.map((frame) => frame.type)).toEqual([FrameType.CHALLENGE, FrameType.GOAWAY]);
  });

  it("waits ten seconds and no longer", async () => {
    const listener = listen(connector);
    const result = serve();
    await listener.first;
    clock.advance(HANDSHAKE_TIMEOUT_MS - 1);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(1);
    expect(await result).toEqual({ kind: "failed", why: "timeout" });
    expect((await listener.closed).code).toBe(CloseCode.HANDSHAKE_TIMEOUT);
  });

  it("gives the whole handshake ten seconds, HELLO included", async () => {
    const listener = listen(connector);
    const result = serve();
    const nonce = await listener.first;
    clock.advance(6_000);
    connector.send(proofFrame(nonce));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    clock.advance(4_000);
    expect(await result).toEqual({ kind: "failed", why: "timeout" });
  });

  it("notices a peer that goes away", async () => {
    const result = serve();
    connector.cut();
    expect(await result).toEqual({ kind: "failed", why: "lost" });
  });

  it("survives a credential store that throws", async () => {
    const listener = listen(connector);
    const result = relayHandshake({
      transport: relay,
      authUrl: AUTH_URL,
      lookup: () => {
        throw new Error("disk");
      },
      decoyKey: DECOY,
      admit: () => ({ hello: ANSWER }),
      clock,
    });
    connector.send(proofFrame(await listener.first));
    expect(await result).toEqual({ kind: "failed", why: "protocol" });
  });
});

describe("after a signature verifies", () => {
  it("tells a revoked credential so", async () => {
    const { outcome, listener } = await speak((nonce) => [proofFrame(nonce, "revoked", REVOKED.privateKey)]);
    expect(outcome).toMatchObject({ kind: "refused", credentialId: "revoked", reason: GoawayReason.CREDENTIAL_REVOKED });
    await listener.closed;
    const goaway = listener.frames[1]?.payload as Buffer;
    expect(readGoaway(goaway, 0, goaway.length).reason).toBe(GoawayReason.CREDENTIAL_REVOKED);
  });

  it.each<[string, Buffer]>([
    ["is not JSON", encodeFrame(FrameType.HELLO, 0, Buffer.from("{"))],
    ["has a member of a wrong type", helloFrame({ ...HELLO, services: 1 })],
    ["is another frame", encodeFrame(FrameType.PING, 0, Buffer.alloc(8))],
    ["is two frames in one message", Buffer.concat([helloFrame(), helloFrame()])],
  ])("names the violation when HELLO %s", async (_title, message) => {
    const { outcome, listener } = await speak((nonce) => [proofFrame(nonce), message]);
    expect(outcome).toEqual({ kind: "failed", why: "protocol" });
    expect(await listener.closed).toEqual({ code: CloseCode.PROTOCOL_ERROR, reason: "ERR_PROTOCOL_HANDSHAKE" });
    const goaway = listener.frames[1]?.payload as Buffer;
    expect(readGoaway(goaway, 0, goaway.length)).toMatchObject({
      reason: GoawayReason.PROTOCOL_ERROR,
      text: expect.stringMatching(/^ERR_PROTOCOL_HANDSHAKE/),
    });
  });

  it("passes on a refusal with its reason, text and delay", async () => {
    const result = serve(() => ({ refuse: GoawayReason.HOSTNAME_NOT_GRANTED, text: "hostname x is not granted", delayMs: 5_000 }));
    const error = await dial().catch((thrown: unknown) => thrown);
    expect(await result).toMatchObject({ kind: "refused", reason: GoawayReason.HOSTNAME_NOT_GRANTED });
    expect(error).toBeInstanceOf(HandshakeError);
    expect(error).toMatchObject({
      code: "ERR_TUNNEL_REFUSED",
      retryable: false,
      message: "hostname x is not granted",
      goaway: { reason: GoawayReason.HOSTNAME_NOT_GRANTED, delayMs: 5_000 },
    });
  });

  it("lets a refusal that passes be tried again", async () => {
    void serve(() => ({ refuse: GoawayReason.OVERLOAD, text: "later", delayMs: 1 }));
    expect(await dial().catch((error: unknown) => error)).toMatchObject({ code: "ERR_TUNNEL_REFUSED", retryable: true });
  });
});

describe("a connector at a relay that misbehaves", () => {
  it("learns that its credential is not accepted, whatever the cause", async () => {
    void serve();
    expect(await dial("nobody").catch((error: unknown) => error)).toMatchObject({ code: "ERR_TUNNEL_REFUSED", retryable: false });
  });

  it.each<[string, readonly Buffer[]]>([
    ["HELLO without a challenge", [helloFrame(ANSWER)]],
    ["a challenge of a wrong length", [encodeFrame(FrameType.CHALLENGE, 0, Buffer.alloc(31))]],
    ["a second challenge", [encodeFrame(FrameType.CHALLENGE, 0, Buffer.alloc(32)), encodeFrame(FrameType.CHALLENGE, 0, Buffer.alloc(32))]],
    ["a stream before the end of the handshake", [encodeFrame(FrameType.OPEN, 1, Buffer.alloc(14))]],
    ["a HELLO without members", [encodeFrame(FrameType.CHALLENGE, 0, Buffer.alloc(32)), helloFrame({})]],
    ["bytes of another protocol", [Buffer.from("SSH-2.0-OpenSSH_9.9\r\n")]],
  ])("gives up on %s, and may try again", async (_title, messages) => {
    const listener = listen(relay);
    const told = dial();
    for (const message of messages) relay.send(message);
    expect(await told.catch((error: unknown) => error)).toMatchObject({ code: "ERR_TUNNEL_HANDSHAKE", retryable: true });
    await listener.closed;
  });

  it("waits ten seconds for it", async () => {
    const told = dial();
    clock.advance(HANDSHAKE_TIMEOUT_MS);
    expect(await told.catch((error: unknown) => error)).toMatchObject({ code: "ERR_TUNNEL_HANDSHAKE_TIMEOUT", retryable: true });
  });

  it("notices that it is gone", async () => {
    const told = dial();
    relay.cut();
    expect(await told.catch((error: unknown) => error)).toMatchObject({ code: "ERR_TUNNEL_LOST", retryable: true });
  });
});

it("signs these bytes for ever", () => {
  const bytes = proofMessage({
    authUrl: "https://a.example/x",
    relayNonce: Buffer.alloc(32, 1),
    connectorNonce: Buffer.alloc(32, 2),
    credentialId: "id",
  });
  const expected = ["sallyport.v1 proof\0", "\0\x11https://a.example", "\x01".repeat(32), "\x02".repeat(32), "id"].join("");
  expect(bytes.toString("latin1")).toBe(expected);
});
