// From what is written to what the connector runs with: follows references to files and environment variables, fills
// in defaults, and checks what no single key can show. Collects every finding instead of stopping at the first.

import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { X509Certificate } from "node:crypto";
import { Secret } from "@sallyport/shared/secret";
import {
  DEFAULT_HEALTH_CHECK,
  DEFAULT_ORIGIN_OPTIONS,
  type HeaderValue,
  type OriginAddress,
  type OriginOptions,
  parseOriginUrl,
  type ServiceOptions,
} from "../origin/options.ts";
import type { Requirement } from "../gate/require.ts";
import { isLoopbackHost } from "../tunnel/lookup.ts";
import { type Environment, parseProxyUrl, type ProxySetting } from "../tunnel/proxy.ts";
import type { ConfigPath, Finding } from "@sallyport/shared/config/problem";
import { privateFileProblem } from "./permissions.ts";
import { requirementOf, type WrittenRequirement } from "./require-schema.ts";
import type { WrittenConfig } from "./schema.ts";
import type { WrittenHeaderValue, WrittenService } from "./service-schema.ts";
import type { ConnectorConfig, CredentialSource } from "./types.ts";
import type { Reference } from "./values.ts";

/** No referenced file is read beyond this. */
const MAX_REFERENCED_BYTES = 1_048_576;

export class Resolver {
  readonly findings: Finding[] = [];
  /** Absolute paths of the files that were read: a change of one is a reason to reload. */
  readonly files: Set<string> = new Set();
  readonly #folder: string;
  readonly #environment: Environment;

  /** @param file path of the configuration; relative references start at its folder. */
  constructor(file: string, environment: Environment) {
    this.#folder = dirname(file);
    this.#environment = environment;
  }

  resolve(written: WrittenConfig): ConnectorConfig {
    const { admin } = written;
    if (admin !== undefined && !isLoopbackHost(admin.address.host)) {
      this.#warn(
        ["admin", "address"],
        "metrics and health have no sign-in and are not on loopback",
        "use 127.0.0.1, or make sure that only your monitoring reaches this address",
      );
    }
    return {
      relay: written.relay,
      credential: written.credential === undefined ? undefined : this.#credential(written.credential),
      connections: written.connections,
      admin: admin?.address,
      ca: written.ca === undefined ? undefined : this.#authorities(written.ca.file, ["ca"]),
      proxy: this.#proxy(written.proxy),
      services: new Map(Object.entries(written.services).map(([name, service]) => [name, this.#service(service, ["services", name])])),
      requirements: new Map(
        Object.entries(written.services).map(([name, { require }]) => [name, requirementsOf(written.require, require)]),
      ),
    };
  }

  #credential(from: Reference): CredentialSource {
    return from.kind === "env" ? { kind: "env", name: from.env } : { kind: "file", path: this.#path(from.file) };
  }

  #proxy(written: WrittenConfig["proxy"]): ProxySetting {
    if (written === undefined) return { kind: "environment" };
    if (written.kind !== "reference") return written;
    const text = this.#reference(written.from, ["proxy"]);
    const url = text === undefined ? undefined : parseProxyUrl(text);
    if (text !== undefined && url === undefined)
      this.#error(["proxy"], "what this refers to is not the URL of an HTTP proxy", "it must hold http://user:password@host:port");
    return url === undefined ? { kind: "none" } : { kind: "url", url };
  }

  #service(written: WrittenService, path: ConfigPath): ServiceOptions {
    const origins = this.#origins(written, path);
    this.#checkEffects(written, origins, path);
    return {
      origins,
      options: this.#options(written, path),
      healthCheck:
        written.healthCheck === undefined
          ? undefined
          : {
              path: written.healthCheck.path,
              intervalMs: written.healthCheck.interval ?? DEFAULT_HEALTH_CHECK.intervalMs,
              timeoutMs: written.healthCheck.timeout ?? DEFAULT_HEALTH_CHECK.timeoutMs,
              unhealthyAfter: written.healthCheck.unhealthyAfter ?? DEFAULT_HEALTH_CHECK.unhealthyAfter,
              healthyAfter: written.healthCheck.healthyAfter ?? DEFAULT_HEALTH_CHECK.healthyAfter,
            },
    };
  }

