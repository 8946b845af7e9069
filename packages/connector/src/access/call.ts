// One small HTTP exchange with a relay, for signing in: bounded in size and time, never redirected, TLS always verified,
// through the same proxy and to the same loopback names as the tunnel. Must not know what is asked.

import { Agent as HttpAgent, request as requestHttp, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent, request as requestHttps } from "node:https";
import { trustedCertificates } from "../tunnel/dial.ts";
import { lookup } from "../tunnel/lookup.ts";
import { describeFailure, timeout } from "../tunnel/dial-error.ts";
import { chooseProxy, displayProxy, type Environment } from "../tunnel/proxy.ts";
import { SOFTWARE } from "../version.ts";

export const CALL_TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 262_144;

/** The way to relays, the same for every exchange of one command. */
export interface Network {
  readonly environment: Environment;
  /** PEM certificates trusted beside the usual ones. */
  readonly ca: string | undefined;
}

export interface CallOptions {
  readonly form?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export type CallResult = { readonly kind: "answer"; readonly status: number; readonly json: Readonly<Record<string, unknown>> } | Failure;

/** Something between here and the relay. `why` and `remedy` for people; an empty remedy: nothing is known that helps. */
export interface Failure {
  readonly kind: "failed";
  readonly why: string;
  readonly remedy: string;
}

/** GET, or POST of a form. Never throws. */
export async function call(url: URL, network: Network, { form, signal }: CallOptions = {}): Promise<CallResult> {
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const connection = connectionOptions(url, network);
  if ("kind" in connection) return connection;
  const headers = {
    Accept: "application/json",
    "User-Agent": SOFTWARE,
    ...(body === undefined ? {} : { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": String(body.length) }),
  };
  const limit = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const options = {
    ...connection,
    method: body === undefined ? "GET" : "POST",
    headers,
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      requestOf(url)(url, options, resolve).on("error", reject).end(body);
    });
    return { kind: "answer", status: response.statusCode ?? 0, json: parse(await readAll(response)) };
  } catch (error) {
    return failureOf(error, url, network);
  }
}

export function requestOf(url: URL): typeof requestHttps {
  return url.protocol === "https:" ? requestHttps : requestHttp;
}

/** How a connection to a relay is made. */
export function connectionOptions(url: URL, { environment, ca }: Network): RequestOptions | Failure {
  const proxy = chooseProxy(url, { kind: "environment" }, environment);
  if (proxy.kind === "invalid") return { kind: "failed", why: proxy.why, remedy: "correct the variable, or unset it" };
  if (url.protocol === "http:") return { lookup, agent: new HttpAgent({ keepAlive: false }) };
  const trusted = trustedCertificates(ca);
  const tls = { rejectUnauthorized: true, ...(trusted === undefined ? {} : { ca: trusted }) };
  const agent = new Agent({ ...tls, keepAlive: false, ...(proxy.kind === "proxy" ? { proxyEnv: { HTTPS_PROXY: proxy.url.href } } : {}) });
  return { lookup, agent };
}

/** Bytes of an answer, at most {@link MAX_ANSWER_BYTES}. */
export async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new Error("the answer is too long");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A JSON object; anything else is as good as an empty one. */
export function parse(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(bytes.toString("utf8")) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** What went wrong on the way, with the hop and what helps, in the words of the tunnel. */
export function failureOf(error: unknown, url: URL, { environment }: Network): Failure {
  const proxy = chooseProxy(url, { kind: "environment" }, environment);
  const context = { relay: url.host, proxy: proxy.kind === "proxy" ? displayProxy(proxy.url) : undefined };
  const { code, name } = error as NodeJS.ErrnoException;
  const { message, remedy } = name === "TimeoutError" || code === "ETIMEDOUT" ? timeout(context) : describeFailure(error, context);
  return { kind: "failed", why: message, remedy };
}

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
