// Selectors about who the visitor is: a person who signed in, or a program with a service token. What the identity
// provider did not say is unknown, never false. Must not know policies or actions.

import type { PersonIdentity } from "../authn/identity.ts";
import type { ClaimSelector, SelectorKind } from "../config/policy-types.ts";
import type { RequestFacts } from "./facts.ts";
import type { Condition, IndexedKind, IndexKeys } from "./policy.ts";
import { BaseNode, type ValuesNode } from "./selector-node.ts";
import { FALSE, TRUE, truthOf, UNKNOWN, type Truth } from "./truth.ts";

const NOBODY = "nobody is signed in yet";
const A_PROGRAM = "a service token is no person";

/** Selectors about a person: pending while nobody is signed in, false for programs. */
abstract class PersonNode extends BaseNode {
  evaluate(facts: RequestFacts, pending: Truth): Truth {
    const identity = facts.identity;
    if (identity === undefined) return pending;
    return identity.kind === "person" ? this.judge(identity) : FALSE;
  }

  found(facts: RequestFacts): string {
    if (facts.identity === undefined) return NOBODY;
    return facts.identity.kind === "person" ? this.see(facts.identity) : A_PROGRAM;
  }

  protected abstract judge(person: PersonIdentity): Truth;
  protected abstract see(person: PersonIdentity): string;
}

/** One value of a person that is compared as a whole. */
export interface SingleFact {
  readonly kind: SelectorKind;
  /** Set where policies are found by it. */
  readonly indexed: IndexedKind | undefined;
  readonly label: string;
  /** undefined: not known. */
  read(person: PersonIdentity): string | undefined;
}

/** The person's value is one of a set. */
export class SingleNode extends PersonNode implements ValuesNode {
  readonly fact: SingleFact;
  readonly values: ReadonlySet<string>;

  constructor(fact: SingleFact, values: ReadonlySet<string>, text: string) {
    super(fact.kind, text, ["identity"], keysFor(fact.indexed, values));
    this.fact = fact;
    this.values = values;
  }

  withValues(values: ReadonlySet<string>): Condition {
    return new SingleNode(this.fact, values, this.text);
  }

  protected judge(person: PersonIdentity): Truth {
    const value = this.fact.read(person);
    return value === undefined ? UNKNOWN : truthOf(this.values.has(value));
  }

  protected see(person: PersonIdentity): string {
    return `${this.fact.label} is ${this.fact.read(person) ?? "not known"}`;
  }
}

/** Values of a person of which there may be several. */
export interface ListFact {
  readonly kind: SelectorKind;
  readonly indexed: IndexedKind | undefined;
  readonly label: string;
  /** undefined: the provider did not say, which is not the same as none. */
  read(person: PersonIdentity): readonly string[] | undefined;
}

export class ListNode extends PersonNode implements ValuesNode {
  readonly fact: ListFact;
  readonly values: ReadonlySet<string>;

  constructor(fact: ListFact, values: ReadonlySet<string>, text: string) {
    super(fact.kind, text, ["identity"], keysFor(fact.indexed, values));
    this.fact = fact;
    this.values = values;
  }

  withValues(values: ReadonlySet<string>): Condition {
    return new ListNode(this.fact, values, this.text);
  }

  protected judge(person: PersonIdentity): Truth {
    const present = this.fact.read(person);
    if (present === undefined) return UNKNOWN;
    for (const value of present) if (this.values.has(value)) return TRUE;
    return FALSE;
  }

  protected see(person: PersonIdentity): string {
    const present = this.fact.read(person);
    if (present === undefined) return `${this.fact.label} are not known`;
    return present.length === 0 ? `no ${this.fact.label}` : `${this.fact.label} are ${present.join(", ")}`;
  }
}

/** A claim that is missing, null or of another shape than the selector asks for is unknown. */
export class ClaimNode extends PersonNode {
  readonly #name: string;
  readonly #wanted: string | number | boolean;
  readonly #inList: boolean;

  constructor(selector: ClaimSelector, text: string) {
    super("claim", text, ["identity"]);
    const wanted = selector.equals ?? selector.contains;
    if (wanted === undefined) throw new TypeError("a claim selector without a value");
    this.#name = selector.name;
    this.#wanted = wanted;
    this.#inList = selector.contains !== undefined;
  }

  protected judge(person: PersonIdentity): Truth {
    const claim = this.#read(person);
    if (this.#inList) return Array.isArray(claim) ? truthOf(claim.includes(this.#wanted)) : UNKNOWN;
    return typeof claim === typeof this.#wanted ? truthOf(claim === this.#wanted) : UNKNOWN;
  }

  // The value may be personal and long; a trace names its shape only.
  protected see(person: PersonIdentity): string {
    const claim = this.#read(person);
    if (claim === undefined || claim === null) return `claim ${this.#name} is not known`;
    return `claim ${this.#name} is ${Array.isArray(claim) ? `a list of ${claim.length}` : `a ${typeof claim}`}`;
  }

  #read(person: PersonIdentity): unknown {
    return Object.hasOwn(person.claims, this.#name) ? person.claims[this.#name] : undefined;
  }
}

/** A service token is presented with the request or not: never pending, a sign-in cannot change it. */
export class ServiceTokenNode extends BaseNode implements ValuesNode {
  readonly values: ReadonlySet<string>;

  constructor(values: ReadonlySet<string>, text: string) {
    super("serviceToken", text, ["identity"], keysFor("serviceToken", values));
    this.values = values;
  }

  withValues(values: ReadonlySet<string>): Condition {
    return new ServiceTokenNode(values, this.text);
  }

  evaluate({ identity }: RequestFacts): Truth {
    return truthOf(identity?.kind === "service" && this.values.has(identity.name));
  }

  found(facts: RequestFacts): string {
    return tokenFound(facts);
  }
}

export class AnyServiceTokenNode extends BaseNode {
  constructor(text: string) {
    super("anyServiceToken", text, ["identity"]);
  }

  evaluate({ identity }: RequestFacts): Truth {
    return truthOf(identity?.kind === "service");
  }

  found(facts: RequestFacts): string {
    return tokenFound(facts);
  }
}

function tokenFound({ identity }: RequestFacts): string {
  return identity?.kind === "service" ? `service token ${identity.name}` : "no service token";
}

/** The evaluator is asked about a person or program, so it is pending while there is neither. */
export class ExternalNode extends BaseNode {
  readonly #url: string;

  constructor(url: string, text: string) {
    super("externalEvaluation", text, ["identity", "external"]);
    this.#url = url;
  }

  evaluate(facts: RequestFacts, pending: Truth): Truth {
    if (facts.identity === undefined) return pending;
    const answer = facts.external(this.#url);
    if (answer === "pending") return pending;
    return answer === undefined ? UNKNOWN : truthOf(answer);
  }

  found(facts: RequestFacts): string {
    if (facts.identity === undefined) return NOBODY;
    const answer = facts.external(this.#url);
    if (answer === "pending") return "the evaluator is asked by the first request";
    return answer === undefined ? "the evaluator gave no valid answer" : `the evaluator said ${answer ? "yes" : "no"}`;
  }
}

function keysFor(kind: IndexedKind | undefined, values: ReadonlySet<string>): IndexKeys | undefined {
  return kind === undefined ? undefined : new Map([[kind, values]]);
}
