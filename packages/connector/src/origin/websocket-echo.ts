// The server's half of a WebSocket (RFC 6455), as much as an echo needs: every data frame goes back as it came,
// a ping is answered, a close is returned. For the test page only. Must not know HTTP beyond the handshake.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import { acceptKey, readUpgrade } from "@sallyport/shared/http/upgrade";

const MAX_FRAME_BYTES = 1_048_576;

const Opcode = { CLOSE: 0x8, PING: 0x9, PONG: 0xa } as const;
const CLOSE_PROTOCOL_ERROR = 1002;
const CLOSE_TOO_BIG = 1009;

interface Frame {
  /** FIN, reserved bits and opcode, as received. */
  readonly firstByte: number;
  readonly opcode: number;
  readonly payload: Buffer;
  /** Length on the wire. */
  readonly wireBytes: number;
}

type Parsed =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly closeCode: number };

/** Takes over an upgrade request: switches and echoes, or refuses. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex, first: Buffer): void {
  const reading = readUpgrade({ httpVersion: "1.1", method: request.method ?? "", fields: request.rawHeaders });
  socket.on("error", () => socket.destroy());
  if (reading.kind !== "websocket") {
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptKey(reading.key)}\r\n\r\n`,
  );
  let pending = first;
  const take = (chunk: Buffer): void => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const parsed = parseFrame(pending);
      if (parsed.kind === "more") return;
      if (parsed.kind === "bad") return void socket.end(closeFrame(parsed.closeCode));
      pending = pending.subarray(parsed.frame.wireBytes);
      if (!answer(socket, parsed.frame)) return;
    }
  };
  socket.on("data", take);
  socket.on("drain", () => socket.resume());
  socket.on("end", () => socket.end());
  take(Buffer.alloc(0));
}

/** @returns false when the conversation is over */
function answer(socket: Duplex, { firstByte, opcode, payload }: Frame): boolean {
  if (opcode === Opcode.PONG) return true;
  if (opcode === Opcode.CLOSE) {
    socket.end(encode(firstByte, payload));
    return false;
  }
  const more = socket.write(encode(opcode === Opcode.PING ? (firstByte & 0xf0) | Opcode.PONG : firstByte, payload));
  if (!more) socket.pause();
  return true;
}

function parseFrame(bytes: Buffer): Parsed {
  if (bytes.length < 2) return { kind: "more" };
  const second = bytes.readUInt8(1);
  // A client must mask (RFC 6455 section 5.1).
  if ((second & 0x80) === 0) return { kind: "bad", closeCode: CLOSE_PROTOCOL_ERROR };
  const short = second & 0x7f;
  const extraBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
  const maskAt = 2 + extraBytes;
  if (bytes.length < maskAt + 4) return { kind: "more" };
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (length > MAX_FRAME_BYTES) return { kind: "bad", closeCode: CLOSE_TOO_BIG };
  const start = maskAt + 4;
  if (bytes.length < start + length) return { kind: "more" };
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ (bytes[maskAt + (i & 3)] as number);
  const firstByte = bytes.readUInt8(0);
  return { kind: "frame", frame: { firstByte, opcode: firstByte & 0x0f, payload, wireBytes: start + length } };
}

function encode(firstByte: number, payload: Buffer): Buffer {
  const extraBytes = payload.length > 65_535 ? 8 : payload.length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + extraBytes);
  head.writeUInt8(firstByte, 0);
  head.writeUInt8(extraBytes === 8 ? 127 : extraBytes === 2 ? 126 : payload.length, 1);
  if (extraBytes === 2) head.writeUInt16BE(payload.length, 2);
  if (extraBytes === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

function closeFrame(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return encode(0x88, payload);
}
