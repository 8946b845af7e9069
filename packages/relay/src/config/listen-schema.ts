// Sections of relay.yaml about addresses: where the relay listens, with which certificates, and whom it believes.

import { z } from "zod";
import type { SocketAddress } from "./types.ts";
import { cidr, fileReference, socketAddress, type FileReference } from "./values.ts";

export interface CertificateFiles {
  readonly cert: FileReference;
  readonly key: FileReference;
}

export interface ListenDocument {
  readonly address: SocketAddress;
  readonly tls?: readonly CertificateFiles[] | undefined;
  readonly redirectToHttps: boolean;
  readonly proxyProtocol: boolean;
}

const certificateFiles = z.strictObject({
  cert: fileReference.meta({
    description: "PEM file with the certificate, leaf first, then the chain. Read again when it changes.",
    examples: [{ file: "tls.crt" }],
  }),
  key: fileReference.meta({ description: "PEM file with the private key of that certificate.", examples: [{ file: "tls.key" }] }),
});

const tls = z
  .union([certificateFiles, z.array(certificateFiles).min(1).max(1000)])
  .transform((value): readonly CertificateFiles[] => (Array.isArray(value) ? value : [value as CertificateFiles]));

const listener = z.strictObject({
  address: socketAddress.meta({ description: "Address and port to listen on, in quotes; IPv6 in brackets.", examples: ["0.0.0.0:443"] }),
  tls: tls.optional().meta({
    description:
      "Certificate and key, or a list of such pairs. The server name that the client asks for picks the pair whose certificate names it; without a match the first pair answers. Without `tls` the port speaks plain HTTP.",
    examples: [{ cert: { file: "tls.crt" }, key: { file: "tls.key" } }],
  }),
  redirectToHttps: z.boolean().default(false).meta({
    description: "Answer every request on this plain port with 308 to the same URL under `https`. Not together with `tls`.",
  }),
  proxyProtocol: z.boolean().default(false).meta({
    description:
      "Require a PROXY protocol header (version 1 or 2) first on every connection, and take the visitor's address from it. Only behind a load balancer that sends one.",
  }),
});

export const listenSchema: z.ZodType<readonly ListenDocument[]> = z
  .array(listener)
  .min(1)
  .max(64)
  .meta({
    description: "Public listeners. With `tls`, HTTP/2 and HTTP/1.1 share one port.",
    examples: [[{ address: "0.0.0.0:443", tls: { cert: { file: "tls.crt" }, key: { file: "tls.key" } } }]],
  });

export interface AdminDocument {
  readonly address: SocketAddress;
}

export const adminSchema: z.ZodType<AdminDocument> = z
  .strictObject({
    address: socketAddress.prefault("127.0.0.1:9090").meta({
      description:
        "Address and port of the listener for metrics and health, which has no sign-in: keep it on loopback or a management network. Port 0 lets the system choose.",
      examples: ["127.0.0.1:9090"],
    }),
  })
  .prefault({})
  .meta({ description: "Metrics (`/metrics`) and health (`/healthz`, `/readyz`), never on a public listener." });

export const trustedProxiesSchema: z.ZodType<readonly string[]> = z
  .array(cidr)
  .max(1000)
  .prefault([])
  .meta({
    description:
      "Address ranges of proxies in front of the relay whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Empty: nobody's; private ranges are not trusted by themselves.",
    examples: [["10.0.0.0/8"]],
  });
