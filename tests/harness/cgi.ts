// A small CGI server (RFC 3875), enough for git-http-backend: the request streams into the program's standard
// input, its output streams back as it comes.

import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";

export interface CgiOptions {
  readonly program: string;
  readonly args?: readonly string[];
  /** Variables of the program's own. */
  readonly env: Readonly<Record<string, string>>;
}

const MAX_HEAD_BYTES = 64 * 1024;

function variables(request: IncomingMessage): Record<string, string> {
  const [path = "/", query = ""] = (request.url ?? "/").split("?");
  const headers = Object.entries(request.headers).map(
    ([name, value]) => [`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, String(value)] as const,
  );
  return {
    ...Object.fromEntries(headers),
    GATEWAY_INTERFACE: "CGI/1.1",
    REQUEST_METHOD: request.method ?? "GET",
    PATH_INFO: decodeURIComponent(path),
    QUERY_STRING: query,
    CONTENT_TYPE: request.headers["content-type"] ?? "",
    ...(request.headers["content-length"] === undefined ? {} : { CONTENT_LENGTH: request.headers["content-length"] }),
    REMOTE_ADDR: request.socket.remoteAddress ?? "",
    SERVER_PROTOCOL: `HTTP/${request.httpVersion}`,
  };
}

/** `Status: 404 Not Found` and further fields, as node takes them. */
function parseHead(text: string): { readonly status: number; readonly fields: string[] } {
  let status = 200;
  const fields: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at < 0) continue;
    const [name, value] = [line.slice(0, at), line.slice(at + 1).trim()];
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
    else fields.push(name, value);
  }
  return { status, fields };
}

/** Runs the program for one request. */
export function serveCgi(options: CgiOptions, request: IncomingMessage, response: ServerResponse): void {
  const env = { PATH: process.env["PATH"] ?? "", ...variables(request), ...options.env };
  const child = spawn(options.program, [...(options.args ?? [])], { env, stdio: ["pipe", "pipe", "pipe"] });
  request.pipe(child.stdin);
  // The program may answer without having read everything.
  child.stdin.on("error", () => {});
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  let head: Buffer = Buffer.alloc(0);
  const collect = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = /\r?\n\r?\n/.exec(head.toString("latin1"));
    if (end === null && head.length < MAX_HEAD_BYTES) return;
    child.stdout.off("data", collect);
    child.stdout.pause();
    const bodyAt = end === null ? head.length : end.index + end[0].length;
    const { status, fields } = parseHead(head.subarray(0, bodyAt).toString("latin1"));
    response.writeHead(status, fields);
    response.write(head.subarray(bodyAt));
    child.stdout.pipe(response);
  };
  child.stdout.on("data", collect);
  child.on("close", () => {
    if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" }).end(errors);
  });
  response.on("close", () => child.kill());
}
