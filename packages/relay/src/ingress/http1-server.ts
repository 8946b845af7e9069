// HTTP/1.1 connections: node:http's parser on sockets that server.ts hands in, one exchange at a time per
// connection. node:http would hand over a second pipelined request while the first is undecided; here it waits, so
// that nothing behind a refused request is ever looked at (R-D7). Must not know routing, policy or tunnels.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { dispatch, headLimitRefusal, NEVER_FORWARDED, type ConnectionInfo, type EngineContext } from "./engine.ts";
import { Http1Exchange, type Http1Host } from "./http1.ts";
import { ignoreError, TrackedResponse } from "./http1-message.ts";
import { answerOnSocket, Http1UpgradeExchange } from "./http1-upgrade.ts";
import type { IngressLimits } from "./limits.ts";
import { lingeringClose } from "./linger.ts";
import type { RefusalCode } from "./refusals.ts";
import { rawRefusal, respondWith } from "./respond.ts";

/** How often node:http looks for heads that are late. */
const HEADER_CHECK_MS = 1_000;
/** What a head may hold beyond its counted fields before node:http itself says 431: separators, and room to answer 414. */
const HEAD_SLACK_BYTES = 32 * 1024;

interface Waiting {
  readonly req: IncomingMessage;
  readonly res: TrackedResponse;
  readonly kind: "plain" | "continue" | "bad-expectation";
}

class Http1Connection implements Http1Host {
  readonly info: ConnectionInfo;
  readonly context: EngineContext;
  readonly socket: Socket;
  #active: Http1Exchange | undefined;
  readonly #waiting: Waiting[] = [];
  /** Set when nothing more is parsed: what is still in the parser's hands is dropped. */
  #closing = false;
  /** A message behind the waiting ones was not understood: answered in its turn. */
  #failure: RefusalCode | undefined;
  #upgraded = false;
  #lateUpgrade: IncomingMessage | undefined;

  constructor(info: ConnectionInfo, context: EngineContext, socket: Socket) {
    this.info = info;
    this.context = context;
    this.socket = socket;
  }

  get idle(): boolean {
    return this.#active === undefined && !this.#upgraded;
  }

