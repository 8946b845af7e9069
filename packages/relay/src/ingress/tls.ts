// Certificates of one TLS listener: which one answers which server name, alone or with the authorities that clients of the
// name are verified by (A23); a reload makes a new store (I1). Every context has the same protocol settings, so that no server name, and no missing one, selects a weaker
// setting (R-B5). Must not know files: config/ watches and reads them.

import { constants, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { SallyportError } from "@sallyport/shared/errors";
import type { Secret } from "@sallyport/shared/secret";
import type { ClientAuthorityConfig } from "../config/types.ts";

export interface Certificate {
  /** PEM, leaf first, then the chain. */
  readonly certPem: string;
  /** PEM private key of the leaf. */
  readonly keyPem: Secret;
}

/** Protocol settings of every context; TLS 1.2 as oldest version (RFC 9325 section 3.1.1). */
const COMMON: SecureContextOptions = { minVersion: "TLSv1.2" };
/**
 * Where client certificates are asked for, no session is ever resumed: the verdict on a certificate belongs to one
 * handshake of one name, and TLS 1.3 would carry it to another (R-B5).
 */
const ASKING: SecureContextOptions = { ...COMMON, secureOptions: constants.SSL_OP_NO_TICKET };

interface Entry {
  readonly certificate: Certificate;
  readonly context: SecureContext;
  readonly names: readonly string[];
  /** Contexts that ask for a client certificate, by the bundle's id; made at first use. */
  readonly asking: Map<string, SecureContext>;
}

interface Loaded {
  readonly byName: ReadonlyMap<string, Entry>;
  readonly first: Entry;
}

export class CertificateStore {
  readonly #loaded: Loaded;

  /** @throws SallyportError ERR_INGRESS_CERTIFICATE_INVALID when a pair cannot be used */
  constructor(certificates: readonly Certificate[]) {
    this.#loaded = load(certificates);
  }

  /** Options of the context that answers where no server name decides. */
  get fallbackOptions(): SecureContextOptions {
    return { ...COMMON, ...pairOf(this.#loaded.first) };
  }

  /** The same of a server that asks for client certificates. */
  get askingFallbackOptions(): SecureContextOptions {
    return { ...ASKING, ...pairOf(this.#loaded.first) };
  }

  /** Exact name, else the wildcard one label up, else the first certificate; upper and lower case are one. */
  select(serverName: string): SecureContext {
    return this.#entry(serverName).context;
  }

  /** The same certificate in a context that verifies clients with these authorities. @throws SallyportError as the constructor does */
  selectAsking(serverName: string, authority: ClientAuthorityConfig): SecureContext {
    const entry = this.#entry(serverName);
    let context = entry.asking.get(authority.id);
    if (context === undefined) entry.asking.set(authority.id, (context = askingContext(entry, authority)));
    return context;
  }

  #entry(serverName: string): Entry {
    const { byName, first } = this.#loaded;
    const name = serverName.toLowerCase();
    const dot = name.indexOf(".");
    return byName.get(name) ?? (dot > 0 ? byName.get(`*${name.slice(dot)}`) : undefined) ?? first;
  }
}

function pairOf({ certificate }: Entry): SecureContextOptions {
  return { cert: certificate.certPem, key: certificate.keyPem.reveal() };
}

function askingContext(entry: Entry, { ca, crl }: ClientAuthorityConfig): SecureContext {
  try {
    // Every certificate of the bundle is an anchor: an issuing authority without its root is what people have.
    const trust: SecureContextOptions = { ca: [...ca], allowPartialTrustChain: true, ...(crl.length === 0 ? {} : { crl: [...crl] }) };
    return createSecureContext({ ...ASKING, ...pairOf(entry), ...trust });
  } catch (cause) {
    throw new SallyportError("ERR_INGRESS_CERTIFICATE_INVALID", "The client certificate authorities or revocation lists cannot be used.", {
      cause,
    });
  }
}

function load(certificates: readonly Certificate[]): Loaded {
  const entries = certificates.map(loadOne);
  const [first] = entries;
  if (first === undefined) throw new SallyportError("ERR_INGRESS_CERTIFICATE_INVALID", "A TLS listener needs at least one certificate.");
  const byName = new Map<string, Entry>();
  for (const entry of entries) {
    for (const name of entry.names) if (!byName.has(name)) byName.set(name, entry);
  }
  return { byName, first };
}

function loadOne(certificate: Certificate, index: number): Entry {
  try {
    const context = createSecureContext({ ...COMMON, cert: certificate.certPem, key: certificate.keyPem.reveal() });
    const leaf = new X509Certificate(certificate.certPem);
    const names = [...(leaf.subjectAltName ?? "").matchAll(/DNS:([^\s,"]+)/g)].map((match) => (match[1] as string).toLowerCase());
    return { certificate, context, names, asking: new Map() };
  } catch (cause) {
    throw new SallyportError(
      "ERR_INGRESS_CERTIFICATE_INVALID",
      `Certificate ${index + 1} cannot be used: not PEM, or the key is not the certificate's.`,
      { cause },
    );
  }
}
