// A visitor: HTTP requests to an application through the relay, over fresh or kept connections. Node does not
// resolve *.localhost, so the relay's address is dialled and the application named in Host.

import { request as requestHttp } from "node:http";
import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { canaries } from "./canary.ts";
import type { Relay } from "./relay.ts";

/** For libraries that take a `lookup`: every name is loopback. */
export const lookupLoopback: LookupFunction = (_hostname, options, callback) => {
  if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

export interface VisitOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent | false;
  /** PEM to trust, when the relay serves TLS. */
  readonly ca?: string;
  readonly signal?: AbortSignal;
}

export interface Visit {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
  text(): string;
  json(): unknown;
}

/** An open request: the caller writes its body and reads its response as a stream. */
export function openVisit(relay: Relay, application: string, path: string, options: VisitOptions = {}): ClientRequest {
  const host = relay.host(application);
  const request = relay.options.tls === undefined ? requestHttp : requestHttps;
  return request({
    host: "127.0.0.1",
    port: relay.port,
    servername: host.split(":")[0],
    path,
    method: options.method ?? "GET",
    headers: { host, ...options.headers },
    agent: options.agent ?? false,
    lookup: lookupLoopback,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** The response head of an open request; 1xx are not answers. */
export function answer(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
  });
}

/** One whole exchange. Rejects when the connection breaks before the answer is complete. */
export async function visit(relay: Relay, application: string, path: string, options: VisitOptions = {}): Promise<Visit> {
  const request = openVisit(relay, application, path, options);
  request.end(options.body);
  const response = await answer(request);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const { location, "set-cookie": setCookies = [], "sallyport-error": error } = response.headers;
  canaries.seeAnswer(`a visitor of ${application}`, { setCookies, location, error: error?.toString(), body: body.toString("latin1") });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    trailers: response.trailers,
    body,
    text: () => body.toString(),
    json: () => JSON.parse(body.toString()) as unknown,
  };
}