  receive(req: IncomingMessage, res: TrackedResponse, kind: Waiting["kind"]): void {
    if (this.#closing || this.#failure !== undefined) return;
    if (this.#active === undefined) return this.#start({ req, res, kind });
    this.#waiting.push({ req, res, kind });
    if (this.#waiting.length >= this.context.limits.maxPipelined) this.#failure = "ERR_REQUEST_MALFORMED";
  }

  /** Only a WebSocket handshake takes the connection over, and only when no earlier request is unanswered. */
  wantsUpgrade(req: IncomingMessage): boolean {
    if (req.headers.upgrade?.toLowerCase() !== "websocket" || this.#closing) return false;
    if (this.#active === undefined) return true;
    this.#lateUpgrade = req;
    return false;
  }

  upgrade(req: IncomingMessage, head: Buffer): void {
    this.#upgraded = true;
    const refusal = headRefusal(req, this.context.limits);
    if (refusal !== undefined) return this.#refuse(answerOnSocket(this.info, this.context, req, this.socket), refusal);
    dispatch(this.context, new Http1UpgradeExchange(this.info, this.context, req, this.socket, head, ignoreError));
  }

  connect(req: IncomingMessage): void {
    if (this.#active !== undefined || this.#closing) return void this.socket.destroy();
    this.#upgraded = true;
    this.#refuse(answerOnSocket(this.info, this.context, req, this.socket), "ERR_METHOD_NOT_ALLOWED");
  }

  /** node:http could not go on: a malformed message, a late head, or a connection that broke. */
  fail(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer; readonly bytesParsed?: number }): void {
    if (this.#closing || this.#upgraded) return;
    // The visitor said `Connection: close` and sends on: its answer still goes out, the rest is not looked at.
    if (error.code === "HPE_CLOSED_CONNECTION") return void (this.#closing = true);
    const code = refusalOfParserError(error);
    const last = this.#waiting.at(-1);
    const bodyBroken = last === undefined ? this.#active !== undefined && !this.#active.requestComplete : !last.req.complete;
    if (code === undefined || (bodyBroken && error.code === "HPE_INVALID_EOF_STATE")) return this.#gone();
    if (this.#active === undefined) return this.#answerFailure(code);
    if (last === undefined && bodyBroken) return this.#active.failRequest("malformed");
    if (bodyBroken) this.#waiting.pop();
    this.#failure ??= code;
  }

  stopParsing(): void {
    this.#closing = true;
    this.#waiting.length = 0;
    // node:http ends a closing connection through this method; its own version resets a visitor that still sends.
    this.socket.destroySoon = () => lingeringClose(this.socket, this.context.clock);
  }

  exchangeDone(keep: boolean): void {
    this.#active = undefined;
    if (!keep || this.#closing || this.socket.destroyed) return this.#finish();
    const next = this.#waiting.shift();
    if (next !== undefined) return this.#start(next);
    if (this.#failure !== undefined) return this.#answerFailure(this.#failure);
    if (this.context.stopping()) this.#finish();
  }

  #start(next: Waiting): void {
    const exchange = new Http1Exchange(this, next.req, next.res, next.kind === "continue");
    this.#active = exchange;
    const refusal =
      next.kind === "bad-expectation"
        ? "ERR_EXPECT"
        : this.#lateUpgrade === next.req
          ? "ERR_UPGRADE_PIPELINED"
          : headRefusal(next.req, this.context.limits);
    if (refusal === undefined) dispatch(this.context, exchange);
    else this.#refuse(exchange, refusal);
  }

  #refuse(exchange: Http1Exchange, code: RefusalCode): void {
    const requestId = this.context.newRequestId();
    this.context.onRefused({ code, peer: this.info.peer, serverName: this.info.serverName, requestId });
    respondWith(exchange, code, { requestId });
  }

  #answerFailure(code: RefusalCode): void {
    this.stopParsing();
    // Browsers open connections in advance: one that never sent a byte is closed without a word.
    if (this.socket.bytesRead === 0 || !this.socket.writable) return void this.socket.destroy();
    const requestId = this.context.newRequestId();
    this.context.onRefused({ code, peer: this.info.peer, serverName: this.info.serverName, requestId });
    this.socket.write(rawRefusal(code, requestId, this.context.clock.now()));
    lingeringClose(this.socket, this.context.clock);
  }

  #gone(): void {
    this.#closing = true;
    if (this.#active === undefined) this.socket.destroy();
    else this.#active.visitorGone();
  }

  #finish(): void {
    this.stopParsing();
    lingeringClose(this.socket, this.context.clock);
  }
}

/** The HTTP/1.1 side of one listener. */
export class Http1Engine {
  readonly #context: EngineContext;
  readonly #server: Server<typeof IncomingMessage, typeof TrackedResponse>;
  readonly #connections = new WeakMap<Socket, Http1Connection>();
  readonly #open = new Set<Http1Connection>();

  constructor(context: EngineContext) {
    const { limits } = context;
    this.#context = context;
    this.#server = createServer({
      ServerResponse: TrackedResponse,
      // Never the lenient parser: it lets through what smuggling needs (R-D1).
      insecureHTTPParser: false,
      // A missing Host is judged with the other authorities, and answered in our form (R-B1).
      requireHostHeader: false,
      headersTimeout: limits.headerTimeoutMs,
      // No limit on a whole request (R-I3): bodies have their own idle limit.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(HEADER_CHECK_MS, limits.headerTimeoutMs),
      maxHeaderSize: limits.maxUrlBytes + limits.maxHeaderBytes + limits.maxHeaderFields * 4 + HEAD_SLACK_BYTES,
      shouldUpgradeCallback: (req) => this.#connections.get(req.socket)?.wantsUpgrade(req) ?? false,
    });
    this.#server.timeout = 0;
    // No count limit inside node:http, which has been known to cut the list silently: the engine counts (R-L2).
    this.#server.maxHeadersCount = 0;
    this.#listen();
    // A server that does not listen enforces no headersTimeout until it believes that it does.
    this.#server.emit("listening");
  }

  /** The time-outs as node:http has them, for the test that no whole-request limit exists (R-I3). */
  get timeouts(): { readonly headersTimeout: number; readonly requestTimeout: number; readonly timeout: number } {
    const { headersTimeout, requestTimeout, timeout } = this.#server;
    return { headersTimeout, requestTimeout, timeout };
  }

  /** Takes over a connected socket (after TLS where there is TLS). */
  accept(socket: Socket, info: ConnectionInfo): void {
    const connection = new Http1Connection(info, this.#context, socket);
    this.#connections.set(socket, connection);
    this.#open.add(connection);
    socket.on("error", ignoreError);
    socket.on("close", () => this.#open.delete(connection));
    this.#server.emit("connection", socket);
  }

  /** Idle connections close now; the others with their current answer (the context says that the server stops). */
  drain(): void {
    for (const connection of this.#open) {
      if (connection.idle) connection.socket.destroy();
    }
    this.#server.close(ignoreError);
  }

  #listen(): void {
    const server = this.#server;
    const of = (socket: Socket): Http1Connection | undefined => this.#connections.get(socket);
    server.on("request", (req, res) => of(req.socket)?.receive(req, res, "plain"));
    server.on("checkContinue", (req, res) => of(req.socket)?.receive(req, res, "continue"));
    server.on("checkExpectation", (req, res) => of(req.socket)?.receive(req, res, "bad-expectation"));
    server.on("upgrade", (req, socket, head) => of(socket as Socket)?.upgrade(req, head));
    server.on("connect", (req, socket) => of(socket as Socket)?.connect(req));
    server.on("clientError", (error, socket) => of(socket as Socket)?.fail(error));
  }
}

/** What the engine refuses by the head alone, before anybody looks at routes (R-A11, R-L2). */
function headRefusal(req: IncomingMessage, limits: IngressLimits): RefusalCode | undefined {
  // The parser also lets request lines pass that say HTTP/0.9 and HTTP/2.0.
  if (req.httpVersion !== "1.1" && req.httpVersion !== "1.0") return "ERR_REQUEST_MALFORMED";
  return headLimitRefusal(req.method ?? "", req.url ?? "", req.rawHeaders, limits);
}

/** undefined: the connection broke, there is nobody to answer. */
function refusalOfParserError(
  error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer; readonly bytesParsed?: number },
): RefusalCode | undefined {
  const { code } = error;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "ERR_REQUEST_TIMEOUT";
  if (code === "HPE_HEADER_OVERFLOW") return "ERR_FIELDS_TOO_LARGE";
  if (code === "HPE_INVALID_METHOD") return refusalOfMethod(error.rawPacket, error.bytesParsed ?? 0);
  if (code === "HPE_INVALID_TRANSFER_ENCODING" || code === "HPE_UNEXPECTED_CONTENT_LENGTH" || code === "HPE_INVALID_CONTENT_LENGTH")
    return "ERR_REQUEST_FRAMING";
  if (code?.startsWith("HPE_CHUNK_") === true || code === "HPE_INVALID_CHUNK_SIZE") return "ERR_REQUEST_FRAMING";
  return code?.startsWith("HPE_") === true ? "ERR_REQUEST_MALFORMED" : undefined;
}

const METHOD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}) \S+ HTTP\/1\.[01]$/;

/** llhttp knows a fixed list of methods; a well-formed one beyond it is 501, TRACK 405 (R-A13). */
function refusalOfMethod(packet: Buffer | undefined, errorAt: number): RefusalCode {
  if (packet === undefined) return "ERR_REQUEST_MALFORMED";
  const start = errorAt === 0 ? 0 : packet.lastIndexOf("\n", errorAt - 1) + 1;
  const end = packet.indexOf("\r\n", start);
  const line = packet.toString("latin1", start, end === -1 ? Math.min(packet.length, start + 8_192) : end);
  const method = METHOD_LINE.exec(line)?.[1];
  if (method === undefined) return "ERR_REQUEST_MALFORMED";
  return NEVER_FORWARDED.has(method) ? "ERR_METHOD_NOT_ALLOWED" : "ERR_METHOD_UNKNOWN";
}
