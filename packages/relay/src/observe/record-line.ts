// One record as one line of JSON: the fields of A18 and nothing else, built by concatenation because each request pays
// for it. What is not named here cannot reach the record (R-M2): no header but User-Agent, no query, no cookie, no token.

import { createHash } from "node:crypto";
import type { Identity } from "../authn/identity.ts";
import type { CertificateFact } from "../authz/facts.ts";
import { quote } from "./escape.ts";

/** What was decided. `refused`: the request was no proper one, no policy was asked. `own`: the relay's own page. */
export type RecordedDecision = "allow" | "bypass" | "deny" | "login" | "refused" | "own";

/** One request, when it is over. Times in milliseconds, sizes in bytes of body. */
export interface RequestRecord {
  readonly requestId: string;
  readonly identity: Identity | undefined;
  /** What its connection's handshake found, where it asked for a client certificate and policies looked at it. */
  readonly certificate?: CertificateFact | undefined;
  readonly application: string | undefined;
  readonly tunnel: string | undefined;
  readonly connectorId: string | undefined;
  readonly sourceIp: string;
  /** How the address was found: the socket, a PROXY protocol header, or X-Forwarded-For of a trusted proxy. */
  readonly sourceFrom: "socket" | "proxy-protocol" | "x-forwarded-for";
  readonly method: string;
  readonly host: string;
  /** Path without query. A query may hold anything (codes, tokens), so it is never recorded. */
  readonly path: string;
  /** User-Agent as sent. */
  readonly userAgent: string | undefined;
  readonly policy: string | undefined;
  readonly decision: RecordedDecision;
  readonly reason: string;
  /** Error code of the answer; undefined when there was no error. */
  readonly code: string | undefined;
  /** 0 when the visitor left before there was an answer. */
  readonly status: number;
  readonly answeredBy: "relay" | "connector" | "origin";
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  /** From the request's head to the decision. */
  readonly decisionMs: number;
  /** From opening the stream to the origin's final head: tunnel, connector and origin together. Undefined without a stream. */
  readonly headMs: number | undefined;
}

/** Names that an event may carry. */
export type EventField =
  | "application"
  | "connectionId"
  | "connectorId"
  | "count"
  | "credentialId"
  | "detail"
  | "email"
  | "file"
  | "hash"
  | "hostname"
  | "kid"
  | "provider"
  | "purpose"
  | "reason"
  | "requestId"
  | "service"
  | "sessionHash"
  | "sourceIp"
  | "subject"
  | "tokenId"
  | "tokenName"
  | "tunnel"
  | "version";

export type EventFields = Readonly<Partial<Record<EventField, string | number>>>;

export function requestLine(seq: number, time: string, r: RequestRecord): string {
  return (
    // The request id is the relay's own spelling: nothing in it needs escaping.
    `{"seq":${seq},"time":"${time}","kind":"request","requestId":"${r.requestId}"` +
    circumstances(r) +
    (r.identity === undefined ? "" : identityFields(r.identity)) +
    (r.certificate === undefined ? "" : certificateFields(r.certificate)) +
    source(r) +
    `,"method":${quote(r.method)},"host":${quote(r.host)},"path":${quote(r.path)}` +
    text(`,"userAgent":`, r.userAgent) +
    `,"status":${r.status},"bytesIn":${r.bytesIn},"bytesOut":${r.bytesOut},"durationMs":${millis(r.durationMs)},"decisionMs":${millis(r.decisionMs)}` +
    (r.headMs === undefined ? "}\n" : `,"headMs":${millis(r.headMs)}}\n`)
  );
}

// As an identity lives as long as its session, so does this as long as its connection.
const certificates = new WeakMap<CertificateFact, string>();

function certificateFields(certificate: CertificateFact): string {
  let fields = certificates.get(certificate);
  if (fields === undefined) certificates.set(certificate, (fields = makeCertificateFields(certificate)));
  return fields;
}

/** Who the holder is: all of an audit where nobody signs in. What did not verify says nothing of anybody. */
function makeCertificateFields(certificate: CertificateFact): string {
  if (certificate.kind === "verified")
    return `,"certificate":"${certificate.fingerprint}"${text(`,"certificateName":`, certificate.commonName)}`;
  return certificate.kind === "refused" ? `,"certificateProblem":${quote(certificate.problem)}` : "";
}

