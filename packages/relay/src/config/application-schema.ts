// Sections tunnels and applications of relay.yaml: what is published, and through which tunnel.

import { z } from "zod";
import { accessAudience, type BasicAuthDocument, identityHeadersSchema, originBasicAuthSchema } from "./origin-schema.ts";
import { corsSchema, idleTimeout, sessionDuration, webOrigin } from "./session-schema.ts";
import type { ApplicationConfig, ApplicationLimits, ServiceTokenOptions, TunnelConfig } from "./types.ts";
import { applicationPath, fileReference, hostname, name, reference, size, type FileReference } from "./values.ts";

const tunnel = z.strictObject({
  name: name.meta({
    description: "Name of the tunnel; `sallyport-relay credential create NAME` makes a connector credential for it.",
    examples: ["office"],
  }),
});

export const tunnelsSchema: z.ZodType<readonly TunnelConfig[]> = z
  .array(tunnel)
  .max(100_000)
  .prefault([])
  .meta({ description: "Tunnels: named grants that connectors with a credential serve.", examples: [[{ name: "office" }]] });

const TERABYTE = 1024 ** 4;

const limits: z.ZodType<ApplicationLimits> = z
  .strictObject({
    maxRequestBody: size(0, 100 * TERABYTE)
      .optional()
      .meta({ description: "Largest request body; a larger one gets 413. Default: no limit.", examples: ["100MB"] }),
  })
  .transform(({ maxRequestBody }) => ({ maxRequestBodyBytes: maxRequestBody }));

const serviceTokens: z.ZodType<ServiceTokenOptions> = z
  .strictObject({
    basic: z.boolean().default(false).meta({
      description:
        "Accept service tokens over HTTP Basic, id as user name and secret as password, for programs that cannot set headers. All Basic is then Sallyport's, never the origin's.",
    }),
    jsonHeader: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "is not a header name")
      .optional()
      .meta({
        description:
          "A header that may hold the token as one JSON object with the members Sallyport-Client-Id and Sallyport-Client-Secret.",
        examples: ["Authorization"],
      }),
  })
  .transform(({ basic, jsonHeader }) => ({ basic, jsonHeader: jsonHeader?.toLowerCase() }));

export interface ClientCertificateFiles {
  readonly ca: readonly FileReference[];
  readonly crl: readonly FileReference[];
}

const oneOrMore = z
  .union([fileReference, z.array(fileReference).min(1).max(100)])
  .transform((value): readonly FileReference[] => (Array.isArray(value) ? value : [value as FileReference]));

const clientCertificates = z
  .strictObject({
    ca: oneOrMore.meta({
      description:
        "PEM file, or a list of them, with the authorities that are believed; each certificate in it is one. Read again when it changes.",
      examples: [{ file: "clients-ca.crt" }],
      kind: "file reference",
    }),
    crl: oneOrMore.optional().meta({
      description:
        "PEM file, or a list of them, with revocation lists. With any, every authority of a chain needs a list that is not out of date. Default: nothing is revoked.",
      examples: [{ file: "clients.crl" }],
      kind: "file reference",
    }),
  })
  .transform(({ ca, crl }): ClientCertificateFiles => ({ ca, crl: crl ?? [] }));

