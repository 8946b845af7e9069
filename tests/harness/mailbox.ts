// A mail server on loopback that takes every mail and delivers none: what a sign-in by code needs where codes may not be shown
// on a terminal. Speaks as much of SMTP (RFC 5321) as one sender needs; must not know Sallyport.

import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface Mailbox {
  readonly url: string;
  /** The next mail that arrives, or the first one that nobody has taken. */
  next(): Promise<string>;
}

/** Listens on a free port until the stack is disposed of. */
export async function openMailbox(stack: AsyncDisposableStack): Promise<Mailbox> {
  const mails: string[] = [];
  const waiting: ((mail: string) => void)[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    converse(socket, (mail) => {
      const taker = waiting.shift();
      if (taker === undefined) mails.push(mail);
      else taker(mail);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next() {
      const mail = mails.shift();
      return mail === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(mail);
    },
  };
}

function converse(socket: Socket, onMail: (mail: string) => void): void {
  let received = "";
  let inData = false;
  socket.write("220 mailbox\r\n");
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
    for (;;) {
      const end = received.indexOf(inData ? "\r\n.\r\n" : "\r\n");
      if (end < 0) return;
      const part = received.slice(0, end);
      received = received.slice(end + (inData ? 5 : 2));
      if (inData) onMail(part);
      const data = !inData && part.toUpperCase() === "DATA";
      const quit = !inData && part.toUpperCase() === "QUIT";
      inData = data;
      socket.write(data ? "354 go on\r\n" : quit ? "221 bye\r\n" : "250 good\r\n");
      if (quit) socket.end();
    }
  });
}
