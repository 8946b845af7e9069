// For unit tests of the configuration: a folder with a configuration file in it, and a certificate made on the spot.
// Imported by tests only.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@sallyport/shared/clock";
import { loadConfig, type LoadResult } from "./load.ts";
import type { Problem } from "@sallyport/shared/config/problem";

/** A scratch folder that goes away with the test. */
export class ConfigFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "sallyport-config-"));
  readonly clock: ManualClock = new ManualClock(Date.now());
  readonly env: Record<string, string> = {};

  write(name: string, content: string | Uint8Array, mode = 0o600): string {
    const file = join(this.path, name);
    writeFileSync(file, content, { mode });
    return file;
  }

  /** Writes `yaml` as relay.yaml and loads it. */
  async load(yaml: string | Uint8Array): Promise<LoadResult> {
    return await loadConfig({ file: this.write("relay.yaml", yaml), env: this.env, clock: this.clock });
  }

  /** A self-signed certificate, valid for 90 days: NAME.crt and NAME.key. */
  certificate(name: string, hosts: readonly string[]): void {
    const names = hosts.map((host) => `DNS:${host}`).join(",");
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(this.path, `${name}.key`)];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`, "-days", "90"];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", join(this.path, `${name}.crt`), ...subject], { stdio: "ignore" });
  }

  /** An authority for client certificates: NAME.crt and NAME.key. */
  authority(name: string): void {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(this.path, `${name}.key`)];
    const subject = ["-subj", `/CN=${name}`, "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "90"];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", join(this.path, `${name}.crt`), ...subject], { stdio: "ignore" });
  }

  /** A certificate of an authority, for a client: NAME.crt. */
  leaf(authority: string, name: string): void {
    const [request, extensions] = [join(this.path, `${name}.csr`), this.write(`${name}.ext`, "basicConstraints=CA:FALSE\n")];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(this.path, `${name}.key`)];
    execFileSync("openssl", ["req", ...key, "-subj", `/CN=${name}`, "-out", request], { stdio: "ignore" });
    const signer = ["-CA", join(this.path, `${authority}.crt`), "-CAkey", join(this.path, `${authority}.key`), "-CAcreateserial"];
    const out = ["-extfile", extensions, "-out", join(this.path, `${name}.crt`), "-days", "2"];
    execFileSync("openssl", ["x509", "-req", "-in", request, ...signer, ...out], { stdio: "ignore" });
  }

  /** An empty revocation list of an authority. */
  revocationList(authority: string, file: string): void {
    const index = this.write(`${authority}.index`, "");
    const own = ["[ca]", "default_ca=own", "[own]", `database=${index}`, "default_md=sha256", "default_crl_days=1", ""];
    const settings = this.write(`${authority}.cnf`, own.join("\n"));
    const signer = ["-cert", join(this.path, `${authority}.crt`), "-keyfile", join(this.path, `${authority}.key`)];
    execFileSync("openssl", ["ca", "-config", settings, ...signer, "-gencrl", "-out", join(this.path, file)], { stdio: "ignore" });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A MaxMind country database in which the addresses below 128.0.0.0 are German, and the others unknown. */
export function geoDatabase(type = "GeoLite2-Country"): Uint8Array {
  const text = (value: string): Buffer => Buffer.concat([Buffer.of((2 << 5) | value.length), Buffer.from(value)]);
  const number = (value: number): Buffer => Buffer.of((5 << 5) | 1, value);
  const map = (entries: readonly (readonly [string, Buffer])[]): Buffer =>
    Buffer.concat([Buffer.of((7 << 5) | entries.length), ...entries.flatMap(([key, value]) => [text(key), value])]);
  // One node of two 24-bit records: the left one leads to the first entry of the data, the right one to nothing.
  const tree = Buffer.of(0, 0, 1 + 16, 0, 0, 1);
  const data = map([["country", map([["iso_code", text("DE")]])]]);
  const metadata = map([
    ["node_count", number(1)],
    ["record_size", number(24)],
    ["ip_version", number(4)],
    ["database_type", text(type)],
    ["binary_format_major_version", number(2)],
    ["binary_format_minor_version", number(0)],
    ["build_epoch", number(1)],
  ]);
  return Buffer.concat([tree, Buffer.alloc(16), data, Buffer.from("\u00ab\u00cd\u00efMaxMind.com", "latin1"), metadata]);
}

/** A complete, right configuration for plain HTTP on loopback; `more` is added at the end. */
export function minimal(more = ""): string {
  return `authUrl: http://auth.relay.localhost:8080
listen:
  - address: "127.0.0.1:8080"
state: ./data
tunnels:
  - name: office
policies:
  - { name: public, action: bypass, include: [ { everyone: true } ] }
applications:
  - { name: grafana, hostname: grafana.relay.localhost, tunnel: office, service: grafana, policies: [ public ] }
${more}`;
}

/** All problems of a result: errors, or the warnings of a configuration that is fine. */
export function problemsOf(result: LoadResult): readonly Problem[] {
  return result.ok ? result.warnings : result.problems;
}