/** What the relay's configuration and its own words say of a request: nothing of it is a stranger's text, which would be kept. */
type Circumstances = Pick<
  RequestRecord,
  "application" | "decision" | "policy" | "reason" | "code" | "answeredBy" | "tunnel" | "connectorId"
>;

/** The last text for each application, since most requests to one differ in nothing of this. */
const lastCircumstances = new Map<string | undefined, Circumstances & { readonly text: string }>();
const MAX_APPLICATIONS = 10_000;

function circumstances(r: RequestRecord): string {
  const { application } = r;
  const last = lastCircumstances.get(application);
  if (last !== undefined && isSame(last, r)) return last.text;
  const { decision, policy, reason, code, answeredBy, tunnel, connectorId } = r;
  const made =
    text(`,"application":`, application) +
    `,"decision":"${decision}"` +
    text(`,"policy":`, policy) +
    `,"reason":${quote(reason)}` +
    text(`,"code":`, code) +
    `,"answeredBy":"${answeredBy}"` +
    text(`,"tunnel":`, tunnel) +
    text(`,"connectorId":`, connectorId);
  if (lastCircumstances.size >= MAX_APPLICATIONS) lastCircumstances.clear();
  lastCircumstances.set(application, { application, decision, policy, reason, code, answeredBy, tunnel, connectorId, text: made });
  return made;
}

function isSame(a: Circumstances, b: Circumstances): boolean {
  return (
    a.reason === b.reason &&
    a.decision === b.decision &&
    a.policy === b.policy &&
    a.code === b.code &&
    a.answeredBy === b.answeredBy &&
    a.connectorId === b.connectorId &&
    a.tunnel === b.tunnel
  );
}

let lastSource: { readonly ip: string; readonly from: RequestRecord["sourceFrom"]; readonly text: string } | undefined;

function source({ sourceIp: ip, sourceFrom: from }: RequestRecord): string {
  if (lastSource?.ip !== ip || lastSource.from !== from) {
    lastSource = { ip, from, text: `,"sourceIp":${quote(ip)},"sourceFrom":"${from}"` };
  }
  return lastSource.text;
}

export function eventLine(seq: number, time: string, type: string, actor: string, fields: EventFields): string {
  let line = `{"seq":${seq},"time":"${time}","kind":"event","type":${quote(type)},"actor":${quote(actor)}`;
  for (const [name, value] of Object.entries(fields)) line += `,"${name}":${typeof value === "number" ? value : quote(value)}`;
  return `${line}}\n`;
}

/** Refusals that were counted instead of written: the first of its kind in this second has a record of its own. */
export function refusalsLine(seq: number, time: string, network: string, code: string, count: number): string {
  return `{"seq":${seq},"time":"${time}","kind":"refusals","source":${quote(network)},"code":${quote(code)},"count":${count}}\n`;
}

let secondOfPrefix = Number.NaN;
let prefix = "";

/** RFC 3339 in UTC with milliseconds. The part up to the second is kept, since most records share it. */
export function timestamp(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== secondOfPrefix) {
    prefix = new Date(second * 1000).toISOString().slice(0, 20);
    secondOfPrefix = second;
  }
  const ms = Math.floor(nowMs) - second * 1000;
  return `${prefix}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}

// An identity lives as long as its session is cached: its part of the line is made once, not for each request.
const identities = new WeakMap<Identity, string>();

function identityFields(identity: Identity): string {
  let fields = identities.get(identity);
  if (fields === undefined) {
    fields = makeIdentityFields(identity);
    identities.set(identity, fields);
  }
  return fields;
}

function makeIdentityFields(identity: Identity): string {
  if (identity.kind === "service") return `,"identity":"service","tokenId":${quote(identity.tokenId)},"tokenName":${quote(identity.name)}`;
  return (
    `,"identity":"person","provider":${quote(identity.provider)},"subject":${quote(identity.subject)}` +
    text(`,"email":`, identity.email) +
    `,"sessionHash":"${hashSessionId(identity.sessionId)}"`
  );
}

/** Session ids appear as this only, so that a record cannot be used as a session (R-M5). */
export function hashSessionId(sessionId: string): string {
  return createHash("sha256").update(sessionId).digest("base64url").slice(0, 22);
}

function text(name: string, value: string | undefined): string {
  return value === undefined ? "" : name + quote(value);
}

/** Three decimals: microseconds. */
function millis(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
