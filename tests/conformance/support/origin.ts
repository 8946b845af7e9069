// The judge of the conformance suite: an origin that speaks raw bytes, keeps exactly what it received, and reads it by
// the strictest rules there are. What it could not read as one plain request is a violation. Must not know Sallyport.

import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** One request as it arrived, byte for byte (latin1). */
export interface RecordedRequest {
  readonly raw: string;
  readonly line: string;
  readonly method: string;
  readonly target: string;
  /** Names as they were written, in order, duplicates kept. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Decoded where it was chunked. */
  readonly body: string;
  /** Number of the connection it came on, from 1. */
  readonly connection: number;
  /** All values of a field, whatever the case of its name. */
  values(name: string): readonly string[];
}

/** What the origin writes for a request; a string is written as latin1. */
export type Responder = (request: RecordedRequest, socket: Socket) => string | undefined | void;

const HEAD_END = "\r\n\r\n";
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\/[\x21-\x7e\x80-\xff]*) HTTP\/1\.1$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)$/;

export function ok(body = "served", ...fields: readonly string[]): string {
  return `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join("")}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export class RecordingOrigin {
  readonly requests: RecordedRequest[] = [];
  /** What no strict reader would have taken for one request. */
  readonly violations: string[] = [];
  /** Heads whose body has not come yet, in order of arrival. */
  readonly heads: string[] = [];
  /** Raw bytes after a 101, by connection. */
  readonly switched: string[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  respond: Responder = () => ok();
  /** A second word when a head is complete, before its body: 100 Continue, an early answer. */
  onHead: (head: string, socket: Socket) => void = () => {};
  readonly #server: Server = createServer((socket) => this.#accept(socket));

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  /** Answers as at the start. */
  reset(): void {
    this.respond = () => ok();
    this.onHead = () => {};
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const connection = ++this.connections;
    this.sockets.add(socket);
    let text = "";
    let announced = false;
    let switched = false;
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (chunk) => {
      if (switched) return void (this.switched[connection] += chunk.toString("latin1"));
      text += chunk.toString("latin1");
      for (;;) {
        const end = text.indexOf(HEAD_END);
        if (end < 0) return;
        const head = text.slice(0, end + HEAD_END.length);
        if (!announced) {
          announced = true;
          this.heads.push(head);
          this.onHead(head, socket);
        }
        const taken = take(text, head, connection);
        if (taken === undefined) return;
        text = text.slice(taken.length);
        announced = false;
        if (typeof taken.request === "string") return this.#violation(taken.request, socket);
        this.requests.push(taken.request);
        const answer = this.respond(taken.request, socket);
        if (typeof answer !== "string") continue;
        socket.write(answer, "latin1");
        if (answer.startsWith("HTTP/1.1 101 ")) {
          switched = true;
          this.switched[connection] = text;
          return;
        }
      }
    });
  }

  #violation(problem: string, socket: Socket): void {
    this.violations.push(problem);
    socket.destroy();
  }
}

/** The first whole request of `text`; a string in its place says why it is none; undefined when more must come. */
function take(text: string, head: string, connection: number): { length: number; request: RecordedRequest | string } | undefined {
  const [line = "", ...fieldLines] = head.slice(0, -HEAD_END.length).split("\r\n");
  const bad = (problem: string): { length: number; request: string } => ({
    length: text.length,
    request: `${problem}: ${JSON.stringify(head)}`,
  });
  const match = REQUEST_LINE.exec(line);
  if (match === null) return bad("request line");
  const fields: (readonly [string, string])[] = [];
  for (const fieldLine of fieldLines) {
    const field = FIELD_LINE.exec(fieldLine);
    if (field === null) return bad("field line");
    fields.push([field[1] as string, field[2] as string]);
  }
  const values = (name: string): string[] => fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  const lengths = values("content-length");
  const codings = values("transfer-encoding");
  if (lengths.length + codings.length > 1) return bad("several framings");
  if (values("host").length !== 1) return bad("not one Host");
  const rest = text.slice(head.length);
  const body = codings.length > 0 ? takeChunks(rest) : takeLength(rest, lengths[0] ?? "0");
  if (body === undefined) return undefined;
  if (typeof body === "string" || codings.some((coding) => coding !== "chunked"))
    return bad(`body ${typeof body === "string" ? body : "coding"}`);
  const length = head.length + body.length;
  const [, method = "", target = ""] = match;
  return { length, request: { raw: text.slice(0, length), line, method, target, fields, body: body.content, connection, values } };
}

function takeLength(text: string, declared: string): { content: string; length: number } | string | undefined {
  if (!/^\d{1,15}$/.test(declared)) return "length";
  const length = Number(declared);
  return text.length < length ? undefined : { content: text.slice(0, length), length };
}

/** Only what a writer without fantasy produces: lower- or upper-case hexadecimal, no extension, no trailers. */
function takeChunks(text: string): { content: string; length: number } | string | undefined {
  let content = "";
  for (let at = 0; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = text.slice(at, lineEnd);
    if (!/^[0-9a-fA-F]{1,8}$/.test(size)) return `chunk size ${size}`;
    const length = Number.parseInt(size, 16);
    const start = lineEnd + 2;
    if (text.length < start + length + 2) return undefined;
    if (text.slice(start + length, start + length + 2) !== "\r\n") return "chunk end";
    content += text.slice(start, start + length);
    at = start + length + 2;
    if (length === 0) return { content, length: at };
  }
}
