// Where tokens are kept between commands: one file per application host in the user's configuration folder, readable by
// nobody else, replaced whole (R-J4). Must not know how tokens come about.

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { privateFileProblem } from "../config/permissions.ts";
import type { Environment } from "../tunnel/proxy.ts";
import { isToken, type AccessToken } from "./token.ts";
import { isWithin } from "./urls.ts";

/** `problem` and `remedy` for people. */
export interface StoreProblem {
  readonly kind: "problem";
  readonly problem: string;
  readonly remedy: string;
}

export type FoundToken =
  | { readonly kind: "found"; readonly token: AccessToken }
  | { readonly kind: "none" }
  | { readonly kind: "expired" }
  | StoreProblem;

const FILE_NAME = /^[a-z0-9.-]+(?:_[0-9]{1,5})?\.json$/;
/** Applications of one host have paths of their own. */
const MAX_TOKENS_PER_HOST = 100;

export class TokenFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `$XDG_CONFIG_HOME/sallyport/access`, else `~/.config/sallyport/access` (XDG Base Directory Specification). */
  static of(environment: Environment): TokenFiles {
    const { XDG_CONFIG_HOME: xdg = "", HOME: home = homedir() } = environment;
    // The specification: relative paths are invalid and ignored.
    return new TokenFiles(join(isAbsolute(xdg) ? xdg : join(home, ".config"), "sallyport", "access"));
  }

  /** The token of the application that serves this URL: the one with the longest path. */
  find(url: URL, nowMs: number): FoundToken {
    const read = this.read(url);
    if (read.kind === "problem") return read;
    const fitting = read.tokens
      .filter(({ application }) => serves(application, url))
      .toSorted((a, b) => b.application.length - a.application.length);
    const [token] = fitting;
    if (token === undefined) return { kind: "none" };
    return token.expiresAt > nowMs ? { kind: "found", token } : { kind: "expired" };
  }

  /** Every token of a host. */
  read(url: URL): { readonly kind: "tokens"; readonly tokens: readonly AccessToken[] } | StoreProblem {
    const file = this.fileOf(url);
    let text: string;
    try {
      const permissions = privateFileProblem(file);
      if (permissions !== undefined) return { kind: "problem", ...permissions };
      text = readFileSync(file, "utf8");
    } catch (error) {
      const { code = "unknown" } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return { kind: "tokens", tokens: [] };
      return {
        kind: "problem",
        problem: `${file} cannot be read (${code})`,
        remedy: "repair its permissions, or delete it and sign in again",
      };
    }
    const tokens = parseFile(text, url.origin);
    if (tokens === undefined) return { kind: "problem", problem: `${file} is damaged`, remedy: `delete it and sign in again` };
    return { kind: "tokens", tokens };
  }

  /** Keeps a token in place of an older one of the same application. @throws what the file system throws */
  save(token: AccessToken): string {
    const url = new URL(token.application);
    const read = this.read(url);
    const others = read.kind === "problem" ? [] : read.tokens.filter(({ application }) => application !== token.application);
    return this.#write(url, [...others, token].slice(-MAX_TOKENS_PER_HOST));
  }

  /** Forgets one application's token. @throws what the file system throws */
  remove(token: AccessToken): void {
    const url = new URL(token.application);
    const read = this.read(url);
    const others = read.kind === "problem" ? [] : read.tokens.filter(({ application }) => application !== token.application);
    if (others.length > 0) this.#write(url, others);
    else rmSync(this.fileOf(url), { force: true });
  }

  /** Origins that there is a file of. */
  origins(): readonly URL[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => FILE_NAME.test(name))
        .flatMap((name) => originOf(join(this.#folder, name)));
    } catch {
      return [];
    }
  }

  fileOf(url: URL): string {
    return join(this.#folder, `${url.host.replace(":", "_")}.json`);
  }

  #write(url: URL, tokens: readonly AccessToken[]): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const file = this.fileOf(url);
    const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      const descriptor = openSync(temporary, "wx", 0o600);
      try {
        writeSync(descriptor, `${JSON.stringify({ version: 1, origin: url.origin, tokens }, undefined, 2)}\n`);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    return file;
  }
}

function serves(application: string, url: URL): boolean {
  const { origin, pathname } = new URL(application);
  return origin === url.origin && isWithin(url.pathname, pathname);
}

/** Only what belongs to this origin: a file that was moved or written by somebody else sends no token elsewhere. */
function parseFile(text: string, origin: string): readonly AccessToken[] | undefined {
  try {
    const { version, tokens } = JSON.parse(text) as { readonly version?: unknown; readonly tokens?: unknown };
    if (version !== 1 || !Array.isArray(tokens)) return undefined;
    return tokens.every((token) => isAccessToken(token, origin)) ? (tokens as readonly AccessToken[]) : undefined;
  } catch {
    return undefined;
  }
}

function isAccessToken(value: unknown, origin: string): value is AccessToken {
  const { application, authUrl, token, expiresAt } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return (
    typeof application === "string" &&
    URL.parse(application)?.origin === origin &&
    typeof authUrl === "string" &&
    URL.canParse(authUrl) &&
    isToken(token) &&
    typeof expiresAt === "number"
  );
}

function originOf(file: string): readonly URL[] {
  try {
    const { origin } = JSON.parse(readFileSync(file, "utf8")) as { readonly origin?: unknown };
    const url = typeof origin === "string" ? URL.parse(origin) : null;
    return url === null ? [] : [url];
  } catch {
    return [];
  }
}
