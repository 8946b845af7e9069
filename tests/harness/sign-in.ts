// A visitor who signs in like a browser, without being one: keeps cookies by host, follows redirects, submits forms,
// and reads the code where the relay shows it.

import type { Relay } from "./relay.ts";
import { visit, type Visit } from "./visitor.ts";

/** How the relay shows a code on its terminal. */
export const SIGN_IN_CODE = /^Code for (\S+) \([^)]*\): ([0-9]+)$/;
const MAX_REDIRECTS = 20;

export class Visitor {
  readonly #relay: Relay;
  readonly #ca: string | undefined;
  /** By application. */
  readonly #cookies = new Map<string, Map<string, string>>();
  #application = "";
  #page: Visit | undefined;
  redirects = 0;

  /** @param ca PEM to trust, when the relay serves TLS */
  constructor(relay: Relay, ca?: string) {
    this.#relay = relay;
    this.#ca = ca;
  }

  get page(): Visit {
    if (this.#page === undefined) throw new Error("no page was opened yet");
    return this.#page;
  }

  /** Opens an application's page and follows where it leads. */
  async open(application: string, path: string): Promise<void> {
    await this.#follow(await this.ask(application, path, "text/html"));
  }

  /** One request with this visitor's cookies. */
  async ask(application: string, path: string, accept: string, form?: Readonly<Record<string, string>>): Promise<Visit> {
    const jar = this.#cookies.get(application) ?? new Map<string, string>();
    this.#cookies.set(application, jar);
    this.#application = application;
    const headers = { accept, cookie: this.cookie(application), ...(form === undefined ? {} : FORM_HEADERS) };
    const body = form === undefined ? "" : new URLSearchParams(form).toString();
    const ca = this.#ca === undefined ? {} : { ca: this.#ca };
    const answer = await visit(this.#relay, application, path, { method: form === undefined ? "GET" : "POST", headers, body, ...ca });
    for (const line of answer.headers["set-cookie"] ?? []) {
      const [pair = ""] = line.split(";");
      const equals = pair.indexOf("=");
      if (/max-age=0/i.test(line)) jar.delete(pair.slice(0, equals));
      else jar.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
    return answer;
  }

  /** @param readCode where the code is to be found; default: on the relay's terminal */
  async signIn(application: string, path: string, email: string, readCode?: () => Promise<string>): Promise<void> {
    await this.open(application, path);
    await this.submit({ email });
    await this.submit({ pin: await (readCode ?? (() => this.#codeOnTerminal(email)))() });
  }

  async #codeOnTerminal(email: string): Promise<string> {
    const line = await this.#relay.program.line(new RegExp(`^Code for ${email.replaceAll(".", "\\.")} `));
    return SIGN_IN_CODE.exec(line)?.[2] ?? "";
  }

  async signOut(): Promise<void> {
    await this.open("auth", "/logout");
    await this.submit({ scope: "session" });
  }

  /** Cookie field of this visitor at an application, for requests of other kinds. */
  cookie(application: string): string {
    return [...(this.#cookies.get(application) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  /** Sends the form of the page that is open. */
  async submit(values: Readonly<Record<string, string>>): Promise<void> {
    const html = this.page.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1];
    if (action === undefined) throw new Error(`expected a form, got ${this.page.status}: ${html}`);
    const form: Record<string, string> = {};
    for (const [, name = "", value = ""] of html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)) form[name] = value;
    await this.#follow(await this.ask(this.#application, action, "text/html", { ...form, ...values }));
  }

  async #follow(first: Visit): Promise<void> {
    this.#page = first;
    for (let hop = 0; hop < MAX_REDIRECTS; hop++) {
      const next = this.page.headers.location ?? /^0;url=(.+)$/.exec(String(this.page.headers["refresh"] ?? ""))?.[1];
      if (next === undefined) return;
      const { hostname, pathname, search } = new URL(next);
      // A command line's own port, or an identity provider: not this relay's.
      if (!hostname.endsWith(".relay.localhost")) return;
      this.redirects += 1;
      this.#page = await this.ask(hostname.split(".")[0] ?? "", pathname + search, "text/html");
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  }
}

/** As browsers send forms from pages with the referrer policy no-referrer. */
const FORM_HEADERS = { "content-type": "application/x-www-form-urlencoded", origin: "null", "sec-fetch-site": "same-origin" };
