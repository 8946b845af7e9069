// From a selector of the configuration to its node: one line per selector. To add one: its value in
// config/policy-types.ts, its schema in config/policy-schema.ts, a line here, a section in docs/policies.md.

import {
  asList,
  selectorEntry,
  type CertificateFields,
  type Selector,
  type SelectorEntry,
  type SelectorKind,
  type SelectorValues,
} from "../config/policy-types.ts";
import type { ClientCertificate } from "./facts.ts";
import {
  AnyServiceTokenNode,
  ClaimNode,
  ExternalNode,
  ListNode,
  ServiceTokenNode,
  SingleNode,
  type ListFact,
  type SingleFact,
} from "./identity-selectors.ts";
import { domainOf } from "./names.ts";
import type { RuleNode, SelectorNode } from "./policy.ts";
import { CertificateNode, CountryNode, IpNode, MethodNode, TimeNode } from "./request-selectors.ts";
import { EveryoneNode, GroupNode } from "./selector-node.ts";
import { parseTimeOfDay, TimeWindow, WEEKDAYS, type ZoneClock } from "./time-window.ts";

/** What selectors share while one configuration is compiled. */
export interface SelectorContext {
  /** One clock per zone, so that a minute is formatted once for all windows. */
  clockOf(timezone: string): ZoneClock;
  /** @throws SallyportError for an unknown group, or one that contains itself or nests too deep. */
  groupOf(name: string): RuleNode;
}

type Compiler<K extends SelectorKind> = (value: SelectorValues[K], text: string, context: SelectorContext) => SelectorNode;

const email: SingleFact = { kind: "email", indexed: "email", label: "email", read: (person) => person.email };
const emailDomain: SingleFact = {
  kind: "emailDomain",
  indexed: "emailDomain",
  label: "email domain",
  read: (person) => (person.email === undefined ? undefined : domainOf(person.email)),
};
const identityProvider: SingleFact = {
  kind: "identityProvider",
  indexed: "identityProvider",
  label: "identity provider",
  read: (person) => person.provider,
};
const identityGroup: ListFact = { kind: "identityGroup", indexed: "identityGroup", label: "groups", read: (person) => person.groups };
const authMethod: ListFact = {
  kind: "authMethod",
  indexed: undefined,
  label: "authentication methods",
  read: (person) => person.authMethods,
};

const COMPILERS: { readonly [K in SelectorKind]: Compiler<K> } = {
  everyone: (_value, text) => new EveryoneNode(text),
  email: (value, text) => new SingleNode(email, new Set([value]), text),
  emailDomain: (value, text) => new SingleNode(emailDomain, new Set([value]), text),
  identityGroup: (value, text) => new ListNode(identityGroup, new Set([value]), text),
  claim: (value, text) => new ClaimNode(value, text),
  identityProvider: (value, text) => new SingleNode(identityProvider, new Set([value]), text),
  authMethod: (value, text) => new ListNode(authMethod, new Set([value]), text),
  ip: (value, text) => new IpNode(new Set(asList(value)), text),
  country: (value, text) => new CountryNode(new Set(asList(value)), text),
  serviceToken: (value, text) => new ServiceTokenNode(new Set([value]), text),
  anyServiceToken: (_value, text) => new AnyServiceTokenNode(text),
  clientCertificate: (value, text) => new CertificateNode(certificateTest(value), text),
  method: (value, text) => new MethodNode(new Set(asList(value)), text),
  timeWindow: (value, text, context) => new TimeNode(timeWindow(value, context), text),
  externalEvaluation: (value, text) => new ExternalNode(value.url, text),
  group: (value, text, context) => new GroupNode(context.groupOf(value), text),
};

/** @throws SallyportError as {@link SelectorContext.groupOf} does; TypeError for what the schema excludes. */
export function compileSelector(selector: Selector, context: SelectorContext): SelectorNode {
  const entry = selectorEntry(selector);
  const compiler = COMPILERS[entry.kind] as Compiler<SelectorKind>;
  return compiler(entry.value as never, selectorText(entry), context);
}

/** `email: ann@example.com`, `method: [GET, POST]`: one line, as people write it. */
export function selectorText({ kind, value }: SelectorEntry): string {
  return `${kind}: ${inline(value)}`;
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return `{ ${entries.map(([key, entry]) => `${key}: ${inline(entry)}`).join(", ")} }`;
}

function certificateTest(value: "any" | CertificateFields): (certificate: ClientCertificate) => boolean {
  if (value === "any") return () => true;
  const { commonName, subjectAlternativeName, fingerprint } = value;
  if (commonName !== undefined) return (certificate) => certificate.commonName === commonName;
  if (subjectAlternativeName !== undefined) return (certificate) => certificate.subjectAlternativeNames.includes(subjectAlternativeName);
  return (certificate) => fingerprint !== undefined && certificate.fingerprint === fingerprint;
}

function timeWindow(value: SelectorValues["timeWindow"], context: SelectorContext): TimeWindow {
  const from = parseTimeOfDay(value.from ?? "00:00");
  const to = parseTimeOfDay(value.to ?? "24:00");
  if (from === undefined || to === undefined) throw new TypeError("a time window without times");
  return new TimeWindow(context.clockOf(value.timezone), value.days ?? WEEKDAYS, from, to);
}
