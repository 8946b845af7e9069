// A relay as an operator runs it: the built command line with a configuration file, on free ports of loopback (or
// inside a network namespace), driven by its own administrative commands. Must not import product code.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { stringify } from "yaml";
import { canaries, filesBelow } from "./canary.ts";
import { command, mustRun, Program } from "./program.ts";
import type { CommandResult, Exit } from "./program.ts";
import { eventually, freePort, scratchFolder } from "./scratch.ts";
import type { Certificate } from "./tls.ts";

const MAIN = join(import.meta.dirname, "..", "..", "packages", "relay", "dist", "main.js");
/** The built command line, for scripts that tests write. */
export const SALLYPORT_RELAY_MAIN: string = MAIN;

/** The policies that the generated configuration has where it uses them. */
const POLICIES = [
  { name: "public", action: "bypass", include: [{ everyone: true }] },
  { name: "programs", action: "service", include: [{ anyServiceToken: true }] },
  { name: "staff", action: "allow", include: [{ emailDomain: "example.com" }] },
] as const;

export interface ApplicationOptions {
  /** Also the first label of its hostname under relay.localhost, and the connector's service, where not given. */
  readonly name: string;
  readonly hostname?: string;
  readonly path?: string;
  readonly tunnel?: string;
  readonly service?: string;
  /** Names of {@link POLICIES}, or of those in `config`. Default: `public`. */
  readonly policies?: readonly string[];
  /** Further keys of the application in relay.yaml. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface RelayOptions {
  readonly applications: readonly ApplicationOptions[];
  /** Default: ["office"]. */
  readonly tunnels?: readonly string[];
  /** Serves TLS (and HTTP/2) with this certificate; plain HTTP without. */
  readonly tls?: Certificate;
  /** Where it listens and what connectors call. Default: 127.0.0.1 and auth.relay.localhost. */
  readonly listenHost?: string;
  readonly authHost?: string;
  readonly port?: number;
  /** Port in authUrl and in Host, where something (a forwarder) stands in front of the listener. Default: `port`. */
  readonly publicPort?: number;
  readonly netns?: string;
  /** Merged over the generated configuration, top level keys win. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface ServiceToken {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** What `credential list --json` says of one. */
export interface CredentialView {
  readonly id: string;
  readonly tunnel: string;
  readonly createdAt: number | string;
  readonly revokedAt?: number | string;
}

export class Relay {
  readonly port: number;
  readonly adminPort: number;
  readonly folder: string;
  readonly configFile: string;
  readonly authUrl: string;
  readonly options: RelayOptions;
  #program: Program | undefined;

  constructor(folder: string, port: number, adminPort: number, options: RelayOptions) {
    this.folder = folder;
    this.port = port;
    this.adminPort = adminPort;
    this.options = options;
    this.configFile = join(folder, "relay.yaml");
    const scheme = options.tls === undefined ? "http" : "https";
    const publicPort = options.publicPort ?? port;
    const suffix = publicPort === (scheme === "https" ? 443 : 80) ? "" : `:${publicPort}`;
    this.authUrl = `${scheme}://${options.authHost ?? "auth.relay.localhost"}${suffix}`;
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error("the relay has not been started");
    return this.#program;
  }

  /** Hostname with the port, as a visitor's Host header has it. */
  host(application: string): string {
    return `${application}.relay.localhost:${this.options.publicPort ?? this.port}`;
  }

  /** The configuration file's content; `change` is merged over it. */
  config(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const { tls, applications, tunnels = ["office"], listenHost = "127.0.0.1", config = {} } = this.options;
    const certificate = tls && { tls: { cert: { file: tls.certificateFile }, key: { file: tls.privateKeyFile } } };
    return {
      authUrl: this.authUrl,
      listen: [{ address: `${listenHost}:${this.port}`, ...certificate }],
      admin: { address: `127.0.0.1:${this.adminPort}` },
      state: join(this.folder, "state"),
      tunnels: tunnels.map((name) => ({ name })),
      // Only those in use: an unused one is a warning of `check`.
      policies: POLICIES.filter(({ name }) => applications.some(({ policies = ["public"] }) => policies.includes(name))),
      applications: applications.map((application) => ({
        name: application.name,
        hostname: application.hostname ?? `${application.name}.relay.localhost`,
        path: application.path ?? "/",
        tunnel: application.tunnel ?? tunnels[0],
        service: application.service ?? application.name,
        policies: application.policies ?? ["public"],
        ...application.more,
      })),
      ...config,
      ...change,
    };
  }

  writeConfig(change: Readonly<Record<string, unknown>> = {}): void {
    writeFileSync(this.configFile, stringify(this.config(change), { aliasDuplicateObjects: false }));
  }

