// One entry of `services`: the short form (an address) and the long form (address and options). Yields the plain
// written values; resolve.ts turns them into the ServiceOptions that the origin side works with.

import { z } from "zod";
import { headerEditProblem, parseOriginUrl, prefixProblem } from "../origin/options.ts";
import { requireSchema, type WrittenRequirement } from "./require-schema.ts";
import { duration, durationOrNone, fileReference, fits, type Reading, type Reference, reference, textValue } from "./values.ts";

const MAX_ORIGINS = 64;
const MAX_HEADER_EDITS = 64;
const DAY_MS = 86_400_000;

/** Names of services: they appear in relay.yaml, logs and metrics. */
export const SERVICE_NAME: RegExp = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

const ORIGIN_REMEDY = "write where the service listens, for example http://127.0.0.1:3000, unix:/run/wiki.sock or just 3000";

// The address is parsed again with `http2` in resolve.ts; here only whether it can be.
const originUrl = textValue(
  (text): Reading<string> => {
    const parsed = parseOriginUrl(text);
    return parsed.ok ? { ok: true, value: text } : { ok: false, problem: parsed.problem };
  },
  { remedy: ORIGIN_REMEDY },
);

const prefix = textValue(
  (text): Reading<string> => {
    const problem = prefixProblem(text);
    return problem === undefined ? { ok: true, value: text } : { ok: false, problem };
  },
  { remedy: "write a path such as /app" },
);

const authority = textValue(
  fits(
    (text) => (/^[A-Za-z0-9._-]{1,253}(?::\d{1,5})?$|^\[[0-9a-fA-F:.]+\](?::\d{1,5})?$/.test(text) ? text : undefined),
    "expected a host name, perhaps with a port",
  ),
  {
    remedy: "write a name such as wiki.internal or localhost:3000",
  },
);

const serverName = textValue(
  fits((text) => (/^[A-Za-z0-9._-]{1,253}$/.test(text) ? text : undefined), "expected a host name"),
  {
    remedy: "write the name in the origin's certificate, for example wiki.internal",
  },
);

const headerName = textValue(
  (text): Reading<string> => {
    const problem = headerEditProblem(text);
    return problem === undefined ? { ok: true, value: text } : { ok: false, problem };
  },
  { remedy: "write header names such as X-Powered-By" },
);

/** Text, or where a secret is read from. */
export type WrittenHeaderValue = string | Reference;

const headerValue: z.ZodType<WrittenHeaderValue, unknown> = z.unknown().transform((written, context): WrittenHeaderValue => {
  if (typeof written === "string") return written;
  if (typeof written === "number" || typeof written === "boolean") return String(written);
  const result = reference.safeParse(written);
  if (result.success) return result.data;
  const remedy = "write text, or { env: NAME } or { file: PATH } for a secret";
  context.issues.push({ code: "custom", message: "expected text or a reference to a secret", params: { remedy }, input: written });
  return z.NEVER;
});

const headerEdits = z
  .record(z.string(), headerValue)
  .superRefine((edits, context) => {
    if (Object.keys(edits).length > MAX_HEADER_EDITS) {
      context.addIssue({ code: "custom", message: `more than ${MAX_HEADER_EDITS} headers`, params: { remedy: "set fewer headers" } });
    }
    for (const [name, value] of Object.entries(edits)) {
      const problem = headerEditProblem(name, typeof value === "string" ? value : "");
      if (problem !== undefined)
        context.addIssue({ code: "custom", path: [name], message: problem, params: { remedy: "change or remove this header" } });
    }
  })
  .meta({ remedy: "write a mapping from header names to values" });

const healthCheck = z.strictObject({
  path: textValue(
    fits((text) => (/^\/[\x21\x22\x24-\x7e]{0,1023}$/.test(text) ? text : undefined), "expected a path"),
    { remedy: "write a path such as /healthz" },
  ).meta({
    description: "Path of the GET request; healthy is any status from 200 to 399.",
  }),
  interval: duration(100, DAY_MS).optional().meta({ description: "Pause between two checks. Default 10s." }),
  timeout: duration(10, 600_000).optional().meta({ description: "A check without an answer after this time failed. Default 2s." }),
  unhealthyAfter: z.int().min(1).max(1_000).optional().meta({ description: "Failed checks in a row that take an origin out. Default 3." }),
  healthyAfter: z.int().min(1).max(1_000).optional().meta({ description: "Passed checks in a row that bring it back. Default 2." }),
});

