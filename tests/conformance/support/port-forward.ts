// An HTTP CONNECT proxy that leads every name to one port of loopback: it stands for the port forwarding between the
// public port 443 and the listener. Must not know Sallyport.

import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

/** @returns the proxy's URL; it ends with the stack */
export async function startPortForward(stack: AsyncDisposableStack, port: number): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on("connect", (_request, client: Socket) => {
    const forward = connect({ host: "127.0.0.1", port }, () => {
      client.write("HTTP/1.1 200 Connected\r\n\r\n");
      forward.pipe(client).pipe(forward);
    });
    for (const socket of [client, forward]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
