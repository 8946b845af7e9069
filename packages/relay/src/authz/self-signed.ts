// A self-signed X.509 certificate around a public key (RFC 5280), for verifiers that read keys in that form only. DER is
// written here, byte by byte, because the runtime reads certificates but does not make them. Must not know what the key signs.

import { type KeyObject, sign } from "node:crypto";

export interface CertificateContent {
  /** RSA. */
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** 1 to 64 characters of ASCII (ub-common-name). */
  readonly commonName: string;
  /** Milliseconds since the epoch, before the year 2050. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;
/** sha256WithRSAEncryption with NULL parameters (RFC 4055 section 5). */
const SHA256_WITH_RSA = Buffer.from("300d06092a864886f70d01010b0500", "hex");
/** id-at-commonName. */
const COMMON_NAME = Buffer.from("0603550403", "hex");

/** PEM. The same content gives the same bytes: PKCS #1 v1.5 signatures have no randomness. */
export function selfSignedCertificate(content: CertificateContent): string {
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(content.commonName, "latin1")))));
  const validity = der(SEQUENCE, time(content.notBeforeMs), time(content.notAfterMs));
  const publicKey = content.publicKey.export({ format: "der", type: "spki" });
  // Without extensions the version is 1, which is the default and therefore not written (section 4.1.2.1).
  const body = der(SEQUENCE, der(INTEGER, Buffer.of(1)), SHA256_WITH_RSA, name, validity, name, publicKey);
  const signature = sign("RSA-SHA256", body, content.privateKey);
  const certificate = der(SEQUENCE, body, SHA256_WITH_RSA, der(BIT_STRING, Buffer.of(0), signature));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** Tag, length, content (X.690 section 8.1). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

/** YYMMDDhhmmssZ (section 4.1.2.5.1). */
function time(atMs: number): Buffer {
  const text = new Date(atMs)
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(/[-:T]/g, "");
  return der(UTC_TIME, Buffer.from(text.slice(2), "latin1"));
}
