// One request over a raw socket: whether the answer is what the row expects, and how many bytes it has on the wire,
// by which the bytes that wrk counts are checked. Knows HTTP/1.1 with Content-Length only.

import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { within } from "../../tests/harness/scratch.ts";
import type { Side } from "./side.ts";

const PROBE_TIMEOUT_MS = 20_000;

export interface Answer {
  /** Head and body. */
  readonly wireBytes: number;
}

/** @throws when the answer is not 200 with exactly that many bytes of body */
export async function probe(side: Side, path: string, headers: Readonly<Record<string, string>>, bodyBytes: number): Promise<Answer> {
  const socket = open(new URL(side.url));
  try {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.1\r\n${fields.join("")}\r\n`);
    return await within(PROBE_TIMEOUT_MS, `probe of ${side.name} ${path}`, read(socket, side, path, bodyBytes));
  } finally {
    socket.destroy();
  }
}

function open(url: URL): Socket {
  const port = Number(url.port);
  // The certificate is of an authority of this run, and the peer is a child of this process.
  return url.protocol === "https:" ? connectTls({ host: url.hostname, port, rejectUnauthorized: false }) : connectTcp(port, url.hostname);
}

async function read(socket: Socket, side: Side, path: string, bodyBytes: number): Promise<Answer> {
  let received = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) continue;
    const head = received.toString("latin1", 0, end);
    const wireBytes = end + 4 + bodyBytes;
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (!head.startsWith("HTTP/1.1 200 ") || Number(length) !== bodyBytes || received.length > wireBytes) {
      throw new Error(`${side.name} answered ${path} with something else than 200 and ${bodyBytes} bytes:\n${head}`);
    }
    if (received.length === wireBytes) return { wireBytes };
  }
  throw new Error(`${side.name} closed the connection within the answer to ${path}`);
}
