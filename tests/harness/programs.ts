// Programs of a signed-in person: a home folder of their own, `sallyport access login` driven to its end with a PIN that the
// relay shows on its terminal. Must not import product code.

import { readFileSync } from "node:fs";
import { launchSallyport, runSallyport } from "./connector.ts";
import type { CommandResult, Program } from "./program.ts";
import type { Relay } from "./relay.ts";
import { scratchFolder, within } from "./scratch.ts";
import { Visitor } from "./sign-in.ts";

/** What a relay needs so that people can sign in without a mail server. */
export const PIN_PROVIDER = { identityProviders: [{ name: "email", type: "one-time-pin", delivery: "terminal" }] };

export class Person {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly visitor: Visitor;
  readonly #relay: Relay;

  /** @param caFile authority to trust, when the relay serves TLS */
  constructor(stack: AsyncDisposableStack, relay: Relay, caFile?: string) {
    this.home = scratchFolder(stack, "sallyport-home");
    // A browser that opens nothing: the test is the browser.
    this.env = { HOME: this.home, BROWSER: "/bin/true", ...(caFile === undefined ? {} : { NODE_EXTRA_CA_CERTS: caFile }) };
    this.#relay = relay;
    this.visitor = new Visitor(relay, caFile === undefined ? undefined : readFileSync(caFile, "utf8"));
  }

  url(application: string, path = ""): string {
    return `${this.#relay.options.tls === undefined ? "http" : "https"}://${this.#relay.host(application)}${path}`;
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    return runSallyport(args, { env: { ...this.env, ...env } });
  }

  launch(...args: readonly string[]): Program {
    return launchSallyport(args, this.env);
  }

  /** Opens the page that a command printed, signed in, up to the question whether to allow it. */
  async openPrinted(program: Program, email: string): Promise<void> {
    const line = await program.line(/^ {2}http/);
    const { pathname, search } = new URL(line.trim());
    await this.visitor.open("auth", pathname + search);
    if (!/name="email"/.test(this.visitor.page.text())) return;
    await this.visitor.submit({ email });
    const shown = await this.#relay.program.line(new RegExp(`^Code for ${email.replaceAll(".", "\\.")} `));
    await this.visitor.submit({ pin: /: ([0-9]+)$/.exec(shown)?.[1] ?? "" });
  }

  /** What the browser does with the page after the decision: tells the command's port. */
  async tellCommand(): Promise<void> {
    const target = /^0;url=(.+)$/.exec(String(this.visitor.page.headers["refresh"] ?? ""))?.[1];
    const response = await fetch(target ?? "");
    await response.text();
  }

  /** `sallyport access login`, confirmed. */
  async logIn(application: string, email: string): Promise<Program> {
    const program = this.launch("access", "login", this.url(application));
    await this.openPrinted(program, email);
    await this.visitor.submit({ decision: "allow" });
    await this.tellCommand();
    await within(10_000, "the command to end", program.exited);
    return program;
  }
}
