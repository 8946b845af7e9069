// Looks at the first bytes of a connection before its owner does: for the PROXY header, and for the TLS ClientHello.
// Bounded in time by its caller's clock and in bytes by the judge. Must not know what the bytes mean.

import type { Socket } from "node:net";
import type { Clock } from "@sallyport/shared/clock";

export interface ReadAhead {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /**
   * Looks at everything received so far.
   * @returns how many of the bytes are spent; `more`: wait for further ones; `stop`: the connection was refused
   */
  judge(received: Buffer): number | "more" | "stop";
  /** No verdict in time. */
  timedOut(): void;
  /** What is not spent is in the socket again, which is paused. */
  done(): void;
}

export function readAhead(socket: Socket, { clock, timeoutMs, judge, timedOut, done }: ReadAhead): void {
  let received: Buffer = Buffer.alloc(0);
  const stop = (): void => {
    timer.cancel();
    socket.off("data", onData);
    socket.off("end", onEnd);
  };
  const timer = clock.after(timeoutMs, () => {
    stop();
    timedOut();
  });
  const onData = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const verdict = judge(received);
    if (verdict === "more") return;
    stop();
    if (verdict === "stop") return;
    socket.pause();
    if (received.length > verdict) socket.unshift(received.subarray(verdict));
    done();
  };
  const onEnd = (): void => void socket.destroy();
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.once("close", () => timer.cancel());
  socket.resume();
}
