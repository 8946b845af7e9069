// Hostile handshakes, in memory: a connector that proves itself, or not, and then says something else than HELLO; and a
// relay that answers with frames out of recorded sessions. The outcome is a value or a HandshakeError, never anything else.

import { generateKeyPairSync, sign } from "node:crypto";
import { ManualClock } from "@sallyport/shared/clock";
import { DEFAULT_MUX_LIMITS } from "@sallyport/shared/mux/connection";
import { memoryTransports, type MemoryTransport } from "@sallyport/shared/mux/memory-transport";
import { readGoaway } from "@sallyport/shared/protocol/control";
import { encodeFrame, FrameType, readFrames } from "@sallyport/shared/protocol/frame";
import {
  connectorHandshake,
  HandshakeError,
  proofMessage,
  relayHandshake,
  type KnownCredential,
} from "@sallyport/shared/protocol/handshake";
import type { ConnectorHello, RelayHello } from "@sallyport/shared/protocol/hello";
import { VIOLATION_CODES, type ViolationCode } from "@sallyport/shared/protocol/violation";
import { MUTATIONS } from "./hostile-frames-mutate.ts";
import type { Random } from "./hostile-frames-random.ts";
import type { Session } from "./hostile-frames-record.ts";

export const AUTH_URL = "https://auth.example.com";
export const KEYS = generateKeyPairSync("ed25519");
export const DECOY_KEY = generateKeyPairSync("ed25519").publicKey;
export const CREDENTIAL: KnownCredential = { tunnel: "office", publicKey: KEYS.publicKey, revoked: false };
export const HELLO: ConnectorHello = {
  software: "hostile",
  limits: DEFAULT_MUX_LIMITS,
  capabilities: [],
  connectorId: "id",
  hostname: "host",
  services: [{ name: "wiki", kind: "http" }],
};
export const ANSWER: RelayHello = {
  software: "relay",
  limits: DEFAULT_MUX_LIMITS,
  capabilities: [],
  time: 1,
  connectionId: "c",
  tunnel: "office",
  grants: [],
};

export function proofFrame(relayNonce: Uint8Array): Buffer {
  const connectorNonce = Buffer.alloc(32, 1);
  const signature = sign(null, proofMessage({ authUrl: AUTH_URL, relayNonce, connectorNonce, credentialId: "known" }), KEYS.privateKey);
  return encodeFrame(FrameType.PROOF, 0, Buffer.concat([connectorNonce, Buffer.of(5), Buffer.from("known"), signature]));
}

export const helloFrame = (hello: object): Buffer => encodeFrame(FrameType.HELLO, 0, Buffer.from(JSON.stringify(hello)));

/** Notes the violation that a GOAWAY names, if it names one. */
export function noteViolation(text: string, hits: Map<ViolationCode, number>): void {
  const code = VIOLATION_CODES.find((known) => text.startsWith(`${known}:`));
  if (code !== undefined) hits.set(code, (hits.get(code) ?? 0) + 1);
}

/** One or two changes to the frames, and sometimes a frame of a recorded session among them. */
function spoiled(frames: readonly Buffer[], sessions: readonly Session[], random: Random): Buffer[] {
  const made = [...frames];
  const mutations = Object.values(MUTATIONS);
  for (let changes = 1 + random.below(2); changes > 0 && made.length > 0; changes--)
    random.pick(mutations)(made, random.below(made.length), random);
  if (random.once(3)) made.splice(random.below(made.length + 1), 0, random.pick(random.pick(sessions).toRelay));
  return made;
}

async function attackRelay(sessions: readonly Session[], random: Random, hits: Map<ViolationCode, number>): Promise<void> {
  const [relay, connector] = memoryTransports();
  const clock = new ManualClock();
  const nonce = Promise.withResolvers<Buffer>();
  listen(connector, (type, payload) => {
    if (type === FrameType.CHALLENGE) nonce.resolve(payload);
    if (type === FrameType.GOAWAY) noteViolation(readGoaway(payload, 0, payload.length).text, hits);
  });
  const result = relayHandshake({
    transport: relay,
    authUrl: AUTH_URL,
    lookup: (id) => (id === "known" ? CREDENTIAL : undefined),
    decoyKey: DECOY_KEY,
    admit: () => ({ hello: ANSWER }),
    clock,
  });
  const valid = [proofFrame(await nonce.promise), helloFrame(HELLO)];
  // Half of them authenticate first, so that what follows is judged as a HELLO.
  const frames = random.once(2) ? spoiled(valid, sessions, random) : [valid[0] as Buffer, ...spoiled(valid.slice(1), sessions, random)];
  for (const frame of frames) connector.send(frame);
  await turns();
  clock.advance(10_000);
  const { kind } = await result;
  if (!["admitted", "failed"].includes(kind) || clock.pendingTimers !== 0)
    throw new Error(`handshake ended as ${kind} with ${clock.pendingTimers} timers`);
  relay.cut();
}

async function attackConnector(sessions: readonly Session[], random: Random): Promise<void> {
  const [relay, connector] = memoryTransports();
  const clock = new ManualClock();
  listen(relay, () => undefined);
  const told = connectorHandshake({
    transport: connector,
    authUrl: AUTH_URL,
    credentialId: "known",
    privateKey: KEYS.privateKey,
    hello: HELLO,
    clock,
  });
  const outcome = told.catch((error: unknown) => error);
  for (const frame of spoiled([encodeFrame(FrameType.CHALLENGE, 0, Buffer.alloc(32)), helloFrame(ANSWER)], sessions, random))
    relay.send(frame);
  await turns();
  clock.advance(10_000);
  const result = await outcome;
  if (result instanceof Error && !(result instanceof HandshakeError)) throw result;
  if (clock.pendingTimers !== 0) throw new Error("a timer was left behind");
  relay.cut();
}

function listen(transport: MemoryTransport, onFrame: (type: number, payload: Buffer) => void): void {
  transport.setReceiver({
    onMessage: (message) =>
      readFrames(message, { onFrame: (type, _end, _id, bytes, start, stop) => onFrame(type, Buffer.from(bytes.subarray(start, stop))) }),
    onInvalidMessage: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  });
}

async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** @throws when a handshake ends in any way but those of its type, or leaves a timer */
export async function attackHandshakes(
  sessions: readonly Session[],
  count: number,
  random: Random,
  hits: Map<ViolationCode, number>,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) await attackRelay(sessions, random, hits);
    else await attackConnector(sessions, random);
  }
}
