// Load of ws-idle-memory, a process of its own: opens that many WebSockets and keeps them, silent. Raw sockets, because
// a library's memory would be this process's problem. Arguments: port, count, path, headers as JSON. Prints `open N`.

import { connect } from "node:net";
import type { Socket } from "node:net";

const AT_ONCE = 50;
const [port = "", count = "", path = "", headers = ""] = process.argv.slice(2);
const fields = Object.entries(JSON.parse(headers) as Record<string, string>).map(([name, value]) => `${name}: ${value}\r\n`);
const HEAD = `GET ${path} HTTP/1.1\r\n${fields.join("")}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
const open: Socket[] = [];

function openOne(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(HEAD));
    socket.once("data", (data: Buffer) => {
      if (data.toString("latin1").startsWith("HTTP/1.1 101 ")) resolve();
      else reject(new Error(`not switched: ${data.toString("latin1", 0, 500)}`));
    });
    socket.once("error", reject);
    socket.once("close", () => {
      process.stderr.write("a WebSocket was closed\n");
      process.exit(1);
    });
    open.push(socket);
  });
}

const total = Number(count);
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (open.length < total) await openOne();
  }),
);
process.stdout.write(`open ${open.length}\n`);
