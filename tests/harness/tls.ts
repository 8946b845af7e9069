// A certificate authority for tests, made with the openssl command line when the test runs: nothing is committed.

import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { mustRun } from "./program.ts";

export interface Certificate {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

export interface Authority {
  /** PEM file to trust. */
  readonly caFile: string;
  /** A server certificate for DNS names (wildcards too) and IP addresses. */
  issue(name: string, hosts: readonly string[], days?: number): Promise<Certificate>;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes the authority's files in `folder`. */
export async function createAuthority(folder: string): Promise<Authority> {
  const caFile = join(folder, "ca.crt");
  const caKey = join(folder, "ca.key");
  const constraints = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  await mustRun("openssl", [
    "req",
    "-x509",
    ...KEY,
    "-keyout",
    caKey,
    "-out",
    caFile,
    "-days",
    "90",
    "-subj",
    "/CN=Test CA",
    ...constraints,
  ]);

  const issue = async (name: string, hosts: readonly string[], days = 2): Promise<Certificate> => {
    const [certificateFile, privateKeyFile, request, extensions] = ["crt", "key", "csr", "ext"].map((ending) =>
      join(folder, `${name}.${ending}`),
    ) as [string, string, string, string];
    const alternatives = hosts.map((host) => `${isIP(host) === 0 ? "DNS" : "IP"}:${host}`).join(",");
    writeFileSync(extensions, `subjectAltName=${alternatives}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n`);
    await mustRun("openssl", ["req", ...KEY, "-keyout", privateKeyFile, "-out", request, "-subj", `/CN=${name}`]);
    const signer = ["-CA", caFile, "-CAkey", caKey, "-CAcreateserial", "-extfile", extensions, "-days", String(days)];
    await mustRun("openssl", ["x509", "-req", "-in", request, "-out", certificateFile, ...signer]);
    return { certificateFile, privateKeyFile };
  };
  return { caFile, issue };
}
