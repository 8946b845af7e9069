// Load of slow-reader-memory, a process of its own: that many downloads, each read one block at a time with pauses.
// Arguments: port, count, path, block bytes, pause ms, headers as JSON. Prints `reading N` when each has got a block.

import { connect } from "node:net";
import type { Socket } from "node:net";

const [port = "", count = "", path = "", blockBytes = "", everyMs = "", headers = ""] = process.argv.slice(2);
const fields = Object.entries(JSON.parse(headers) as Record<string, string>).map(([name, value]) => `${name}: ${value}\r\n`);
const HEAD = `GET ${path} HTTP/1.1\r\n${fields.join("")}\r\n`;
const readers: Socket[] = [];

function read(): Promise<void> {
  return new Promise((resolve) => {
    let first = true;
    let taken = 0;
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(HEAD));
    socket.on("data", (data: Buffer) => {
      if (first && !data.toString("latin1", 0, 13).startsWith("HTTP/1.1 200 ")) throw new Error(data.toString("latin1", 0, 500));
      first = false;
      taken += data.length;
      if (taken < Number(blockBytes)) return;
      taken = 0;
      socket.pause();
      resolve();
    });
    socket.on("close", () => {
      throw new Error("a download was cut");
    });
    readers.push(socket);
  });
}

const started = Array.from({ length: Number(count) }, read);
setInterval(() => {
  for (const reader of readers) reader.resume();
}, Number(everyMs));
await Promise.all(started);
process.stdout.write(`reading ${readers.length}\n`);
