// An HTTP CONNECT proxy with Basic credentials in front of one site, as companies run them: every name below the site leads
// to this machine, any other is refused. Keeps what it was asked for. Must not know what goes through.

import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface ConnectProxy {
  readonly port: number;
  /** With user and password, as HTTPS_PROXY has it. */
  readonly url: string;
  /** `host:port` of every CONNECT with the right credentials, in order. */
  readonly targets: readonly string[];
}

export const PROXY_USER = "alice";
export const PROXY_PASSWORD = "p%ss w:rd";

/**
 * @param site names below it (`corp.test`) lead to 127.0.0.1
 * @param portOf the local port for the one that was asked for
 */
export async function startConnectProxy(
  stack: AsyncDisposableStack,
  site: string,
  portOf: (asked: number) => number = (asked) => asked,
): Promise<ConnectProxy> {
  const expected = `Basic ${Buffer.from(`${PROXY_USER}:${PROXY_PASSWORD}`).toString("base64")}`;
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => void response.writeHead(405).end());
  server.on("connect", (request, near: Socket, head: Buffer) => {
    sockets.add(near);
    near.on("error", () => undefined);
    const [, host = "", port = "0"] = /^(.+):(\d+)$/.exec(request.url ?? "") ?? [];
    if (request.headers["proxy-authorization"] !== expected) {
      near.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="out"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      return;
    }
    if (!host.endsWith(`.${site}`)) {
      near.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    targets.push(`${host}:${port}`);
    const far = connect(portOf(Number(port)), "127.0.0.1", () => {
      near.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      far.write(head);
      near.pipe(far).pipe(near);
    });
    sockets.add(far);
    far.on("error", () => near.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"));
    near.on("close", () => far.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${PROXY_USER}:${encodeURIComponent(PROXY_PASSWORD)}@127.0.0.1:${port}`;
  return { port, url, targets };
}
