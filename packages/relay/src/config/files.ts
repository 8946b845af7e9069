// Reads the files and environment variables that relay.yaml refers to, and says in a person's words why one cannot be
// used. Sizes are bounded; what is read of a secret goes straight into Secret.

import { createHash, createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { exposureOf, octalMode, repairOf } from "@sallyport/shared/file-modes";
import { Secret } from "@sallyport/shared/secret";
import { Reader, type CountryResponse } from "maxmind";
import { rememberCountries } from "../authz/facts.ts";
import { printable, type ConfigPath, type Finding } from "@sallyport/shared/config/problem";
import { finding, warning } from "@sallyport/shared/config/issues";
import type { CertificateFiles } from "./listen-schema.ts";
import type { CertificateConfig, GeoipConfig } from "./types.ts";
import { isOnReadOnlyMount } from "./read-only-mount.ts";
import type { SecretReference } from "./values.ts";

const MAX_PEM_BYTES = 1024 * 1024;
const MAX_SECRET_BYTES = 64 * 1024;
/** The full MaxMind city database has about 70 MB. */
const MAX_GEOIP_BYTES = 512 * 1024 * 1024;
const EXPIRY_NOTICE_MS = 14 * 86_400_000;

/** What relay.yaml may look at outside of itself. */
export interface Surroundings {
  /** Relative paths start here: the folder of the configuration file. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nowMs: number;
}

/** A value read from outside, with what is to be said about it. */
export interface Outcome<Value> {
  readonly value: Value | undefined;
  readonly findings: readonly Finding[];
}

export type FileReading =
  /** `mode`: as it is; 0 on a read-only mount, where whoever mounted it decided who sees it (a Kubernetes secret, a systemd credential). */
  { readonly ok: true; readonly bytes: Buffer; readonly mode: number } | { readonly ok: false; readonly reason: string };

/** Reads a regular file of at most `maxBytes`. */
export async function readBounded(file: string, maxBytes: number): Promise<FileReading> {
  try {
    // Opened first, so that what is checked is what is read. A FIFO would block the open, hence the look before it.
    if (!(await stat(file)).isFile()) return { ok: false, reason: "it is not a regular file" };
    await using handle = await open(file, "r");
    const { size, mode } = await handle.stat();
    if (size > maxBytes) return { ok: false, reason: `it is larger than ${maxBytes} bytes` };
    const bytes = await handle.readFile();
    if (bytes.length > maxBytes) return { ok: false, reason: `it is larger than ${maxBytes} bytes` };
    return { ok: true, bytes, mode: isOnReadOnlyMount(file) ? 0 : mode };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (code === "ENOENT") return "it does not exist";
  if (code === "EACCES" || code === "EPERM") return "this user may not read it";
  if (code === "EISDIR") return "it is a folder";
  return typeof code === "string" ? `reading it fails with ${code}` : "it cannot be read";
}

export function unreadable(path: ConfigPath, file: string, reason: string): Finding {
  return finding(
    path,
    "ERR_CONFIG_REFERENCED_FILE",
    `cannot use ${printable(file, 300)}: ${reason}`,
    "check the path (relative ones start at the folder of this file) and the permissions",
  );
}

/** A secret from an environment variable or a file; a missing or empty one is refused (R-J5). */
export async function readSecret(source: SecretReference, path: ConfigPath, around: Surroundings): Promise<Outcome<Secret>> {
  if ("env" in source) return secretOf(around.env[source.env], [...path, "env"], `environment variable ${source.env}`);
  const file = resolve(around.folder, source.file);
  const reading = await readBounded(file, MAX_SECRET_BYTES);
  if (!reading.ok) return { value: undefined, findings: [unreadable([...path, "file"], file, reading.reason)] };
  // Editors and `echo` end a file with a newline that is no part of the secret.
  const outcome = secretOf(reading.bytes.toString("utf8").replace(/\r?\n$/, ""), [...path, "file"], `file ${printable(file, 300)}`);
  return { ...outcome, findings: [...outcome.findings, ...openToOthers(reading.mode, [...path, "file"], file)] };
}

function secretOf(text: string | undefined, path: ConfigPath, where: string): Outcome<Secret> {
  if (text !== undefined && text.trim() !== "") return { value: new Secret(text), findings: [] };
  const what = text === undefined ? `the ${where} is not set` : `the ${where} is empty`;
  return {
    value: undefined,
    findings: [finding(path, "ERR_CONFIG_SECRET", what, "set it where the relay is started; an empty secret is never used")],
  };
}

/** A secret that others can change, or everybody can read, is refused (R-J4). */
function openToOthers(mode: number, path: ConfigPath, file: string): Finding[] {
  const exposure = exposureOf(mode, "group");
  if (exposure === undefined) return [];
  const shown = printable(file, 300);
  return [finding(path, "ERR_CONFIG_SECRET", `${shown} can be ${exposure} (mode ${octalMode(mode)})`, `run: ${repairOf(shown, "group")}`)];
}

/** A certificate and its key, proved to belong together. */
export async function readCertificate(
  files: CertificateFiles,
  path: ConfigPath,
  around: Surroundings,
): Promise<Outcome<CertificateConfig>> {
  const certificateFile = resolve(around.folder, files.cert.file);
  const privateKeyFile = resolve(around.folder, files.key.file);
  const certificateAt = [...path, "cert", "file"];
  const keyAt = [...path, "key", "file"];
  const [certificatePem, keyPem] = await Promise.all([
    readBounded(certificateFile, MAX_PEM_BYTES),
    readBounded(privateKeyFile, MAX_PEM_BYTES),
  ]);
  const findings: Finding[] = [];
  if (!certificatePem.ok) findings.push(unreadable(certificateAt, certificateFile, certificatePem.reason));
  if (!keyPem.ok) findings.push(unreadable(keyAt, privateKeyFile, keyPem.reason));
  const leaf = certificatePem.ok ? attempt(() => new X509Certificate(certificatePem.bytes)) : undefined;
  const key = keyPem.ok ? attempt(() => createPrivateKey(keyPem.bytes)) : undefined;
  if (certificatePem.ok && leaf === undefined)
    findings.push(
      finding(
        certificateAt,
        "ERR_CONFIG_CERTIFICATE",
        "this file holds no PEM certificate",
        "give the full chain in PEM, leaf first (fullchain.pem)",
      ),
    );
  if (keyPem.ok && key === undefined)
    findings.push(
      finding(
        keyAt,
        "ERR_CONFIG_CERTIFICATE",
        "this file holds no unencrypted PEM private key",
        "give the key in PEM without a passphrase, and protect the file by its mode",
      ),
    );
  if (keyPem.ok) findings.push(...openToOthers(keyPem.mode, keyAt, privateKeyFile));
  if (!certificatePem.ok || !keyPem.ok || leaf === undefined || key === undefined) return { value: undefined, findings };
  findings.push(...judgeCertificate(leaf, key, certificateAt, keyAt, around.nowMs));
  const value: CertificateConfig = {
    certPem: certificatePem.bytes.toString("utf8"),
    keyPem: new Secret(keyPem.bytes.toString("utf8")),
    names: dnsNames(leaf),
    expiresAt: leaf.validToDate.getTime(),
    fingerprint: leaf.fingerprint256,
    certificateFile,
    privateKeyFile,
  };
  return { value, findings };
}

function judgeCertificate(leaf: X509Certificate, key: KeyObject, certificateAt: ConfigPath, keyAt: ConfigPath, nowMs: number): Finding[] {
  if (!leaf.checkPrivateKey(key)) {
    return [
      finding(
        keyAt,
        "ERR_CONFIG_CERTIFICATE",
        "the key does not belong to the certificate",
        "give the key that the certificate was requested with; in a chain the leaf comes first",
      ),
    ];
  }
  const expiresAt = leaf.validToDate.getTime();
  // Visitors see an expired certificate as an error of theirs to judge; refusing to start would take away even that.
  const expiry = expiresAt <= nowMs ? "has expired" : expiresAt - nowMs < EXPIRY_NOTICE_MS ? "expires within 14 days" : undefined;
  return expiry === undefined
    ? []
    : [
        warning(
          certificateAt,
          "ERR_CONFIG_CERTIFICATE",
          `the certificate ${expiry} (${leaf.validToDate.toISOString()})`,
          "renew it; the relay takes up the new file by itself",
        ),
      ];
}

function dnsNames(leaf: X509Certificate): readonly string[] {
  const names = leaf.subjectAltName ?? "";
  return [...names.matchAll(/(?:^|, )DNS:([^,"]+)/g)].map((match) => (match[1] as string).toLowerCase());
}

/** A MaxMind database that can be opened and holds countries. */
export async function readGeoip(file: string, path: ConfigPath, around: Surroundings): Promise<Outcome<GeoipConfig>> {
  const absolute = resolve(around.folder, file);
  const reading = await readBounded(absolute, MAX_GEOIP_BYTES);
  if (!reading.ok) return { value: undefined, findings: [unreadable([...path, "file"], absolute, reading.reason)] };
  const reader = attempt(() => new Reader<CountryResponse>(reading.bytes));
  const type = reader?.metadata.databaseType;
  if (reader === undefined || type === undefined || !/Country|City|Enterprise/i.test(type)) {
    const what = type === undefined ? "this file is no MaxMind database" : `this MaxMind database has no countries (${printable(type)})`;
    return {
      value: undefined,
      findings: [
        finding(
          [...path, "file"],
          "ERR_CONFIG_REFERENCED_FILE",
          what,
          "give a country or city database in MMDB format (GeoLite2-Country.mmdb)",
        ),
      ],
    };
  }
  const hash = createHash("sha256").update(reading.bytes).digest("hex");
  return { value: { file: absolute, hash, countryOf: rememberCountries((ip) => reader.get(ip.text)?.country?.iso_code) }, findings: [] };
}

function attempt<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
