// Certificates of one TLS listener: which one answers which server name, and their replacement while streams are open
// (I1). Every context has the same protocol settings, so that no server name, and no missing one, selects a weaker
// setting (R-B5). Must not know files: config/ watches and reads them.

import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { SallyportError } from "@sallyport/shared/errors";
import type { Secret } from "@sallyport/shared/secret";

export interface Certificate {
  /** PEM, leaf first, then the chain. */
  readonly certPem: string;
  /** PEM private key of the leaf. */
  readonly keyPem: Secret;
}

/** Protocol settings of every context; TLS 1.2 as oldest version (RFC 9325 section 3.1.1). */
const COMMON: SecureContextOptions = { minVersion: "TLSv1.2" };

interface Entry {
  readonly context: SecureContext;
  readonly names: readonly string[];
}

export class CertificateStore {
  #byName: ReadonlyMap<string, SecureContext>;
  #fallback: SecureContext;
  #first: Certificate;

  /** @throws SallyportError ERR_INGRESS_CERTIFICATE_INVALID when a pair cannot be used; also {@link replace}. */
  constructor(certificates: readonly Certificate[]) {
    const loaded = load(certificates);
    this.#byName = loaded.byName;
    this.#fallback = loaded.fallback;
    this.#first = loaded.first;
  }

  /** Options of the context that answers where no server name decides. */
  get fallbackOptions(): SecureContextOptions {
    return { ...COMMON, cert: this.#first.certPem, key: this.#first.keyPem.reveal() };
  }

  /** All or nothing: a bad pair throws and the old certificates stay. */
  replace(certificates: readonly Certificate[]): void {
    const loaded = load(certificates);
    this.#byName = loaded.byName;
    this.#fallback = loaded.fallback;
    this.#first = loaded.first;
  }

  /** Exact name, else the wildcard one label up, else the first certificate; upper and lower case are one. */
  select(serverName: string): SecureContext {
    const name = serverName.toLowerCase();
    const dot = name.indexOf(".");
    return this.#byName.get(name) ?? (dot > 0 ? this.#byName.get(`*${name.slice(dot)}`) : undefined) ?? this.#fallback;
  }
}

function load(certificates: readonly Certificate[]): { byName: Map<string, SecureContext>; fallback: SecureContext; first: Certificate } {
  const [first] = certificates;
  if (first === undefined) throw new SallyportError("ERR_INGRESS_CERTIFICATE_INVALID", "A TLS listener needs at least one certificate.");
  const entries = certificates.map(loadOne);
  const byName = new Map<string, SecureContext>();
  for (const { context, names } of entries) {
    for (const name of names) if (!byName.has(name)) byName.set(name, context);
  }
  return { byName, fallback: (entries[0] as Entry).context, first };
}

function loadOne(certificate: Certificate, index: number): Entry {
  try {
    const context = createSecureContext({ ...COMMON, cert: certificate.certPem, key: certificate.keyPem.reveal() });
    const leaf = new X509Certificate(certificate.certPem);
    const names = [...(leaf.subjectAltName ?? "").matchAll(/DNS:([^\s,"]+)/g)].map((match) => (match[1] as string).toLowerCase());
    return { context, names };
  } catch (cause) {
    throw new SallyportError(
      "ERR_INGRESS_CERTIFICATE_INVALID",
      `Certificate ${index + 1} cannot be used: not PEM, or the key is not the certificate's.`,
      { cause },
    );
  }
}
