// Ends a connection whose visitor may still be sending. Closing a socket with unread input makes the kernel send
// a reset, and the reset can overtake the answer in the visitor's receive buffer: an upload refused with 413 would
// look like a broken network. So: half-close, throw away what still comes, up to a bound, then close.

import type { Socket } from "node:net";
import type { Clock } from "@sallyport/shared/clock";

const LINGER_MS = 2_000;
const LINGER_BYTES = 1024 * 1024;

/** Half-closes `socket` after what is queued, discards its input unparsed, and destroys it soon. Idempotent. */
export function lingeringClose(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  // The HTTP parser reads no byte more (R-D7); adding a listener takes the handle back from it.
  socket.removeAllListeners("data");
  let discardedBytes = 0;
  socket.on("data", (chunk: Uint8Array) => {
    discardedBytes += chunk.length;
    if (discardedBytes > LINGER_BYTES) socket.destroy();
  });
  socket.resume();
  const timer = clock.after(LINGER_MS, () => socket.destroy());
  socket.once("close", () => timer.cancel());
  if (socket.readableEnded) destroyWhenWritten(socket);
  else socket.once("end", () => destroyWhenWritten(socket));
  socket.end();
}

function destroyWhenWritten(socket: Socket): void {
  if (socket.writableFinished) socket.destroy();
  else socket.once("finish", () => socket.destroy());
}

/** Faults of a socket reach its owner as 'close'; without a listener they would end the process (R-L9). */
export function ignoreError(): void {}
