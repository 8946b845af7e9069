// Reads the authorities and revocation lists of `clientCertificates`, and proves that TLS takes them: at a handshake it
// would be too late to say what is wrong.

import { createHash, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { ClientCertificateFiles } from "./application-schema.ts";
import { readBounded, unreadable, type Outcome, type Surroundings } from "./files.ts";
import { finding, warning } from "@sallyport/shared/config/issues";
import { printable, type ConfigPath, type Finding } from "@sallyport/shared/config/problem";
import type { ClientAuthorityConfig } from "./types.ts";
import type { FileReference } from "./values.ts";

const MAX_CA_BYTES = 1024 * 1024;
/** Lists of large authorities have some megabytes. */
const MAX_CRL_BYTES = 32 * 1024 * 1024;
const EXPIRY_NOTICE_MS = 14 * 86_400_000;

interface Kind {
  readonly key: "ca" | "crl";
  readonly maxBytes: number;
  readonly pem: RegExp;
  readonly missing: string;
  readonly remedy: string;
}

const CA: Kind = {
  key: "ca",
  maxBytes: MAX_CA_BYTES,
  pem: /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g,
  missing: "this file holds no PEM certificate",
  remedy: "give the certificates of the authorities that issue client certificates, in PEM",
};
const CRL: Kind = {
  key: "crl",
  maxBytes: MAX_CRL_BYTES,
  pem: /-----BEGIN X509 CRL-----[\s\S]*?-----END X509 CRL-----/g,
  missing: "this file holds no PEM revocation list",
  remedy: "give the list in PEM (openssl crl -inform DER -in list.crl -out list.pem)",
};

/** One PEM block with the place of its file. */
interface Block {
  readonly pem: string;
  readonly path: ConfigPath;
}

export async function readClientAuthority(
  files: ClientCertificateFiles,
  path: ConfigPath,
  around: Surroundings,
): Promise<Outcome<ClientAuthorityConfig>> {
  const [ca, crl] = await Promise.all([readBlocks(files.ca, CA, path, around), readBlocks(files.crl, CRL, path, around)]);
  const findings = [...ca.findings, ...crl.findings, ...(ca.value ?? []).flatMap((block) => judgeAuthority(block, around.nowMs))];
  if (ca.value === undefined || crl.value === undefined || findings.some(({ severity }) => severity !== "warning"))
    return { value: undefined, findings };
  const refused = crl.value.filter(({ pem }) => !isUsable({ crl: pem }));
  if (refused.length > 0) return { value: undefined, findings: [...findings, ...refused.map((block) => brokenList(block))] };
  const pem = { ca: ca.value.map((block) => block.pem), crl: crl.value.map((block) => block.pem) };
  const id = createHash("sha256").update(JSON.stringify(pem)).digest("hex");
  return { value: { ...pem, id }, findings };
}

async function readBlocks(
  files: readonly FileReference[],
  kind: Kind,
  path: ConfigPath,
  around: Surroundings,
): Promise<Outcome<readonly Block[]>> {
  const outcomes = await Promise.all(
    files.map(async ({ file }, index) => {
      // One file may be written without a list: then its place has no index.
      const at = [...path, kind.key, ...(files.length === 1 ? [] : [index])];
      const absolute = resolve(around.folder, file);
      const reading = await readBounded(absolute, kind.maxBytes);
      if (!reading.ok) return { blocks: [], findings: [unreadable([...at, "file"], absolute, reading.reason)] };
      const blocks = (reading.bytes.toString("latin1").match(kind.pem) ?? []).map((pem): Block => ({ pem, path: at }));
      const findings = blocks.length > 0 ? [] : [finding(at, "ERR_CONFIG_CERTIFICATE", kind.missing, kind.remedy)];
      return { blocks, findings };
    }),
  );
  const findings = outcomes.flatMap((outcome) => outcome.findings);
  return { value: findings.length > 0 ? undefined : outcomes.flatMap(({ blocks }) => blocks), findings };
}

/** A client's own certificate in this place would be trusted as an authority by nobody, and look as if it were. */
function judgeAuthority({ pem, path }: Block, nowMs: number): Finding[] {
  const certificate = parse(pem);
  if (certificate === undefined) return [finding(path, "ERR_CONFIG_CERTIFICATE", "a certificate in this file cannot be read", CA.remedy)];
  const subject = printable(certificate.subject.replaceAll("\n", ", "), 100);
  if (!certificate.ca) return [finding(path, "ERR_CONFIG_CERTIFICATE", `${subject} is not the certificate of an authority`, CA.remedy)];
  const expiresAt = certificate.validToDate.getTime();
  if (expiresAt - nowMs >= EXPIRY_NOTICE_MS) return [];
  const when = `${expiresAt <= nowMs ? "has expired" : "expires within 14 days"} (${certificate.validToDate.toISOString()})`;
  return [warning(path, "ERR_CONFIG_CERTIFICATE", `the authority ${subject} ${when}`, "add its successor; what it issued is refused then")];
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function brokenList({ path }: Block): Finding {
  return finding(path, "ERR_CONFIG_CERTIFICATE", "a revocation list in this file cannot be read", CRL.remedy);
}

function isUsable(options: { readonly crl: string }): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}