  /** Starts the process and waits until its own readiness endpoint says so. */
  async start(): Promise<void> {
    const args = [...(this.options.nodeArgs ?? []), MAIN, "serve", "--config", this.configFile];
    const { netns, env = {} } = this.options;
    const program = new Program({ name: "relay", command: process.execPath, args, cwd: this.folder, netns, env, secretFree: true });
    this.#program = program;
    await eventually(() => this.ready(), { what: "the relay to be ready", context: () => program.tail() });
  }

  async ready(): Promise<boolean> {
    if (this.program.exit !== undefined) throw new Error(`the relay ended with ${this.program.exit.code}:\n${this.program.tail()}`);
    return (await this.adminGet("/readyz")).status === 200;
  }

  /** GET on the admin listener; reached through curl where the relay has a network of its own. */
  async adminGet(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const url = `http://127.0.0.1:${this.adminPort}${path}`;
    if (this.options.netns !== undefined) {
      const { stdout } = await command("curl", ["-s", "-w", "\n%{http_code}", url], { netns: this.options.netns });
      const at = stdout.lastIndexOf("\n");
      return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
    }
    return await new Promise((resolve, reject) => {
      get(url, { agent: false, timeout: 5_000 }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", reject);
      }).on("error", reject);
    });
  }

  /** Value of a metric (all series of that name whose labels contain each of `labels` summed up); 0 when there is none. */
  async metric(name: string, ...labels: readonly string[]): Promise<number> {
    const { body } = await this.adminGet("/metrics");
    const series = body.split("\n").filter((line) => line.startsWith(name) && /^[{ ]/.test(line.slice(name.length)));
    return series
      .filter((line) => labels.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  /** `sallyport-relay <args> --config relay.yaml`. */
  run(...args: readonly string[]): Promise<CommandResult> {
    return command(process.execPath, [MAIN, ...args, "--config", this.configFile], { cwd: this.folder, netns: this.options.netns });
  }

  async mustRun(...args: readonly string[]): Promise<string> {
    return await mustRun(process.execPath, [MAIN, ...args, "--config", this.configFile], { cwd: this.folder, netns: this.options.netns });
  }

  /** Path of a new credential file for the tunnel. */
  async createCredential(tunnel = "office"): Promise<string> {
    const folder = join(this.folder, "credentials");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${tunnel}-${readdirSync(folder).length}.credential`);
    await this.mustRun("credential", "create", tunnel, "--output", file);
    const { privateKey } = JSON.parse(readFileSync(file, "utf8")) as { readonly privateKey: string };
    canaries.add(`the private key of ${file.slice(folder.length + 1)}`, privateKey);
    return file;
  }

  async createServiceToken(name: string): Promise<ServiceToken> {
    const { token, secret } = JSON.parse(await this.mustRun("service-token", "create", name, "--json")) as {
      readonly token: { readonly clientId: string };
      readonly secret: string;
    };
    canaries.add(`the service token ${name}`, secret);
    return { clientId: token.clientId, clientSecret: secret };
  }

  /** Credentials of a tunnel, oldest first. */
  async credentials(tunnel = "office"): Promise<readonly CredentialView[]> {
    const { credentials } = JSON.parse(await this.mustRun("credential", "list", tunnel, "--json")) as {
      readonly credentials: readonly CredentialView[];
    };
    return credentials;
  }

  /** Every record (access log and audit) written so far. */
  records(): readonly Record<string, unknown>[] {
    const folder = join(this.folder, "state", "records");
    return readdirSync(folder)
      .toSorted()
      .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"))
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    return await this.program.stop(signal);
  }

  /** Looks for secrets in what the relay counts, records and stores (R-M2); its own keys are in its state, and no canaries. */
  async searchForSecrets(): Promise<void> {
    if (this.#program?.exit === undefined && this.#program !== undefined) {
      const metrics = await this.adminGet("/metrics").catch(() => undefined);
      if (metrics !== undefined) canaries.look("the metrics of the relay", metrics.body);
    }
    await this.#program?.[Symbol.asyncDispose]();
    for (const text of filesBelow(join(this.folder, "state"))) canaries.look("the state and the records of the relay", text);
  }
}

/** A running relay that ends with the stack. */
export async function startRelay(stack: AsyncDisposableStack, options: RelayOptions): Promise<Relay> {
  const folder = scratchFolder(stack, "sallyport-relay");
  const relay = new Relay(folder, options.port ?? (await freePort()), await freePort(), options);
  relay.writeConfig();
  await relay.start();
  stack.defer(() => relay.searchForSecrets());
  return relay;
}
