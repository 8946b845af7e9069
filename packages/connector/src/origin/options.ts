// What a service of the connector's allow list is: the addresses it dials and how. Plain types and the reading
// of an origin's URL, so that the configuration schema, the router and the docs share one definition.
// Must not know YAML, files, environment variables or sockets.

import { isFieldValue, isToken, trimOws } from "@sallyport/shared/http/grammar";
import { normaliseApplicationPath } from "@sallyport/shared/http/path-prefix";
import type { Secret } from "@sallyport/shared/secret";

/** Where requests of a service go. Nothing else is ever dialled (R-K4): redirects are not followed. */
export type OriginAddress =
  | { readonly kind: "http"; readonly secure: boolean; readonly http2: boolean; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly http2: boolean; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** Answers every request with this status (200 to 599) and no body; dials nothing. */
  | { readonly kind: "status"; readonly status: number }
  /** The built-in test page with SSE at /sse and a WebSocket echo at /ws; dials nothing. */
  | { readonly kind: "hello" };

/** A value that goes into a header: configuration may mark it secret, and then nothing prints it. */
export type HeaderValue = string | Secret;

/** Active health check of each origin of a service. */
export interface HealthCheckOptions {
  /** Path and query of the GET request, starting with "/". Healthy is any status from 200 to 399. */
  readonly path: string;
  /** Pause between two checks. Default 10_000, at least 100. */
  readonly intervalMs: number;
  /** A check without a response head after this time failed. Default 2_000. */
  readonly timeoutMs: number;
  /** Failed checks in a row that make an origin unhealthy. Default 3. */
  readonly unhealthyAfter: number;
  /** Passed checks in a row that make an unhealthy origin healthy again. Default 2. */
  readonly healthyAfter: number;
}

/** How the origins of one service are spoken to (T8). */
export interface OriginOptions {
  /** TCP (and TLS) connection ready within this time. Default 10_000, 1 to 600_000. */
  readonly connectTimeoutMs: number;
  /** Response head within this time after the request was sent. Default undefined: no limit. */
  readonly responseHeaderTimeoutMs: number | undefined;
  /**
   * How long an unused connection is kept; less where the origin's Keep-Alive header says so. Default 4_000,
   * 0 to 4_000 (R-D4: most servers close after 5 s, and a request written into a closing connection is lost).
   */
  readonly poolIdleMs: number;
  /**
   * While the request body is awaited and the origin has not answered: longest time without a byte from the
   * visitor. Default 60_000; undefined switches it off. Never applied to upgraded streams and gRPC.
   */
  readonly requestBodyIdleMs: number | undefined;
  /** Open connections per origin (HTTP/1.1); with HTTP/2, exchanges per origin. Default 4_096. */
  readonly maxConnections: number;
  /** Requests that may wait for a free connection before the next one is refused as overload. Default 1_024. */
  readonly maxQueuedRequests: number;
  /** Host (HTTP/2: :authority) towards the origin. Default undefined: the visitor's authority. */
  readonly hostHeader: string | undefined;
  /** TLS server name sent and verified. Default undefined: the host of the origin's URL. */
  readonly serverName: string | undefined;
  /** PEM certificates that replace the system's roots for this service. Default undefined. */
  readonly ca: string | undefined;
  /** Accepts any certificate. Default false; a warning is logged at each start and reload. */
  readonly insecureSkipVerify: boolean;
  /** Written over whatever the visitor sent under the same name. Names: see {@link headerEditProblem}. */
  readonly setRequestHeaders: Readonly<Record<string, HeaderValue>>;
  readonly removeRequestHeaders: readonly string[];
  readonly setResponseHeaders: Readonly<Record<string, HeaderValue>>;
  readonly removeResponseHeaders: readonly string[];
  /** Cut off the decided path at a segment border ("/app"); a path outside of it is refused (R-A9). */
  readonly stripPrefix: string | undefined;
  /** Put before the path, after stripPrefix ("/base"). */
  readonly addPrefix: string | undefined;
}

/** One entry of the allow list. */
export interface ServiceOptions {
  /** One or more; several are balanced by least outstanding requests. */
  readonly origins: readonly [OriginAddress, ...OriginAddress[]];
  readonly options: OriginOptions;
  readonly healthCheck: HealthCheckOptions | undefined;
}

export const DEFAULT_ORIGIN_OPTIONS: OriginOptions = Object.freeze({
  connectTimeoutMs: 10_000,
  responseHeaderTimeoutMs: undefined,
  poolIdleMs: 4_000,
  requestBodyIdleMs: 60_000,
  maxConnections: 4_096,
  maxQueuedRequests: 1_024,
  hostHeader: undefined,
  serverName: undefined,
  ca: undefined,
  insecureSkipVerify: false,
  setRequestHeaders: Object.freeze({}),
  removeRequestHeaders: Object.freeze([]),
  setResponseHeaders: Object.freeze({}),
  removeResponseHeaders: Object.freeze([]),
  stripPrefix: undefined,
  addPrefix: undefined,
});

/** Everything of a health check but its path. */
export const DEFAULT_HEALTH_CHECK: Omit<HealthCheckOptions, "path"> = Object.freeze({
  intervalMs: 10_000,
  timeoutMs: 2_000,
  unhealthyAfter: 3,
  healthyAfter: 2,
});

/** A service with one origin and every default: what `sallyport http 3000` publishes. */
export function serviceOf(address: OriginAddress, options: Partial<OriginOptions> = {}): ServiceOptions {
  return { origins: [address], options: { ...DEFAULT_ORIGIN_OPTIONS, ...options }, healthCheck: undefined };
}

export type ParsedOriginUrl =
  | { readonly ok: true; readonly address: OriginAddress }
  /** `problem` says what is wrong and what to write instead; fit for a person. */
  | { readonly ok: false; readonly problem: string };

/**
 * Reads an origin as people write it: `http://127.0.0.1:3000`, `https://wiki.internal`, `h2c://127.0.0.1:50051`,
 * `unix:/run/wiki.sock`, `tcp://127.0.0.1:22`, `status:404`, `hello`, or a bare port such as `3000`.
 * @param http2 speak HTTP/2: over TLS by ALPN, else with prior knowledge. `h2c://` implies it.
 */
export function parseOriginUrl(text: string, http2: boolean = false): ParsedOriginUrl {
  if (text === "hello") return { ok: true, address: { kind: "hello" } };
  if (/^\d+$/.test(text)) return parseBarePort(text, http2);
  if (text.startsWith("status:")) return parseStatus(text.slice("status:".length));
  if (text.startsWith("unix:")) return parseUnix(text.slice("unix:".length), http2);
  return parseNetworkUrl(text, http2);
}

function parseBarePort(text: string, http2: boolean): ParsedOriginUrl {
  const port = Number(text);
  if (port < 1 || port > 65_535) return problem(`port ${text} is not between 1 and 65535`);
  return { ok: true, address: { kind: "http", secure: false, http2, host: "127.0.0.1", port } };
}

function parseStatus(text: string): ParsedOriginUrl {
  if (!/^[2-5]\d\d$/.test(text)) return problem(`"status:" wants a number from 200 to 599, for example status:404`);
  return { ok: true, address: { kind: "status", status: Number(text) } };
}

/** Longest path that fits sockaddr_un on Linux, less its final NUL. */
const MAX_UNIX_PATH_BYTES = 107;

function parseUnix(path: string, http2: boolean): ParsedOriginUrl {
  // unix:///run/x.sock is written as often as unix:/run/x.sock, and means the same.
  const absolute = path.startsWith("///") ? path.slice(2) : path;
  if (!absolute.startsWith("/") || absolute.startsWith("//"))
    return problem("a unix socket needs an absolute path, for example unix:/run/wiki.sock");
  if (absolute.includes("\0")) return problem("a unix socket path holds no NUL");
  if (Buffer.byteLength(absolute) > MAX_UNIX_PATH_BYTES) return problem(`a unix socket path has at most ${MAX_UNIX_PATH_BYTES} bytes`);
  return { ok: true, address: { kind: "unix", http2, path: absolute } };
}

const SCHEME = /^(https?|h2c|tcp):\/\//i;

function parseNetworkUrl(text: string, http2: boolean): ParsedOriginUrl {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    return problem(
      "an origin is http://host:port, https://host, h2c://host:port, unix:/path, tcp://host:port, status:NNN, hello, or a port",
    );
  }
  // The URL parser treats http: specially in the way wanted here (IPv4 forms, brackets), whatever the scheme.
  const url = URL.parse(`http://${text.slice(scheme.length + 3)}`);
  if (url === null || url.hostname === "") return problem(`"${text}" is not a valid URL`);
  if (url.username !== "" || url.password !== "")
    return problem("an origin holds no user or password; use setRequestHeaders with a secret");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return problem("an origin holds no path or query; use addPrefix to put a path before every request");
  }
  const port = explicitPort(text.slice(scheme.length + 3), url);
  if (port === 0) return problem("port 0 cannot be dialled");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (scheme === "tcp") {
    if (http2) return problem("http2 does not go with tcp://");
    return port === undefined
      ? problem("tcp:// needs a port, for example tcp://127.0.0.1:22")
      : { ok: true, address: { kind: "tcp", host, port } };
  }
  const secure = scheme === "https";
  return { ok: true, address: { kind: "http", secure, http2: http2 || scheme === "h2c", host, port: port ?? (secure ? 443 : 80) } };
}