  #origins(written: WrittenService, path: ConfigPath): ServiceOptions["origins"] {
    const single = written.url !== undefined;
    if (single === (written.urls !== undefined)) {
      this.#error(
        path,
        single ? "both url and urls are written" : "neither url nor urls is written",
        "write url for one origin or urls for several",
      );
    }
    const texts = written.urls ?? (written.url === undefined ? [] : [written.url]);
    const addresses = texts.flatMap((text, index): OriginAddress[] => {
      const parsed = parseOriginUrl(text, written.http2);
      if (parsed.ok) return [parsed.address];
      this.#error(single ? [...path, "url"] : [...path, "urls", index], parsed.problem, "write another address, or remove http2");
      return [];
    });
    if (new Set(addresses.map(isTcp)).size > 1)
      this.#error([...path, "urls"], "tcp:// origins are mixed with others", "make two services of them");
    const [first, ...others] = addresses;
    // Never used: findings stop the configuration from going live.
    return first === undefined ? [{ kind: "status", status: 503 }] : [first, ...others];
  }

  #options(written: WrittenService, path: ConfigPath): OriginOptions {
    const defaults = DEFAULT_ORIGIN_OPTIONS;
    return {
      connectTimeoutMs: written.connectTimeout ?? defaults.connectTimeoutMs,
      responseHeaderTimeoutMs: noneIsUndefined(written.responseHeaderTimeout, defaults.responseHeaderTimeoutMs),
      poolIdleMs: written.poolIdle ?? defaults.poolIdleMs,
      requestBodyIdleMs: noneIsUndefined(written.requestBodyIdle, defaults.requestBodyIdleMs),
      maxConnections: written.maxConnections ?? defaults.maxConnections,
      maxQueuedRequests: written.maxQueuedRequests ?? defaults.maxQueuedRequests,
      hostHeader: written.hostHeader,
      serverName: written.serverName,
      ca: written.ca === undefined ? undefined : this.#authorities(written.ca.file, [...path, "ca"]),
      insecureSkipVerify: written.insecureSkipVerify ?? defaults.insecureSkipVerify,
      setRequestHeaders: this.#headers(written.setRequestHeaders, [...path, "setRequestHeaders"]),
      removeRequestHeaders: written.removeRequestHeaders ?? defaults.removeRequestHeaders,
      setResponseHeaders: this.#headers(written.setResponseHeaders, [...path, "setResponseHeaders"]),
      removeResponseHeaders: written.removeResponseHeaders ?? defaults.removeResponseHeaders,
      stripPrefix: written.stripPrefix,
      addPrefix: written.addPrefix,
    };
  }

  // An option that does nothing where it stands is a misunderstanding: say so.
  #checkEffects(written: WrittenService, origins: readonly OriginAddress[], path: ConfigPath): void {
    const tls = origins.some((origin) => origin.kind === "http" && origin.secure);
    for (const key of ["ca", "serverName", "insecureSkipVerify"] as const) {
      if (written[key] !== undefined && !tls)
        this.#warn(
          [...path, key],
          `${key} has no effect: no origin of this service is https://`,
          "remove it, or write https://",
          "ERR_CONFIG_CONFLICT",
        );
    }
    if (written.insecureSkipVerify === true && tls) {
      this.#warn(
        [...path, "insecureSkipVerify"],
        "the origin's certificate is not verified",
        "give its authority with ca, or the name in its certificate with serverName",
      );
    }
    if (written.healthCheck !== undefined && !origins.some((origin) => origin.kind === "http" || origin.kind === "unix")) {
      this.#error(
        [...path, "healthCheck"],
        "health checks are HTTP requests, and no origin of this service speaks HTTP",
        "remove healthCheck",
      );
    }
  }

  #headers(written: Readonly<Record<string, WrittenHeaderValue>> | undefined, path: ConfigPath): Readonly<Record<string, HeaderValue>> {
    const entries = Object.entries(written ?? {}).flatMap(([name, value]): [string, HeaderValue][] => {
      if (typeof value === "string") return [[name, value]];
      const text = this.#reference(value, [...path, name]);
      if (text === undefined) return [];
      if (/[^\x20-\x7e\x80-\xff]/.test(text))
        this.#error(
          [...path, name],
          "the value this refers to holds characters that no header can carry",
          "keep it on one line of latin1 text",
        );
      return [[name, new Secret(text)]];
    });
    return Object.fromEntries(entries);
  }

  #authorities(file: string, path: ConfigPath): string | undefined {
    const pem = this.#file(file, path);
    if (pem === undefined) return undefined;
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length > 0 && blocks.every(isCertificate)) return pem;
    this.#findings(
      "ERR_CONFIG_REFERENCED_FILE",
      path,
      "the file holds no PEM certificate",
      "point to a file with -----BEGIN CERTIFICATE----- in it",
    );
    return undefined;
  }

  #reference(from: Reference, path: ConfigPath): string | undefined {
    if (from.kind === "file") return this.#secretFile(from.file, path)?.trimEnd();
    const value = this.#environment[from.env];
    // R-J5: an empty secret is a missing one.
    if (value !== undefined && value !== "") return value;
    this.#findings(
      "ERR_CONFIG_SECRET",
      path,
      `the environment variable ${from.env} is ${value === undefined ? "not set" : "empty"}`,
      "set it for this process, or refer to a file",
    );
    return undefined;
  }

  /** Passwords and the like: a file that others can change, or everybody can read, is refused (R-J4). */
  #secretFile(file: string, path: ConfigPath): string | undefined {
    const content = this.#file(file, path);
    const absolute = this.#path(file);
    const unsafe = content === undefined ? undefined : privateFileProblem(absolute, undefined, undefined, "group");
    if (unsafe === undefined) return content;
    this.#findings("ERR_CONFIG_SECRET", path, unsafe.problem, unsafe.remedy);
    return undefined;
  }

  #file(file: string, path: ConfigPath): string | undefined {
    const absolute = this.#path(file);
    this.files.add(absolute);
    try {
      const content = readFileSync(absolute);
      if (content.length > MAX_REFERENCED_BYTES) throw new RangeError("too large");
      if (content.length > 0) return content.toString("utf8");
      this.#findings("ERR_CONFIG_REFERENCED_FILE", path, "the file is empty", "fill it, or point to another one");
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "too large";
      this.#findings(
        "ERR_CONFIG_REFERENCED_FILE",
        path,
        `the file cannot be read (${code})`,
        "check the path (relative ones start at the configuration's folder) and its permissions",
      );
    }
    return undefined;
  }

  #path(file: string): string {
    return isAbsolute(file) ? file : join(this.#folder, file);
  }

  #error(path: ConfigPath, message: string, remedy: string): void {
    this.#findings("ERR_CONFIG_CONFLICT", path, message, remedy);
  }

  #warn(path: ConfigPath, message: string, remedy: string, code: Finding["code"] = "ERR_CONFIG_INSECURE"): void {
    this.findings.push({ severity: "warning", path, code, message, remedy });
  }

  #findings(code: Finding["code"], path: ConfigPath, message: string, remedy: string): void {
    this.findings.push({ path, code, message, remedy });
  }
}

function requirementsOf(...written: readonly (WrittenRequirement | undefined)[]): readonly Requirement[] {
  return written.flatMap((one) => (one === undefined ? [] : [requirementOf(one)]));
}

function isTcp(origin: OriginAddress): boolean {
  return origin.kind === "tcp";
}

function noneIsUndefined(written: number | "none" | undefined, fallback: number | undefined): number | undefined {
  return written === "none" ? undefined : (written ?? fallback);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
