// The selectors of A10 as small nodes: what each looks at, how it decides, what it found. One class per way of
// comparing, one entry in selector-table.ts per name. Must not know policies, actions or decisions.

import type { PersonIdentity } from "../authn/identity.ts";
import type { ClaimSelector, SelectorKind } from "../config/policy-types.ts";
import { ruleMethod, type ClientCertificate, type FactKind, type RequestFacts } from "./facts.ts";
import type { IpSet } from "./ip.ts";
import type { IndexedKind, IndexKeys, RuleNode, SelectorNode } from "./policy.ts";
import type { TimeWindow } from "./time-window.ts";
import { FALSE, TRUE, truthOf, UNKNOWN, type Truth } from "./truth.ts";

const NOBODY = "nobody is signed in yet";
const A_PROGRAM = "a service token is no person";

abstract class BaseNode implements SelectorNode {
  readonly kind: SelectorKind;
  readonly text: string;
  readonly looksAt: ReadonlySet<FactKind>;
  readonly indexKeys: IndexKeys | undefined;
  readonly group: RuleNode | undefined;

  constructor(kind: SelectorKind, text: string, looksAt: Iterable<FactKind>, indexKeys?: IndexKeys, group?: RuleNode) {
    this.kind = kind;
    this.text = text;
    this.looksAt = new Set(looksAt);
    this.indexKeys = indexKeys;
    this.group = group;
  }

  abstract evaluate(facts: RequestFacts, pending: Truth): Truth;
  abstract found(facts: RequestFacts): string;
}

export class EveryoneNode extends BaseNode {
  constructor(text: string) {
    super("everyone", text, []);
  }

  evaluate(): Truth {
    return TRUE;
  }

  found(): string {
    return "every visitor";
  }
}

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

/** The person's value is one of a set. A set of one is a selector; larger ones are lists folded by the compiler. */
export class SingleNode extends PersonNode {
  readonly fact: SingleFact;
  readonly values: ReadonlySet<string>;

  constructor(fact: SingleFact, values: ReadonlySet<string>, text: string) {
    super(fact.kind, text, ["identity"], keysFor(fact.indexed, values));
    this.fact = fact;
    this.values = values;
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

export class ListNode extends PersonNode {
  readonly fact: ListFact;
  readonly values: ReadonlySet<string>;

  constructor(fact: ListFact, values: ReadonlySet<string>, text: string) {
    super(fact.kind, text, ["identity"], keysFor(fact.indexed, values));
    this.fact = fact;
    this.values = values;
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
export class ServiceTokenNode extends BaseNode {
  /** undefined: any. */
  readonly values: ReadonlySet<string> | undefined;

  constructor(values: ReadonlySet<string> | undefined, text: string) {
    super(values === undefined ? "anyServiceToken" : "serviceToken", text, ["identity"], values && keysFor("serviceToken", values));
    this.values = values;
  }

  evaluate(facts: RequestFacts): Truth {
    const identity = facts.identity;
    if (identity?.kind !== "service") return FALSE;
    return truthOf(this.values === undefined || this.values.has(identity.name));
  }

  found(facts: RequestFacts): string {
    return facts.identity?.kind === "service" ? `service token ${facts.identity.name}` : "no service token";
  }
}

export class IpNode extends BaseNode {
  readonly #set: IpSet;

  constructor(set: IpSet, text: string) {
    super("ip", text, ["ip"]);
    this.#set = set;
  }

  evaluate(facts: RequestFacts): Truth {
    return facts.ip === undefined ? UNKNOWN : truthOf(this.#set.has(facts.ip));
  }

  found(facts: RequestFacts): string {
    return `address is ${facts.ip?.text ?? "not known"}`;
  }
}

export class CountryNode extends BaseNode {
  readonly #countries: ReadonlySet<string>;

  constructor(countries: ReadonlySet<string>, text: string) {
    super("country", text, ["country"]);
    this.#countries = countries;
  }

  evaluate(facts: RequestFacts): Truth {
    const country = facts.countryOf(facts.ip);
    return country === undefined ? UNKNOWN : truthOf(this.#countries.has(country));
  }

  found(facts: RequestFacts): string {
    return `country is ${facts.countryOf(facts.ip) ?? "not known"}`;
  }
}

export class MethodNode extends BaseNode {
  readonly #methods: ReadonlySet<string>;

  constructor(methods: ReadonlySet<string>, text: string) {
    super("method", text, ["method"]);
    this.#methods = methods;
  }

  evaluate(facts: RequestFacts): Truth {
    return truthOf(this.#methods.has(ruleMethod(facts.method)));
  }

  found(facts: RequestFacts): string {
    return facts.method === "HEAD" ? "method is HEAD, which counts as GET" : `method is ${facts.method}`;
  }
}

export class TimeNode extends BaseNode {
  readonly #window: TimeWindow;

  constructor(window: TimeWindow, text: string) {
    super("timeWindow", text, ["time"]);
    this.#window = window;
  }

  evaluate(facts: RequestFacts): Truth {
    return truthOf(this.#window.contains(facts.nowMs));
  }

  found(facts: RequestFacts): string {
    return `it is ${this.#window.describe(facts.nowMs)}`;
  }
}

/** Whether a verified certificate fits; no certificate is false, not unknown: the handshake is over. */
export class CertificateNode extends BaseNode {
  readonly #fits: (certificate: ClientCertificate) => boolean;

  constructor(fits: (certificate: ClientCertificate) => boolean, text: string) {
    super("clientCertificate", text, ["clientCertificate"]);
    this.#fits = fits;
  }

  evaluate(facts: RequestFacts): Truth {
    return truthOf(facts.clientCertificate !== undefined && this.#fits(facts.clientCertificate));
  }

  found(facts: RequestFacts): string {
    const certificate = facts.clientCertificate;
    if (certificate === undefined) return "no verified client certificate";
    return `client certificate ${certificate.commonName ?? "without common name"}, fingerprint ${certificate.fingerprint.slice(0, 16)}...`;
  }
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
    return answer === undefined ? UNKNOWN : truthOf(answer);
  }

  found(facts: RequestFacts): string {
    if (facts.identity === undefined) return NOBODY;
    const answer = facts.external(this.#url);
    return answer === undefined ? "the evaluator gave no valid answer" : `the evaluator said ${answer ? "yes" : "no"}`;
  }
}

export class GroupNode extends BaseNode {
  readonly #rules: RuleNode;

  constructor(rules: RuleNode, text: string) {
    super("group", text, rules.looksAt, rules.indexKeys, rules);
    this.#rules = rules;
  }

  evaluate(facts: RequestFacts, pending: Truth): Truth {
    return this.#rules.evaluate(facts, pending);
  }

  found(): string {
    return "as the group's own selectors say";
  }
}

function keysFor(kind: IndexedKind | undefined, values: ReadonlySet<string>): IndexKeys | undefined {
  return kind === undefined ? undefined : new Map([[kind, values]]);
}