const application = z.strictObject({
  name: name.meta({ description: "Name of the application in logs, metrics and the audit record.", examples: ["grafana"] }),
  hostname: hostname.meta({
    description:
      "Public host name. One leading `*.` stands for exactly one label; an exact name wins over a wildcard. Scheme and port are those of `authUrl`.",
    examples: ["grafana.example.com"],
  }),
  path: applicationPath.prefault("/").meta({
    description:
      "Path prefix, matched on segment borders: `/api` covers `/api` and `/api/x`, not `/apix`. The longest prefix wins outright.",
  }),
  tunnel: reference.meta({ description: "Name of the tunnel that serves it.", examples: ["office"] }),
  service: name.meta({
    description: "Name of the service in the connector's configuration: never a host or URL, what it dials is the connector's decision.",
    examples: ["grafana"],
  }),
  policies: z
    .array(reference)
    .max(1000)
    .prefault([])
    .meta({
      description:
        "Names of policies, in any order: deny wins over bypass, bypass over service, service over allow. Empty: everybody is denied.",
      examples: [["engineers"]],
    }),
  serviceTokens: serviceTokens
    .prefault({})
    .meta({ description: "Where service tokens are accepted besides Sallyport-Client-Id and Sallyport-Client-Secret." }),
  keepUnderscoreHeaders: z.boolean().default(false).meta({
    description:
      "Forward request headers whose names contain `_` or `.`, which many origins confuse with `-`. Identity headers are stripped in every spelling anyway.",
  }),
  limits: limits.prefault({}).meta({ description: "Limits of this application." }),
  sessionDuration: sessionDuration
    .optional()
    .meta({ description: "How long a login counts here. Default: `sessions.duration`.", examples: ["8h"] }),
  idleTimeout: idleTimeout.optional().meta({
    description: "A login that was not used for this long has to be renewed here. Default: `sessions.idleTimeout`.",
    examples: ["30m"],
  }),
  allowedOrigins: z
    .array(webOrigin)
    .max(100)
    .prefault([])
    .meta({
      description:
        "Other origins whose pages may call this application with the visitor's login: WebSockets, fetches and embedded content. Its own origin always may. Refusals of the relay are readable for them.",
      examples: [["https://app.example.com"]],
    }),
  cors: corsSchema.optional().meta({
    description:
      "Preflight requests from `allowedOrigins`. Default: they are requests like any other, so they need a login that browsers do not send with them.",
  }),
  sameSite: z.enum(["lax", "none"]).default("lax").meta({
    description:
      "SameSite of the cookie with the login. `none` lets other sites embed the application; `allowedOrigins` still says which of them may call it.",
  }),
  frameAncestors: z
    .array(webOrigin)
    .max(100)
    .optional()
    .meta({
      description:
        "Origins whose pages may show this application in a frame, added to each response as Content-Security-Policy. An empty list: none but its own. Default: what the origin itself says.",
      examples: [["https://portal.example.com"]],
    }),
  identityHeaders: identityHeadersSchema.optional().meta({
    description:
      "Headers that tell the origin in the clear who is asking, for origins that cannot verify Sallyport-Jwt-Assertion. Copies of visitors are removed in every spelling. Percent-encoded outside of printable ASCII. Somebody of whom `user` or `email` is to be said and is not known is not let in.",
  }),
  originBasicAuth: originBasicAuthSchema.optional().meta({
    description:
      "The origin's own user name and password, sent as `Authorization: Basic` in place of the visitor's with every request of somebody who is known.",
  }),
  clientCertificates: clientCertificates.optional().meta({
    description:
      "Ask visitors of this host name for a TLS client certificate and verify it with these authorities; policies decide with `clientCertificate`. Applications on one host name that have this option must have the same.",
  }),
  compatibility: z.enum(["cloudflare-access"]).optional().meta({
    description:
      "The contract of Cloudflare Access with origins as well: Cf-Access-Jwt-Assertion (RS256), Cf-Access-Authenticated-User-Email, the CF_Authorization cookie, /cdn-cgi/access/ on this host, CF-Access-Client-Id and -Secret, cf-access-token.",
  }),
  accessAudience: accessAudience.optional().meta({
    description:
      "The AUD tag that the origin expects, with `compatibility`. Default: the SHA-256 of the application's URL, in hexadecimal.",
  }),
});

/** As {@link ApplicationConfig}, with secrets where they are kept. */
export type ApplicationDocument = Omit<ApplicationConfig, "originBasicAuth" | "clientCertificates"> & {
  readonly originBasicAuth: BasicAuthDocument | undefined;
  readonly clientCertificates: ClientCertificateFiles | undefined;
};

const applicationWithBounds: z.ZodType<ApplicationDocument> = application
  .refine(({ cors, allowedOrigins }) => cors?.preflight !== "answer" || allowedOrigins.length > 0, {
    path: ["cors"],
    message: "answers nobody: `allowedOrigins` is empty",
  })
  .refine(({ compatibility, accessAudience: audience }) => compatibility !== undefined || audience === undefined, {
    path: ["accessAudience"],
    message: "has no effect without `compatibility: cloudflare-access`",
  })
  .transform(({ sessionDuration: sessionDurationMs, idleTimeout: idleTimeoutMs, cors, frameAncestors, ...rest }) => ({
    ...rest,
    sessionDurationMs,
    idleTimeoutMs,
    cors,
    frameAncestors,
    identityHeaders: rest.identityHeaders ?? [],
    originBasicAuth: rest.originBasicAuth,
    clientCertificates: rest.clientCertificates,
    compatibility: rest.compatibility,
    accessAudience: rest.accessAudience,
  }));

export const applicationsSchema: z.ZodType<readonly ApplicationDocument[]> = z
  .array(applicationWithBounds)
  .max(100_000)
  .prefault([])
  .meta({ description: "Published applications. Two with one hostname and path refuse to load." });
