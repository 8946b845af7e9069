// The one way out to identity providers: discovery, keys, tokens, userinfo, GitHub's API. Bounds every request (R-F7):
// https only, no redirect is followed, 10 s, 256 kB, no address of a private network unless the configuration says so.
// Must not know what is asked.

import { lookup as systemLookup, type LookupAddress, type LookupOptions } from "node:dns";
import { isIP } from "node:net";
import { SallyportError } from "@sallyport/shared/errors";
import ipaddr from "ipaddr.js";
import { Agent, fetch as undiciFetch } from "undici";

/** For one whole exchange: name, connection, head and body. */
export const FETCH_TIMEOUT_MS = 10_000;
/** Bytes of an answer after decompression. */
export const MAX_ANSWER_BYTES: number = 256 * 1024;

export interface ProviderRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | URLSearchParams | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches an https URL. The answer's body is in memory already; a redirect is returned as it is, never followed.
 * @throws SallyportError ERR_PROVIDER_UNREACHABLE (retryable) for network and time, ERR_PROVIDER_INVALID for what is refused
 */
export type ProviderFetch = (url: string, request: ProviderRequest) => Promise<Response>;

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;
export type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void;

export interface ProviderNetwork {
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  readonly lookup?: Lookup;
}

export interface ProviderFetchOptions extends ProviderNetwork {
  readonly allowPrivateNetwork: boolean;
  /** Default {@link FETCH_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

export function createProviderFetch(options: ProviderFetchOptions): ProviderFetch {
  const timeoutMs = options.timeoutMs ?? FETCH_TIMEOUT_MS;
  const lookup = guarded(options.lookup ?? (systemLookup as Lookup), options.allowPrivateNetwork);
  const ca = options.ca === undefined ? {} : { ca: options.ca };
  const dispatcher = new Agent({
    connections: 8,
    connect: { ...ca, lookup, timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });

  return async (url, request) => {
    const target = new URL(url);
    refuseTarget(target, options.allowPrivateNetwork);
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    try {
      const { method, headers, body } = request;
      const response = await undiciFetch(target, {
        method,
        headers: { ...headers },
        body: body ?? null,
        redirect: "manual",
        signal,
        dispatcher,
      });
      const bytes = await readBounded(response.body, target);
      if (response.status >= 500 || response.status === 429) throw outOfOrder(target, response.status);
      const fields = [...response.headers].filter(([name]) => name !== "content-encoding" && name !== "content-length");
      return new Response(bytes.length === 0 ? null : bytes, { status: response.status, headers: fields });
    } catch (error) {
      throw error instanceof SallyportError ? error : unreachable(target, error);
    }
  };
}

async function readBounded(body: AsyncIterable<Uint8Array> | null, target: URL): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw invalid(`the answer of ${target.host} is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function refuseTarget(target: URL, allowPrivateNetwork: boolean): void {
  if (target.protocol !== "https:") throw invalid(`${target.protocol}//${target.host} is not https`);
  if (target.username !== "" || target.password !== "") throw invalid(`the URL of ${target.host} has a user name in it`);
  // Literals never reach the lookup below.
  const literal = target.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivateNetwork && isIP(literal) !== 0 && isPrivate(literal)) throw privateNetwork(target.hostname);
}

/** Checked where the connection is made, so that a name cannot change its address between check and use. */
function guarded(lookup: Lookup, allowPrivateNetwork: boolean): Lookup {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, answer) => {
      if (error !== null) return callback(error, []);
      const addresses = answer as LookupAddress[];
      const [first] = addresses;
      if (first === undefined) return callback(new Error(`${hostname} has no address`), []);
      if (!allowPrivateNetwork && addresses.some(({ address }) => isPrivate(address))) return callback(privateNetwork(hostname), []);
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

/** Everything but global unicast; an IPv4-mapped address is IPv4 (R-N5). */
export function isPrivate(address: string): boolean {
  return !ipaddr.isValid(address) || ipaddr.process(address).range() !== "unicast";
}

function privateNetwork(hostname: string): SallyportError {
  return invalid(`${hostname} is in a private network, and this provider has no allowPrivateNetwork`);
}

/** What is wrong with the provider passes; nothing that it says then is an answer. */
function outOfOrder(target: URL, status: number): SallyportError {
  return new SallyportError("ERR_PROVIDER_UNREACHABLE", `${target.host} answers with status ${status}`, { retryable: true });
}

function invalid(message: string): SallyportError {
  return new SallyportError("ERR_PROVIDER_INVALID", message);
}

function unreachable(target: URL, error: unknown): SallyportError {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) if (cause instanceof SallyportError) return cause;
  return new SallyportError("ERR_PROVIDER_UNREACHABLE", `${target.host} cannot be reached: ${reasonOf(error)}`, { retryable: true });
}

/** A system's or TLS's code where there is one: no text of the peer. */
function reasonOf(error: unknown): string {
  let reason = "no answer";
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === "TimeoutError") return "no answer in time";
    const { code } = cause as { readonly code?: unknown };
    if (typeof code === "string") reason = code;
  }
  return reason;
}