/** The URL parser drops a port equal to http's default, so `https://host:80` must be read from the text. */
function explicitPort(afterScheme: string, url: URL): number | undefined {
  if (url.port !== "") return Number(url.port);
  return /:0*80\/?$/.test(afterScheme) ? 80 : undefined;
}

function problem(text: string): ParsedOriginUrl {
  return { ok: false, problem: text };
}

/** One line for logs, `check` and metrics: the form {@link parseOriginUrl} reads. */
export function formatOrigin(address: OriginAddress): string {
  switch (address.kind) {
    case "http":
      return `${address.secure ? "https" : address.http2 ? "h2c" : "http"}://${bracketed(address.host)}:${address.port}`;
    case "unix":
      return `unix:${address.path}`;
    case "tcp":
      return `tcp://${bracketed(address.host)}:${address.port}`;
    case "status":
      return `status:${address.status}`;
    case "hello":
      return "hello";
  }
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Fields that frame a message or bind it to one connection: the connector alone writes them (R-D2). */
const NOT_EDITABLE: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Checks one entry of set/remove request/response headers.
 * @returns what is wrong with it, fit for a person; undefined when it is fine.
 */
export function headerEditProblem(name: string, value: string = ""): string | undefined {
  const lower = name.toLowerCase();
  if (!isToken(name)) return `"${name}" is not a header name`;
  if (lower === "host") return "Host is set with hostHeader";
  if (NOT_EDITABLE.has(lower)) return `${name} is written by the connector itself`;
  if (lower.startsWith("sallyport-")) return `${name} is reserved: headers that start with Sallyport- come from the relay`;
  if (!isFieldValue(value) || trimOws(value) !== value)
    return `the value of ${name} holds a control character, a character beyond latin1, or space around it`;
  return undefined;
}

/**
 * Checks stripPrefix and addPrefix: a leading slash, no dot segments, no query, one reading only.
 * @returns what is wrong, fit for a person; undefined when it is fine.
 */
export function prefixProblem(prefix: string): string | undefined {
  if (normaliseApplicationPath(prefix) !== undefined) return undefined;
  return `a prefix looks like /app or /app/v2; "${prefix}" does not`;
}
