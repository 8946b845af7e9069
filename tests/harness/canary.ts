// R-M2: every secret that a test hands out is a canary. Whatever the programs under test say, write down or count is searched
// for all of them at the end of each test file, in every spelling they could hide in; where one is found, the file fails and
// names secret and place. Must not import product code.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Shorter texts would be found by chance. */
const MIN_LENGTH = 12;
/** What surrounds a find, for the message; the secret itself is not repeated. */
const CONTEXT_CHARACTERS = 60;

interface Canary {
  readonly what: string;
  /** Travels in addresses by design, and is used up there: a code, a state. */
  readonly inAddresses: boolean;
  readonly spellings: readonly string[];
}

/** The parts of an HTTP answer that are looked at. */
export interface Answer {
  readonly setCookies: readonly string[];
  readonly location: string | undefined;
  /** Sallyport-Error; undefined where the answer is the origin's. */
  readonly error: string | undefined;
  readonly body: string;
}

/** A place that is looked into when the tests of a file are over. */
interface Place {
  readonly name: string;
  readonly read: () => readonly string[];
}

export class Canaries {
  readonly #known = new Map<string, Canary>();
  readonly #places = new Set<Place>();
  readonly #leaks = new Set<string>();

  get size(): number {
    return this.#known.size;
  }

  /** A secret from here on. @param what for the message: "service token of robot" */
  add(what: string, secret: string | undefined, inAddresses = false): void {
    if (secret === undefined || secret.length < MIN_LENGTH || this.#known.has(secret)) return;
    this.#known.set(secret, { what, spellings: spellingsOf(secret), inAddresses });
  }

  /** The parameters of sign-in in an address that a browser was sent to: worth something until they are used. */
  addAddress(address: string): void {
    const { searchParams } = new URL(address, "http://relative.test");
    for (const name of ["code", "state", "request"])
      for (const value of searchParams.getAll(name)) this.add(`a ${name} of sign-in`, value, true);
  }

  /** An answer that a visitor got: its cookies are secrets, none may be in where it sends the browser, nor in an error of ours. */
  seeAnswer(what: string, answer: Answer): void {
    this.addCookies(what, answer.setCookies);
    if (answer.location !== undefined) {
      this.#lookFor(
        [...this.#known.values()].filter(({ inAddresses }) => !inAddresses),
        `an address that ${what} was sent to`,
        answer.location,
      );
      this.addAddress(answer.location);
    }
    if (answer.error !== undefined) this.look(`the answer ${answer.error} to ${what}`, answer.body);
  }

  /** Secrets in an HTTP answer to a visitor: session, token and login cookies of Sallyport. */
  addCookies(what: string, setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [, name, value] = /^((?:__Host-)?Sallyport_[A-Za-z0-9_]+|CF_Authorization)=([^;]+)/.exec(line) ?? [];
      if (name !== undefined) this.add(`${name} of ${what}`, value);
    }
  }

  /** Something that is searched at the end, and whenever {@link search} is called. */
  watch(name: string, read: () => readonly string[]): void {
    this.#places.add({ name, read });
  }

  /** Searches a text now: what a program said that is not kept. */
  look(name: string, text: string): void {
    this.#lookFor(this.#known.values(), name, text);
  }

  #lookFor(known: Iterable<Canary>, name: string, text: string): void {
    for (const { what, spellings } of known) {
      const found = spellings.find((spelling) => text.includes(spelling));
      if (found === undefined) continue;
      const at = text.indexOf(found);
      const around = text.slice(Math.max(0, at - CONTEXT_CHARACTERS), at);
      this.#leaks.add(`${what} is in ${name}, behind ${JSON.stringify(around)}`);
    }
  }

  /** Searches every watched place, and forgets it. */
  search(): void {
    for (const { name, read } of this.#places) for (const text of read()) this.look(name, text);
    this.#places.clear();
  }

  /** What was found since the last call, one sentence each. */
  takeLeaks(): readonly string[] {
    const leaks = [...this.#leaks];
    this.#leaks.clear();
    return leaks;
  }
}

/** Of the worker: one test file at a time. */
export const canaries: Canaries = new Canaries();

/** As it is, in a URL, and in Base64 of both alphabets at each of the three places it could begin. */
function spellingsOf(secret: string): readonly string[] {
  const spellings = new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  for (let shift = 0; shift < 3; shift++) {
    const encoded = Buffer.from("\0".repeat(shift) + secret).toString("base64");
    // The first and last characters depend on the neighbours.
    const stable = encoded.replace(/=+$/, "").slice(shift === 0 ? 0 : shift + 1, -2);
    if (stable.length >= MIN_LENGTH) spellings.add(stable).add(stable.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return [...spellings];
}

/** The text of every file below a folder, as latin1, so that databases are searched too; nothing where it is gone. */
export function filesBelow(folder: string, except: (file: string) => boolean = () => false): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !except(file))
      .map((file) => readFileSync(file, "latin1"));
  } catch {
    return [];
  }
}
