// A connector as a service owner runs it: the built command line with connector.yaml. Must not import product code.

import { writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { stringify } from "yaml";
import { command, Program } from "./program.ts";
import type { CommandResult, Exit } from "./program.ts";
import type { Relay } from "./relay.ts";
import { eventually, freePort, scratchFolder } from "./scratch.ts";

const MAIN = join(import.meta.dirname, "..", "..", "packages", "connector", "dist", "main.js");

/** A service in connector.yaml: an address, or an address with options. */
export type Service = string | ({ readonly url: string } & Readonly<Record<string, unknown>>);

export interface ConnectorOptions {
  readonly services: Readonly<Record<string, Service>>;
  /** Credential file; made for the tunnel `office` when not given. */
  readonly credential?: string;
  readonly tunnel?: string;
  /** Where the connector calls. Default: the relay's authUrl. */
  readonly relayUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly netns?: string;
  /** Further keys of connector.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
}

export class Connector {
  readonly folder: string;
  readonly configFile: string;
  readonly adminPort: number;
  readonly credential: string;
  readonly options: ConnectorOptions;
  readonly #relayUrl: string;
  #program: Program | undefined;

  constructor(folder: string, adminPort: number, credential: string, relayUrl: string, options: ConnectorOptions) {
    this.folder = folder;
    this.adminPort = adminPort;
    this.credential = credential;
    this.options = options;
    this.#relayUrl = relayUrl;
    this.configFile = join(folder, "connector.yaml");
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error("the connector has not been started");
    return this.#program;
  }

  writeConfig(services: Readonly<Record<string, Service>> = this.options.services): void {
    const admin = { address: `127.0.0.1:${this.adminPort}` };
    const content = { relay: this.#relayUrl, credential: { file: this.credential }, admin, services, ...this.options.config };
    writeFileSync(this.configFile, stringify(content, { aliasDuplicateObjects: false }));
  }

  /** Starts the process without waiting for a connection. */
  launch(): Program {
    const args = [...(this.options.nodeArgs ?? []), MAIN, "run", "--config", this.configFile, ...(this.options.args ?? [])];
    const { env, netns } = this.options;
    const program = { name: "connector", command: process.execPath, args, cwd: this.folder, env: { ...env }, netns };
    this.#program = new Program({ ...program, secretFree: true });
    return this.#program;
  }

  /** Starts the process and waits until its own readiness endpoint says that it serves. */
  async start(): Promise<void> {
    const program = this.launch();
    await eventually(() => this.ready(), { what: "the connector to be ready", context: () => program.tail() });
  }

  async ready(): Promise<boolean> {
    if (this.program.exit !== undefined) throw new Error(`the connector ended with ${this.program.exit.code}:\n${this.program.tail()}`);
    const url = `http://127.0.0.1:${this.adminPort}/readyz`;
    if (this.options.netns !== undefined) {
      const { stdout } = await command("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", url], { netns: this.options.netns });
      return stdout === "200";
    }
    return await new Promise((resolve, reject) => {
      get(url, { agent: false, timeout: 5_000 }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      }).on("error", reject);
    });
  }

  /** `sallyport <args>` with this connector's environment. */
  run(...args: readonly string[]): Promise<CommandResult> {
    return runSallyport(args, { cwd: this.folder, netns: this.options.netns, env: { ...this.options.env } });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    return await this.program.stop(signal);
  }
}

/** `sallyport <args>` to its end. */
export function runSallyport(
  args: readonly string[],
  options: { readonly cwd?: string; readonly netns?: string | undefined; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CommandResult> {
  return command(process.execPath, [MAIN, ...args], options);
}

/** The built command line, for scripts that tests write. */
export const SALLYPORT_MAIN: string = MAIN;

/** `sallyport <args>`, while it runs. */
export function launchSallyport(args: readonly string[], env: Readonly<Record<string, string>>): Program {
  return new Program({
    name: `sallyport ${args[0] ?? ""} ${args[1] ?? ""}`,
    command: process.execPath,
    args: [MAIN, ...args],
    env: { ...env },
  });
}

/** Prepares a connector: its folder, credential and configuration exist, its process does not run yet. */
export async function prepareConnector(stack: AsyncDisposableStack, relay: Relay, options: ConnectorOptions): Promise<Connector> {
  const folder = scratchFolder(stack, "sallyport-connector");
  const credential = options.credential ?? (await relay.createCredential(options.tunnel));
  const connector = new Connector(folder, await freePort(), credential, options.relayUrl ?? relay.authUrl, options);
  connector.writeConfig();
  return connector;
}

/** A connected connector that ends with the stack. */
export async function startConnector(stack: AsyncDisposableStack, relay: Relay, options: ConnectorOptions): Promise<Connector> {
  const connector = await prepareConnector(stack, relay, options);
  stack.defer(async () => {
    await connector.program[Symbol.asyncDispose]();
  });
  await connector.start();
  return connector;
}