const longForm = z.strictObject({
  url: originUrl.optional().meta({
    description: "Where the service listens: http://, https://, h2c://, unix:/path, tcp://, status:NNN, hello, or a port of this machine.",
  }),
  urls: z
    .array(originUrl)
    .min(1)
    .max(MAX_ORIGINS)
    .optional()
    .meta({ description: "Several origins of one service, balanced by least outstanding requests." }),
  http2: z
    .boolean()
    .optional()
    .meta({ description: "Speak HTTP/2 to the origin: by ALPN over TLS, else with prior knowledge. Needed for gRPC." }),
  connectTimeout: duration(1, 600_000).optional().meta({ description: "TCP and TLS must be ready within this time. Default 10s." }),
  responseHeaderTimeout: durationOrNone(1, DAY_MS).optional().meta({ description: "Longest wait for the response head. Default none." }),
  poolIdle: duration(0, 4_000).optional().meta({ description: "How long an unused connection is kept, at most 4s. Default 4s." }),
  requestBodyIdle: durationOrNone(1, DAY_MS)
    .optional()
    .meta({ description: "Longest silence of a visitor in the middle of a request body. Default 60s." }),
  maxConnections: z.int().min(1).max(100_000).optional().meta({ description: "Open connections per origin. Default 4096." }),
  maxQueuedRequests: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .meta({ description: "Requests that may wait for a free connection. Default 1024." }),
  hostHeader: authority.optional().meta({ description: "Host towards the origin. Default: the host the visitor asked for." }),
  serverName: serverName.optional().meta({ description: "TLS name sent to and verified at the origin. Default: the host of the URL." }),
  ca: fileReference.optional().meta({ description: "PEM file whose authorities are trusted for this origin instead of the system's." }),
  insecureSkipVerify: z
    .boolean()
    .optional()
    .meta({ description: "Accept any certificate of the origin. Logged as a warning at each start. Default false." }),
  setRequestHeaders: headerEdits.optional().meta({ description: "Headers written over the visitor's." }),
  removeRequestHeaders: z.array(headerName).max(MAX_HEADER_EDITS).optional(),
  setResponseHeaders: headerEdits.optional().meta({ description: "Headers written over the origin's." }),
  removeResponseHeaders: z.array(headerName).max(MAX_HEADER_EDITS).optional(),
  stripPrefix: prefix.optional().meta({ description: "Cut off the path before it goes to the origin." }),
  addPrefix: prefix.optional().meta({ description: "Put before the path, after stripPrefix." }),
  healthCheck: healthCheck
    .optional()
    .meta({ description: "Checks each origin; one that fails gets no requests while another is healthy." }),
  require: requireSchema
    .optional()
    .meta({ description: "Who may reach this service, whatever the relay allows: every key has to be met." }),
});

/** A service as written, values read, references not yet followed. Defaults are origin/options.ts's. */
export interface WrittenService {
  readonly url?: string | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly http2?: boolean | undefined;
  readonly connectTimeout?: number | undefined;
  readonly responseHeaderTimeout?: number | "none" | undefined;
  readonly poolIdle?: number | undefined;
  readonly requestBodyIdle?: number | "none" | undefined;
  readonly maxConnections?: number | undefined;
  readonly maxQueuedRequests?: number | undefined;
  readonly hostHeader?: string | undefined;
  readonly serverName?: string | undefined;
  readonly ca?: { readonly file: string } | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
  readonly setRequestHeaders?: Readonly<Record<string, WrittenHeaderValue>> | undefined;
  readonly removeRequestHeaders?: readonly string[] | undefined;
  readonly setResponseHeaders?: Readonly<Record<string, WrittenHeaderValue>> | undefined;
  readonly removeResponseHeaders?: readonly string[] | undefined;
  readonly stripPrefix?: string | undefined;
  readonly addPrefix?: string | undefined;
  readonly healthCheck?: WrittenHealthCheck | undefined;
  readonly require?: WrittenRequirement | undefined;
}

export interface WrittenHealthCheck {
  readonly path: string;
  readonly interval?: number | undefined;
  readonly timeout?: number | undefined;
  readonly unhealthyAfter?: number | undefined;
  readonly healthyAfter?: number | undefined;
}

/** Accepts `grafana: http://127.0.0.1:3000`, `grafana: 3000` and the mapping with options. */
export const serviceSchema: z.ZodType<WrittenService, unknown> = z
  .preprocess((written) => (typeof written === "string" || typeof written === "number" ? { url: written } : written), longForm)
  .meta({ remedy: ORIGIN_REMEDY });
