// The head of a request on its way to an origin, as HTTP/1.1 text. Framing and connection fields are written here and
// nowhere else (R-D2). Pure; must not know sockets. Its input was validated (R-D3): nothing is judged again.

import type { OriginRequest } from "./exchange.ts";

/**
 * Text of the head, one character per octet, with its empty line.
 * @param close tells the origin that the connection will not be used again
 */
export function requestHead(request: OriginRequest, close: boolean): string {
  const { method, path, authority, fields, body, upgrade } = request;
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n`;
  if (upgrade) head += "Connection: Upgrade\r\n";
  else if (close) head += "Connection: close\r\n";
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  if (upgrade) head += "Upgrade: websocket\r\n";
  if (body.kind === "length") head += `Content-Length: ${body.bytes}\r\n`;
  else if (body.kind === "unknown") head += "Transfer-Encoding: chunked\r\n";
  return `${head}\r\n`;
}
