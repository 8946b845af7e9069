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
  /** A client certificate with the common name `name`. `alternatives` as openssl writes them: `DNS:ci.example.test`. */
  issueClient(name: string, alternatives?: readonly string[], options?: ClientOptions): Promise<Certificate>;
  /** A revocation list with these certificates, PEM, valid for a day. */
  revocationList(file: string, revoked: readonly Certificate[]): Promise<string>;
}

export interface ClientOptions {
  readonly usage?: "clientAuth" | "serverAuth";
  /** It was valid in January 2020. Default false: for two days from now. */
  readonly expired?: boolean;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes the authority's files in `folder`; `name` tells several in one folder apart. */
export async function createAuthority(folder: string, name = "ca"): Promise<Authority> {
  const caFile = join(folder, `${name}.crt`);
  const caKey = join(folder, `${name}.key`);
  const constraints = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
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
    `/CN=Test CA${name === "ca" ? "" : ` ${name}`}`,
    ...constraints,
  ]);

  const database = join(folder, `${name}.index`);
  const settings = join(folder, `${name}.cnf`);
  const own = [`database=${database}`, `serial=${join(folder, `${name}.serial`)}`, `new_certs_dir=${folder}`, "default_md=sha256"];
  const policy = ["default_crl_days=1", "unique_subject=no", "policy=any", "[any]", "commonName=supplied", ""];
  writeFileSync(settings, ["[ca]", "default_ca=own", "[own]", ...own, ...policy].join("\n"));
  writeFileSync(join(folder, `${name}.serial`), "1000\n");
  const ca = ["ca", "-batch", "-config", settings, "-cert", caFile, "-keyfile", caKey];

  /** `expired` only the `ca` command can do. */
  const sign = async (subject: string, extensions: readonly string[], days: number | "expired"): Promise<Certificate> => {
    const [certificateFile, privateKeyFile, request, extensionFile] = ["crt", "key", "csr", "ext"].map((ending) =>
      join(folder, `${subject}.${ending}`),
    ) as [string, string, string, string];
    writeFileSync(extensionFile, [...extensions, "basicConstraints=CA:FALSE", ""].join("\n"));
    await mustRun("openssl", ["req", ...KEY, "-keyout", privateKeyFile, "-out", request, "-subj", `/CN=${subject}`]);
    const common = ["-in", request, "-out", certificateFile, "-extfile", extensionFile];
    if (days === "expired") {
      writeFileSync(database, "");
      await mustRun("openssl", [...ca, ...common, "-notext", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]);
    } else await mustRun("openssl", ["x509", "-req", ...common, "-CA", caFile, "-CAkey", caKey, "-CAcreateserial", "-days", String(days)]);
    return { certificateFile, privateKeyFile };
  };

  return {
    caFile,
    issue: async (subject, hosts, days = 2) => {
      const alternatives = hosts.map((host) => `${isIP(host) === 0 ? "DNS" : "IP"}:${host}`).join(",");
      return await sign(subject, [`subjectAltName=${alternatives}`, "extendedKeyUsage=serverAuth"], days);
    },
    issueClient: async (subject, alternatives = [], { usage = "clientAuth", expired = false } = {}) => {
      const names = alternatives.length === 0 ? [] : [`subjectAltName=${alternatives.join(",")}`];
      return await sign(subject, [...names, `extendedKeyUsage=${usage}`], expired ? "expired" : 2);
    },
    revocationList: async (file, revoked) => {
      writeFileSync(database, "");
      for (const { certificateFile } of revoked) await mustRun("openssl", [...ca, "-revoke", certificateFile]);
      await mustRun("openssl", [...ca, "-gencrl", "-out", join(folder, file)]);
      return join(folder, file);
    },
  };
}
