// Sections tunnels and applications of relay.yaml: what is published, and through which tunnel.

import { z } from "zod";
import type { ApplicationConfig, ApplicationLimits, ServiceTokenOptions, TunnelConfig } from "./types.ts";
import { applicationPath, hostname, name, reference, size } from "./values.ts";

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
});

export const applicationsSchema: z.ZodType<readonly ApplicationConfig[]> = z
  .array(application)
  .max(100_000)
  .prefault([])
  .meta({ description: "Published applications. Two with one hostname and path refuse to load." });
