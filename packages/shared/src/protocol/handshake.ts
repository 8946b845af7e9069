// The handshake of a tunnel connection (docs/protocol.md section 4): challenge, proof, two HELLOs. One message per frame,
// and the transport is handed over without losing what follows. Both sides, so that they cannot drift apart.

import { randomBytes, sign, verify, type KeyObject } from "node:crypto";
import { systemClock, type Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { encodeGoaway, readGoaway, type Goaway } from "./control.ts";
import type { Transport } from "../mux/transport.ts";
import { CloseCode, GoawayReason, PERMANENT_GOAWAY_REASONS } from "./codes.ts";
import { encodeFrame, FrameType, MAX_MESSAGE_BYTES, readFrames } from "./frame.ts";
import { MAX_HELLO_BYTES, parseConnectorHello, parseRelayHello, relayHelloJson, type ConnectorHello, type RelayHello } from "./hello.ts";
import { ProtocolViolation } from "./violation.ts";

export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** All a stranger may send before the signature verifies (R-K9). */
export const MAX_UNAUTHENTICATED_BYTES = 4_096;
const NONCE_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MAX_CREDENTIAL_ID_BYTES = 128;
const PROOF_CONTEXT = "sallyport.v1 proof\0";
/** The same words for every failure before a signature verifies. */
const NOT_ACCEPTED = "this relay does not accept the credential";

/** A refused or broken handshake, seen from the connector. */
export class HandshakeError extends SallyportError {
  override readonly name: string = "HandshakeError";
  /** What the relay said, when it said something. */
  readonly goaway: Goaway | undefined;

  constructor(code: HandshakeErrorCode, message: string, retryable: boolean, goaway?: Goaway) {
    super(code, message, { retryable });
    this.goaway = goaway;
  }
}

export type HandshakeErrorCode =
  /** The relay sent GOAWAY; `goaway` has reason, delay and text; permanent reasons are not retryable. */
  | "ERR_TUNNEL_REFUSED"
  /** No answer within 10 s. */
  | "ERR_TUNNEL_HANDSHAKE_TIMEOUT"
  /** The connection was lost during the handshake. */
  | "ERR_TUNNEL_LOST"
  /** What came is not this protocol. */
  | "ERR_TUNNEL_HANDSHAKE";

interface ProofInput {
  readonly authUrl: string;
  readonly relayNonce: Uint8Array;
  readonly connectorNonce: Uint8Array;
  readonly credentialId: string;
}

/** The bytes a connector signs: bound to protocol, relay, both nonces and the credential, so usable once and nowhere else. */
export function proofMessage(input: ProofInput): Buffer {
  const authUrl = Buffer.from(new URL(input.authUrl).origin, "latin1");
  const length = Buffer.from([authUrl.length >>> 8, authUrl.length & 0xff]);
  const id = Buffer.from(input.credentialId, "latin1");
  return Buffer.concat([Buffer.from(PROOF_CONTEXT, "latin1"), length, authUrl, input.relayNonce, input.connectorNonce, id]);
}

export interface ConnectorHandshakeOptions {
  readonly transport: Transport;
  /** The URL that was dialled: scheme and authority of the auth host. */
  readonly authUrl: string;
  readonly credentialId: string;
  readonly privateKey: KeyObject;
  readonly hello: ConnectorHello;
  readonly clock?: Clock;
}

/**
 * Authenticates to the relay. Afterwards the transport holds what arrives until a MuxConnection takes it.
 * @throws HandshakeError
 */
export function connectorHandshake(options: ConnectorHandshakeOptions): Promise<RelayHello> {
  const { transport, credentialId, hello } = options;
  const clock = options.clock ?? systemClock;
  let challenged = false;
  return exchange<RelayHello>(transport, clock, {
    onFrame(type, payload) {
      if (type === FrameType.GOAWAY) throw refused(readGoaway(payload, 0, payload.length));
      if (type === FrameType.CHALLENGE && !challenged && payload.length === NONCE_BYTES) {
        challenged = true;
        transport.send(encodeFrame(FrameType.PROOF, 0, proofPayload(options, payload)));
        transport.send(encodeFrame(FrameType.HELLO, 0, Buffer.from(JSON.stringify(hello))));
        return undefined;
      }
      if (type === FrameType.HELLO && challenged) return parseRelayHello(payload.toString("utf8"));
      throw new HandshakeError("ERR_TUNNEL_HANDSHAKE", `unexpected frame type ${type} from the relay for credential ${credentialId}`, true);
    },
    onTimeout: () => new HandshakeError("ERR_TUNNEL_HANDSHAKE_TIMEOUT", "the relay did not finish the handshake within 10 s", true),
    onClose: (code, reason) =>
      new HandshakeError(
        "ERR_TUNNEL_LOST",
        `the relay closed the connection during the handshake (${code}${reason === "" ? "" : ` ${reason}`})`,
        true,
      ),
    onViolation: (violation) => new HandshakeError("ERR_TUNNEL_HANDSHAKE", violation.message, true),
  });
}

/** A refusal as the error a supervisor acts on. */
function refused(goaway: Goaway): HandshakeError {
  return new HandshakeError("ERR_TUNNEL_REFUSED", goaway.text, !PERMANENT_GOAWAY_REASONS.has(goaway.reason), goaway);
}

function proofPayload(options: ConnectorHandshakeOptions, relayNonce: Buffer): Buffer {
  const connectorNonce = randomBytes(NONCE_BYTES);
  const { authUrl, credentialId } = options;
  const signature = sign(null, proofMessage({ authUrl, relayNonce, connectorNonce, credentialId }), options.privateKey);
  const id = Buffer.from(credentialId, "latin1");
  return Buffer.concat([connectorNonce, Buffer.from([id.length]), id, signature]);
}

/** What the relay knows of a credential id. */
export interface KnownCredential {
  readonly tunnel: string;
  readonly publicKey: KeyObject;
  readonly revoked: boolean;
}

/** The relay's word on an authenticated connector: admit with this HELLO, or refuse with a reason. */
export type Admission =
  | { readonly hello: RelayHello }
  | { readonly refuse: GoawayReason; readonly text: string; readonly delayMs?: number };

export interface RelayHandshakeOptions<C extends KnownCredential> {
  readonly transport: Transport;
  readonly authUrl: string;
  lookup(credentialId: string): C | undefined;
  /** Verified when the id is unknown, so that both failures cost the same. */
  readonly decoyKey: KeyObject;
  admit(credential: C, hello: ConnectorHello): Admission;
  readonly clock?: Clock;
}

export type RelayHandshakeResult<C> =
  | {
      readonly kind: "admitted";
      readonly credential: C;
      readonly credentialId: string;
      readonly hello: ConnectorHello;
      readonly answer: RelayHello;
    }
  /** Authenticated, but not admitted. */
  | {
      readonly kind: "refused";
      readonly credential: C;
      readonly credentialId: string;
      readonly reason: GoawayReason;
      readonly text: string;
    }
  /** Not authenticated: unknown id, wrong signature, not our protocol, timeout, gone. Nothing in it is to be believed. */
  | { readonly kind: "failed"; readonly why: "credential" | "protocol" | "timeout" | "lost" };

/** Authenticates a connector. Never throws: every outcome is a value, and the transport is closed unless admitted. */
export async function relayHandshake<C extends KnownCredential>(options: RelayHandshakeOptions<C>): Promise<RelayHandshakeResult<C>> {
  const { transport } = options;
  const relayNonce = randomBytes(NONCE_BYTES);
  let proven: { readonly id: string; readonly credential: C } | undefined;
  transport.limitMessages(MAX_UNAUTHENTICATED_BYTES);
  const outcome = exchange<RelayHandshakeResult<C>>(transport, options.clock ?? systemClock, {
    onFrame(type, payload) {
      if (proven !== undefined) {
        if (type !== FrameType.HELLO || payload.length > MAX_HELLO_BYTES)
          throw new ProtocolViolation("ERR_PROTOCOL_HANDSHAKE", "expected HELLO");
        return admitted(options, proven.id, proven.credential, parseConnectorHello(payload.toString("utf8")));
      }
      if (type !== FrameType.PROOF) return failed(transport, "protocol");
      const id = verifiedId(options, relayNonce, payload);
      const credential = id === undefined ? undefined : options.lookup(id);
      if (id === undefined || credential === undefined) return failed(transport, "credential");
      if (credential.revoked)
        return refuse(
          transport,
          credential,
          id,
          GoawayReason.CREDENTIAL_REVOKED,
          "this credential was revoked; ask the relay's operator for a new one",
        );
      proven = { id, credential };
      transport.limitMessages(MAX_MESSAGE_BYTES);
      return undefined;
    },
    onTimeout: () => failed(transport, "timeout"),
    onClose: () => ({ kind: "failed", why: "lost" }),
    onViolation: (violation) => violated(transport, violation, proven !== undefined),
  });
  transport.send(encodeFrame(FrameType.CHALLENGE, 0, relayNonce));
  return await outcome;
}

/** @returns the credential id when the signature verifies */
function verifiedId<C extends KnownCredential>(options: RelayHandshakeOptions<C>, relayNonce: Buffer, payload: Buffer): string | undefined {
  const idBytes = payload[NONCE_BYTES] ?? 0;
  if (idBytes === 0 || idBytes > MAX_CREDENTIAL_ID_BYTES || payload.length !== NONCE_BYTES + 1 + idBytes + SIGNATURE_BYTES)
    return undefined;
  const connectorNonce = payload.subarray(0, NONCE_BYTES);
  const credentialId = payload.toString("latin1", NONCE_BYTES + 1, NONCE_BYTES + 1 + idBytes);
  const signature = payload.subarray(NONCE_BYTES + 1 + idBytes);
  const known = options.lookup(credentialId);
  const message = proofMessage({ authUrl: options.authUrl, relayNonce, connectorNonce, credentialId });
  const valid = verify(null, message, known?.publicKey ?? options.decoyKey, signature);
  return valid && known !== undefined ? credentialId : undefined;
}

function admitted<C extends KnownCredential>(
  options: RelayHandshakeOptions<C>,
  id: string,
  credential: C,
  hello: ConnectorHello,
): RelayHandshakeResult<C> {
  const admission = options.admit(credential, hello);
  if ("refuse" in admission) return refuse(options.transport, credential, id, admission.refuse, admission.text, admission.delayMs);
  options.transport.send(encodeFrame(FrameType.HELLO, 0, Buffer.from(relayHelloJson(admission.hello))));
  return { kind: "admitted", credential, credentialId: id, hello, answer: admission.hello };
}

function refuse<C>(
  transport: Transport,
  credential: C,
  credentialId: string,
  reason: GoawayReason,
  text: string,
  delayMs = 0,
): RelayHandshakeResult<C> {
  transport.send(encodeFrame(FrameType.GOAWAY, 0, encodeGoaway({ lastStreamId: 0, reason, delayMs, text })));
  transport.close(CloseCode.AUTHENTICATION_FAILED, "refused");
  return { kind: "refused", credential, credentialId, reason, text };
}

function failed(transport: Transport, why: "credential" | "protocol" | "timeout"): { readonly kind: "failed"; readonly why: typeof why } {
  const goaway = { lastStreamId: 0, reason: GoawayReason.CREDENTIAL_UNKNOWN, delayMs: 0, text: NOT_ACCEPTED };
  if (why !== "timeout") transport.send(encodeFrame(FrameType.GOAWAY, 0, encodeGoaway(goaway)));
  transport.close(why === "timeout" ? CloseCode.HANDSHAKE_TIMEOUT : CloseCode.AUTHENTICATION_FAILED, NOT_ACCEPTED);
  return { kind: "failed", why };
}

function violated(
  transport: Transport,
  violation: ProtocolViolation,
  authenticated: boolean,
): { readonly kind: "failed"; readonly why: "protocol" } {
  if (!authenticated) failed(transport, "protocol");
  else {
    const text = `${violation.code}: ${violation.message}`;
    transport.send(
      encodeFrame(FrameType.GOAWAY, 0, encodeGoaway({ lastStreamId: 0, reason: GoawayReason.PROTOCOL_ERROR, delayMs: 0, text })),
    );
    transport.close(CloseCode.PROTOCOL_ERROR, violation.code);
  }
  return { kind: "failed", why: "protocol" };
}

interface Steps<T> {
  /** @returns the outcome, or undefined to wait for the next frame */
  onFrame(type: number, payload: Buffer): T | undefined;
  onTimeout(): T | HandshakeError;
  onClose(code: number, reason: string): T | HandshakeError;
  onViolation(violation: ProtocolViolation): T | HandshakeError;
}

/** Runs frames through the steps until there is an outcome; every message is exactly one frame of stream 0. */
function exchange<T extends object>(transport: Transport, clock: Clock, steps: Steps<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const finish = (outcome: T | HandshakeError): void => {
      timer.cancel();
      transport.setReceiver(undefined);
      if (outcome instanceof HandshakeError) {
        transport.close(CloseCode.GOING_AWAY, "handshake failed");
        reject(outcome);
      } else resolve(outcome);
    };
    const timer = clock.after(HANDSHAKE_TIMEOUT_MS, () => finish(steps.onTimeout()));
    const fail = (error: unknown): void => {
      if (error instanceof HandshakeError) finish(error);
      else
        finish(
          steps.onViolation(error instanceof ProtocolViolation ? error : new ProtocolViolation("ERR_PROTOCOL_HANDSHAKE", "internal error")),
        );
    };
    transport.setReceiver({
      onMessage(message) {
        try {
          const outcome = onlyFrame(message, steps);
          if (outcome !== undefined) finish(outcome);
        } catch (error) {
          fail(error);
        }
      },
      onInvalidMessage: (code) => fail(new ProtocolViolation(code, "not a message of this protocol")),
      onDrain: () => undefined,
      onClose: (code, reason) => finish(steps.onClose(code, reason)),
    });
  });
}

/** The whole message is read before its frame is acted on: a broken one has no effect at all. */
function onlyFrame<T>(message: Buffer, steps: Steps<T>): T | undefined {
  let only: { readonly type: number; readonly payload: Buffer } | undefined;
  readFrames(message, {
    onFrame(type, _end, streamId, bytes, start, stop) {
      if (only !== undefined || streamId !== 0) throw new ProtocolViolation("ERR_PROTOCOL_HANDSHAKE", "one frame of stream 0 per message");
      // A copy: nonces outlast the message.
      only = { type, payload: Buffer.from(bytes.subarray(start, stop)) };
    },
  });
  return only === undefined ? undefined : steps.onFrame(only.type, only.payload);
}
