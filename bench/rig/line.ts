// A long line: a TCP forwarder with a delay, a speed and a bounded queue, one direction at a time. What is in flight is
// what the speed and the delay allow, so that a sender with too small windows shows. (The forwarder of the fault tests
// takes the next piece only when the last one has arrived, which no sender could fill.)

import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface LineOptions {
  readonly port: number;
  /** One way. */
  readonly delayMs: number;
  readonly bytesPerSecond: number;
  /** Bytes taken in advance of the speed before the sender is held back. */
  readonly queueBytes: number;
}

export interface Line {
  readonly port: number;
}

export async function startLine(stack: AsyncDisposableStack, options: LineOptions): Promise<Line> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: options.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => {});
      pump(from, to, options);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return { port: (server.address() as AddressInfo).port };
}

/** Each piece leaves when the line is free of those before it, and arrives one delay later; order holds. */
function pump(from: Socket, to: Socket, { delayMs, bytesPerSecond, queueBytes }: LineOptions): void {
  let freeAtMs = 0;
  const onTheWay: { readonly chunk: Buffer | undefined; readonly atMs: number }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const arrive = (): void => {
    timer = undefined;
    for (let first = onTheWay[0]; first !== undefined && first.atMs <= performance.now(); first = onTheWay[0]) {
      onTheWay.shift();
      if (first.chunk === undefined) to.end();
      else if (!to.destroyed) to.write(first.chunk);
    }
    wait();
  };
  const wait = (): void => {
    const first = onTheWay[0];
    if (first !== undefined) timer ??= setTimeout(arrive, Math.max(0, first.atMs - performance.now()));
  };
  const send = (chunk: Buffer | undefined): void => {
    const nowMs = performance.now();
    freeAtMs = Math.max(freeAtMs, nowMs) + ((chunk?.length ?? 0) / bytesPerSecond) * 1000;
    onTheWay.push({ chunk, atMs: freeAtMs + delayMs });
    wait();
    const aheadMs = freeAtMs - nowMs - (queueBytes / bytesPerSecond) * 1000;
    if (aheadMs <= 0) return;
    from.pause();
    setTimeout(() => from.resume(), aheadMs);
  };
  from.on("data", send);
  from.on("end", () => send(undefined));
  from.on("close", () => clearTimeout(timer));
}
