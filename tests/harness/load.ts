// Steady load from several visitors at once, each with its own kept connection, until told to stop; every answer
// is checked, every failure kept with its reason.

import { Agent } from "node:http";
import type { Relay } from "./relay.ts";
import { lookupLoopback, visit } from "./visitor.ts";
import type { Visit } from "./visitor.ts";

export interface LoadOptions {
  readonly application: string;
  /** Default 16. */
  readonly visitors?: number;
  /** One exchange of visitor `visitor`; returns what is wrong with the answer, or undefined. */
  readonly check: (answer: Visit, path: string) => string | undefined;
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: readonly string[];
}

export class Load {
  readonly #work: Promise<void>[];
  readonly #failures: string[] = [];
  #requests = 0;
  #stopping = false;

  constructor(relay: Relay, options: LoadOptions) {
    this.#work = Array.from({ length: options.visitors ?? 16 }, (_, visitor) => this.#visitor(relay, options, visitor));
  }

  get requests(): number {
    return this.#requests;
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  async stop(): Promise<LoadResult> {
    this.#stopping = true;
    await Promise.all(this.#work);
    return { requests: this.#requests, failures: this.#failures };
  }

  async #visitor(relay: Relay, { application, check }: LoadOptions, visitor: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, lookup: lookupLoopback });
    for (let turn = 0; !this.#stopping; turn += 1) {
      const path = `/${visitor}/${turn}`;
      // Every third has a body, so that both kinds of request are under way at any moment.
      const body = turn % 3 === 0 ? { method: "POST", body: path.repeat(200) } : {};
      try {
        const problem = check(await visit(relay, application, path, { agent, ...body }), path);
        if (problem !== undefined) this.#failures.push(`${path}: ${problem}`);
      } catch (error) {
        this.#failures.push(`${path}: ${String(error)}`);
      }
      this.#requests += 1;
    }
    agent.destroy();
  }
}
