// The shape of connector.yaml: the one source of its keys, types, ranges and descriptions.

import { relayOrigin } from "@sallyport/shared/credential-file";
import { z } from "zod";
import { parseProxyUrl } from "../tunnel/proxy.ts";
import { requireSchema, type WrittenRequirement } from "./require-schema.ts";
import { SERVICE_NAME, serviceSchema, type WrittenService } from "./service-schema.ts";
import { fileReference, fits, type Reference, reference, socketAddress, type SocketAddress, textValue } from "./values.ts";

export const DEFAULT_CONNECTIONS = 2;
export const MAX_CONNECTIONS = 16;
/** As many as a HELLO may name (docs/protocol.md section 4). */
const MAX_SERVICES = 4_096;

/** `none`, a URL without password, or where a URL (perhaps with password) is read from. */
export type WrittenProxy =
  | { readonly kind: "none" }
  | { readonly kind: "url"; readonly url: URL }
  | { readonly kind: "reference"; readonly from: Reference };

const PROXY_REMEDY = "write none, http://host:port, or { env: NAME } or { file: PATH } for a URL with a password";

const proxy: z.ZodType<WrittenProxy, unknown> = z
  .unknown()
  .meta({ remedy: PROXY_REMEDY })
  .transform((written, context): WrittenProxy => {
    const refuse = (message: string, code?: "ERR_CONFIG_SECRET"): never => {
      context.issues.push({
        code: "custom",
        message,
        params: { remedy: PROXY_REMEDY, ...(code === undefined ? {} : { code }) },
        input: written,
      });
      return z.NEVER;
    };
    if (written === "none") return { kind: "none" };
    if (typeof written === "string") {
      const url = parseProxyUrl(written);
      if (url === undefined) return refuse("expected the URL of an HTTP proxy");
      return url.password === "" ? { kind: "url", url } : refuse("a secret is written in this file", "ERR_CONFIG_SECRET");
    }
    const from = reference.safeParse(written);
    return from.success ? { kind: "reference", from: from.data } : refuse("expected none, a proxy URL or a reference to one");
  });

const relay = textValue(fits(relayOrigin, "expected the relay's authUrl"), {
  remedy: "write https://auth.example.com, as in relay.yaml (http:// is for loopback only)",
});

const serviceName = z.string().refine((name) => SERVICE_NAME.test(name), {
  error: "not a service name",
  params: { remedy: "use 1 to 64 lower-case letters, digits, -, _ and ., starting with a letter or digit" },
});

const services = z
  .record(serviceName, serviceSchema)
  .superRefine((written, context) => {
    const count = Object.keys(written).length;
    const remedy = "write at least one service, for example grafana: http://127.0.0.1:3000";
    if (count === 0) context.addIssue({ code: "custom", message: "no service is published", params: { remedy } });
    if (count > MAX_SERVICES)
      context.addIssue({ code: "custom", message: `more than ${MAX_SERVICES} services`, params: { remedy: "run several connectors" } });
  })
  .meta({ remedy: "write a mapping from service names to addresses, for example grafana: http://127.0.0.1:3000" });

/** What is written in connector.yaml, values read, references not yet followed. */
export interface WrittenConfig {
  readonly relay?: string | undefined;
  readonly credential?: Reference | undefined;
  readonly connections: number;
  readonly admin?: { readonly address: SocketAddress } | undefined;
  readonly ca?: { readonly file: string } | undefined;
  readonly proxy?: WrittenProxy | undefined;
  readonly require?: WrittenRequirement | undefined;
  readonly services: Readonly<Record<string, WrittenService>>;
}

export const configSchema: z.ZodType<WrittenConfig, unknown> = z.strictObject({
  relay: relay.optional().meta({ description: "The relay's authUrl. Default: the one in the credential; another one is refused." }),
  credential: reference.optional().meta({
    description: "The credential made by `sallyport-relay credential create`. Default: SALLYPORT_CREDENTIAL, else ./sallyport.credential.",
  }),
  connections: z
    .int()
    .min(1)
    .max(MAX_CONNECTIONS)
    .default(DEFAULT_CONNECTIONS)
    .meta({ description: "Connections kept to the relay at the same time." }),
  admin: z
    .strictObject({ address: socketAddress })
    .optional()
    .meta({ description: "Listener for /metrics, /healthz and /readyz, without sign-in: keep it on loopback. Default: none." }),
  ca: fileReference.optional().meta({ description: "PEM file with authorities trusted for the relay beside the usual ones." }),
  proxy: proxy
    .optional()
    .meta({ description: "HTTP CONNECT proxy on the way to the relay. Default: HTTPS_PROXY and NO_PROXY of the environment." }),
  require: requireSchema.optional().meta({ description: "Who may reach any service, whatever the relay allows: every key has to be met." }),
  services: services.meta({
    description: "The allow list: names that the relay may ask for, and where each leads. Nothing else is ever dialled.",
  }),
});
