// Everything a visitor can get from Sallyport instead of the origin's answer: one table from outcome to status,
// hop, log level and text, exhaustive by type, so that a new code does not compile until somebody has written
// what it means and what to do. docs/errors.md is generated from it. Data only: respond.ts puts it on the wire.

import type { AuthorityRefusalCode } from "@sallyport/shared/http/authority";
import type { FieldLimitCode } from "@sallyport/shared/http/field-limits";
import type { FramingRefusalCode } from "@sallyport/shared/http/framing";
import type { TargetRefusalCode } from "@sallyport/shared/http/path";
import type { FieldsRefusalCode } from "@sallyport/shared/http/request-fields";
import type { UpgradeRefusalCode } from "@sallyport/shared/http/upgrade";
import { ResetCode } from "@sallyport/shared/protocol/codes";

/** Input that was not understood: the readers of shared/http name what exactly. */
type InputRefusalCode =
  | TargetRefusalCode
  | AuthorityRefusalCode
  | FramingRefusalCode
  | FieldLimitCode
  | FieldsRefusalCode
  | UpgradeRefusalCode;

/** Every code that a visitor can get in `Sallyport-Error`. */
export type RefusalCode =
  | InputRefusalCode
  | "ERR_REQUEST_MALFORMED"
  | "ERR_REQUEST_FRAMING"
  | "ERR_REQUEST_TIMEOUT"
  | "ERR_METHOD_NOT_ALLOWED"
  | "ERR_METHOD_UNKNOWN"
  | "ERR_EXPECT"
  | "ERR_HOST_UNKNOWN"
  | "ERR_CONNECTION_MISDIRECTED"
  | "ERR_ACCESS_DENIED"
  | "ERR_LOGIN_REQUIRED"
  | "ERR_LOGIN_STATE"
  | "ERR_LOGIN_LOOP"
  | "ERR_LOGIN_FORM"
  | "ERR_LOGIN_REFUSED"
  | "ERR_LOGIN_PROVIDER"
  | "ERR_LOGIN_PROVIDER_DOWN"
  | "ERR_LOGIN_UNAVAILABLE"
  | "ERR_CREDENTIAL_REQUIRED"
  | "ERR_CREDENTIAL_INVALID"
  | "ERR_CREDENTIAL_CONFLICT"
  | "ERR_ORIGIN_NOT_ALLOWED"
  | "ERR_IDENTITY_UNCONFIRMED"
  | "ERR_TUNNEL_NOT_CONNECTED"
  | "ERR_TUNNEL_LOST"
  | "ERR_OVERLOADED"
  | "ERR_RECORD_UNAVAILABLE"
  | "ERR_BODY_TOO_LARGE"
  | "ERR_BODY_TIMEOUT"
  | "ERR_SERVICE_UNKNOWN"
  | "ERR_ASSERTION_REFUSED"
  | "ERR_ORIGIN_UNREACHABLE"
  | "ERR_ORIGIN_CONNECT_TIMEOUT"
  | "ERR_ORIGIN_HEADER_TIMEOUT"
  | "ERR_ORIGIN_TLS"
  | "ERR_ORIGIN_CLOSED"
  | "ERR_ORIGIN_PROTOCOL"
  | "ERR_REQUEST_NOT_FORWARDABLE"
  | "ERR_AUTH_PAGE_UNKNOWN"
  | "ERR_TUNNEL_UPGRADE_NEEDED"
  | "ERR_PROTOCOL_VERSION"
  | "ERR_RELAY_INTERNAL"
  | "ERR_RELAY_STOPPING";

/** Where on the path visitor -> relay -> tunnel -> connector -> origin the request ended. */
export type Hop = "relay" | "tunnel" | "connector" | "origin";

export interface Refusal {
  readonly status: number;
  readonly hop: Hop;
  /** 5xx that an operator must look at: error; what visitors cause: info; expected in operation (drain, overload): warn. */
  readonly logLevel: "info" | "warn" | "error";
  /** Heading of the page, at most six words. */
  readonly title: string;
  /** What happened, said to the visitor in one or two sentences. */
  readonly meaning: string;
  /** What the visitor can do. */
  readonly visitorRemedy: string;
  /** What the operator of relay or connector can do. */
  readonly operatorRemedy: string;
  /** Seconds for Retry-After; the response adds no header where it is undefined. */
  readonly retryAfterS?: number;
  /** True where the input was not understood or must not be trusted any further: an HTTP/1.1 connection ends with the answer. */
  readonly closes?: true;
}

const CLIENT_BUG = "Try again. If a program sent this request, correct the program.";
const SEE_RECORD = "Look up the request id in the records; `detail` names what was refused.";
const ATTACK_OR_BUG = `${SEE_RECORD} Repeated refusals from one source are probes or a broken client.`;
const TELL_OPERATOR = "Try again in a moment. If it stays, give the code and the request id to the people who run this service.";

/** A request that was not understood: 400, info, and the connection closes. */
function malformed(meaning: string, changes: Partial<Refusal> = {}): Refusal {
  const base = { status: 400, hop: "relay", logLevel: "info", title: "Request not understood", closes: true } as const;
  return { ...base, meaning, visitorRemedy: CLIENT_BUG, operatorRemedy: ATTACK_OR_BUG, ...changes };
}

const HOST_REMEDY = { title: "Host name not valid" } as const;
const TOO_LARGE = {
  status: 431,
  title: "Headers too large",
  visitorRemedy: "Clear the cookies of this site and try again.",
  operatorRemedy: "`limits.headers` and `limits.headerFields` bound the request head (16 KB and 100 by default).",
} as const;

export const REFUSALS: Readonly<Record<RefusalCode, Refusal>> = {
  ERR_REQUEST_MALFORMED: malformed("The request is not valid HTTP."),
  ERR_REQUEST_FRAMING: malformed("The body of the request is not valid HTTP."),
  ERR_REQUEST_TIMEOUT: malformed("The request did not arrive completely in time.", {
    status: 408,
    title: "Request took too long",
    visitorRemedy: "Check your network and try again.",
    operatorRemedy: "`limits.headerTimeout` bounds the request head (15 s by default).",
  }),
  ERR_REQUEST_TARGET_FORM: malformed("The address of the page does not have a form that is allowed."),
  ERR_REQUEST_TARGET_CHARACTER: malformed("The address of the page has characters that are not allowed."),
  ERR_REQUEST_TARGET_ESCAPE: malformed("The address of the page has an escape that is not valid or hides a control character."),
  ERR_REQUEST_TARGET_TOO_LONG: malformed("The address of the page is longer than the relay accepts.", {
    status: 414,
    title: "Address too long",
    visitorRemedy: "Use a shorter address.",
    operatorRemedy: "`limits.url` bounds the request target (8 KB by default).",
  }),
  ERR_AUTHORITY_MISSING: malformed("The request does not say which host it is for.", HOST_REMEDY),
  ERR_AUTHORITY_SEVERAL: malformed("The request names its host more than once.", HOST_REMEDY),
  ERR_AUTHORITY_MISMATCH: malformed("The request names two different hosts.", HOST_REMEDY),
  ERR_AUTHORITY_HOSTNAME: malformed("The host of the request is not a valid host name.", HOST_REMEDY),
  ERR_AUTHORITY_PORT: malformed("The port of the request is not valid.", HOST_REMEDY),
  ERR_FRAMING_CONTENT_LENGTH: malformed("The declared length of the request body is not one plain number."),
  ERR_FRAMING_TRANSFER_ENCODING: malformed("The transfer encoding of the request is something other than `chunked`."),
  ERR_FRAMING_CONFLICT: malformed("The request declares both a length and a transfer encoding."),
  ERR_FIELDS_TOO_MANY: malformed("The request has more headers than the relay accepts.", TOO_LARGE),
  ERR_FIELDS_TOO_LARGE: malformed("The headers of the request are longer than the relay accepts.", TOO_LARGE),
  ERR_COOKIE_TOO_LARGE: malformed("The cookies of the request are longer than the relay accepts.", TOO_LARGE),
  ERR_FIELD_NAME: malformed("The name of a header is not valid."),
  ERR_FIELD_VALUE: malformed("The value of a header has characters that are not allowed."),
  ERR_CONNECTION_OPTION: malformed("The Connection header names a header that has to reach the other end."),
  ERR_UPGRADE_METHOD: malformed("A WebSocket handshake needs the method GET."),
  ERR_UPGRADE_VERSION: malformed("The WebSocket handshake asks for a version other than 13.", {
    status: 426,
    title: "WebSocket version not known",
  }),
  ERR_UPGRADE_KEY: malformed("The key of the WebSocket handshake is missing or not valid."),
  ERR_UPGRADE_BODY: malformed("A WebSocket handshake has no body."),
  ERR_METHOD_NOT_ALLOWED: malformed("This method is never passed on.", {
    status: 405,
    title: "Method not allowed",
    operatorRemedy: "CONNECT, TRACE and TRACK are always refused.",
  }),
  ERR_METHOD_UNKNOWN: malformed("The relay does not know this method.", { status: 501, title: "Method not known" }),
  ERR_EXPECT: malformed("The request expects something other than `100-continue`.", { status: 417, title: "Expectation not met" }),
  ERR_HOST_UNKNOWN: malformed("No application is published at this address.", {
    status: 421,
    title: "Nothing is published here",
    visitorRemedy: "Check the address for typing errors.",
    operatorRemedy: "Add an application with this hostname, or correct the DNS record that points here.",
  }),
  ERR_CONNECTION_MISDIRECTED: malformed(
    "This connection was opened for another host name, or under older rules, and client certificates are asked for differently here.",
    {
      status: 421,
      title: "Wrong connection",
      visitorRemedy: "Reload the page. A program has to open a connection for this host name, and to name it in TLS (SNI).",
      operatorRemedy:
        "Expected once after `clientCertificates` changed. If it stays, something in front of the relay does not pass the server name on.",
    },
  ),
  ERR_PATH_AMBIGUOUS: {
    status: 403,
    hop: "relay",
    logLevel: "info",
    title: "Address can be misread",
    meaning: "Different programs would read the path of this address as different pages, and not all of them are yours to open.",
    visitorRemedy: "Open the page from a link inside the application.",
    operatorRemedy: `${SEE_RECORD} Paths that read differently may not cross the border between two applications.`,
  },
  ERR_ACCESS_DENIED: {
    status: 403,
    hop: "relay",
    logLevel: "info",
    title: "You don't have access",
    meaning: "You reached the right place, but the policies of this application do not let you in.",
    visitorRemedy: "Sign in with another account, or ask for access with the request id below.",
    operatorRemedy: "`sallyport-relay explain --request-id ID` shows which rule decided.",
  },
  ERR_LOGIN_REQUIRED: {
    status: 401,
    hop: "relay",
    logLevel: "info",
    title: "Sign in first",
    meaning: "This application is open to people who are signed in.",
    visitorRemedy: "Sign in and try again. Programs present a service token or an access token.",
    operatorRemedy: "Nothing to do. For programs: `sallyport-relay service-token create`, or `sallyport access token`.",
  },
  ERR_LOGIN_STATE: {
    status: 400,
    hop: "relay",
    logLevel: "info",
    title: "Start the sign-in again",
    meaning: "This step of the sign-in belongs to another browser, was used before, or took too long. Nobody was signed in by it.",
    visitorRemedy: "Start again. If it happens each time, allow cookies for this site.",
    operatorRemedy: "Nothing to do unless it repeats; the event `login.refused` in the records names the reason.",
  },
  ERR_LOGIN_LOOP: {
    status: 400,
    hop: "relay",
    logLevel: "info",
    title: "Sign-in goes round in circles",
    meaning: "You signed in several times within a minute, and each time your browser came back without the cookie that says so.",
    visitorRemedy: "Allow cookies for this site, close other tabs of it, and try again in a minute.",
    operatorRemedy: "See whether something between visitor and relay removes Cookie or Set-Cookie fields, or whether clocks differ.",
  },
  ERR_LOGIN_FORM: {
    status: 403,
    hop: "relay",
    logLevel: "info",
    title: "Form not accepted",
    meaning: "What was sent did not come from a page of this site, or that page was too old.",
    visitorRemedy: "Open the page again and repeat what you did.",
    operatorRemedy: "Nothing to do unless it repeats: then see whether something removes Origin or Sec-Fetch-Site fields.",
  },
  ERR_LOGIN_REFUSED: {
    status: 403,
    hop: "relay",
    logLevel: "info",
    title: "You were not signed in",
    meaning: "Your identity provider did not let you sign in, or did not say enough about you.",
    visitorRemedy: "Try again, or use another account.",
    operatorRemedy:
      "The event `login.failed` in the records has the reason; `sallyport-relay provider test NAME` shows what the provider sends.",
  },
  ERR_LOGIN_PROVIDER: {
    status: 502,
    hop: "relay",
    logLevel: "error",
    title: "Sign-in did not work",
    meaning: "The answer of the identity provider could not be used.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy:
      "The event `login.failed` in the records has the reason; `sallyport-relay provider test NAME` shows what the provider sends.",
  },
  ERR_LOGIN_PROVIDER_DOWN: {
    status: 503,
    hop: "relay",
    logLevel: "error",
    title: "Sign-in is not available",
    meaning: "The identity provider cannot be reached right now.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "See whether the relay can reach the provider's issuer URL: `sallyport-relay provider test NAME`.",
    retryAfterS: 30,
  },
  ERR_LOGIN_UNAVAILABLE: {
    status: 503,
    hop: "relay",
    logLevel: "error",
    title: "Nobody can sign in yet",
    meaning: "This relay has no identity provider, so there is no way to sign in.",
    visitorRemedy: "Tell the people who run this service.",
    operatorRemedy: "Add one to `identityProviders` of the configuration.",
    retryAfterS: 60,
  },
  ERR_CREDENTIAL_REQUIRED: {
    status: 401,
    hop: "relay",
    logLevel: "info",
    title: "For programs only",
    meaning: "This application is open to programs that present a service token.",
    visitorRemedy: "Send the headers Sallyport-Client-Id and Sallyport-Client-Secret.",
    operatorRemedy: "`sallyport-relay service-token create NAME` makes a token; a policy with action service names it.",
  },
  ERR_CREDENTIAL_INVALID: {
    status: 401,
    hop: "relay",
    logLevel: "info",
    title: "Credential not valid",
    meaning: "The token that came with the request is unknown, expired, revoked or meant for another application.",
    visitorRemedy: "Get a new token. A credential that is not valid is refused even where another one came with it.",
    operatorRemedy: "`sallyport-relay service-token list` shows expiry and state.",
  },
  ERR_CREDENTIAL_CONFLICT: {
    status: 400,
    hop: "relay",
    logLevel: "info",
    title: "Two identities at once",
    meaning: "The request carries credentials of two different identities.",
    visitorRemedy: "Send one credential only.",
    operatorRemedy: SEE_RECORD,
  },
  ERR_ORIGIN_NOT_ALLOWED: {
    status: 403,
    hop: "relay",
    logLevel: "info",
    title: "Called from another site",
    meaning: "A page of another site tried to use your sign-in here.",
    visitorRemedy: "Open the application itself.",
    operatorRemedy: "List the other site in the application's allowed origins, if it is meant to call it.",
  },
  ERR_IDENTITY_UNCONFIRMED: {
    status: 503,
    hop: "relay",
    logLevel: "error",
    title: "Your account cannot be confirmed",
    meaning: "The service that vouches for your account has not answered for some time, so that what it last said no longer counts.",
    visitorRemedy: "Try again in a few minutes; you stay signed in.",
    operatorRemedy: "The identity provider cannot be reached: see the log. `sessions.claimsMaxAge` says how long its last word counts.",
    retryAfterS: 30,
  },
  ERR_TUNNEL_NOT_CONNECTED: {
    status: 503,
    hop: "tunnel",
    logLevel: "error",
    title: "Application is offline",
    meaning: "No connector of this application is connected right now.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "Start the connector; `sallyport check` on its machine says what stops it from connecting.",
    retryAfterS: 10,
  },
  ERR_TUNNEL_LOST: {
    status: 502,
    hop: "tunnel",
    logLevel: "error",
    title: "Connection was lost",
    meaning: "The connection to the application broke before it answered. What you sent may or may not have arrived.",
    visitorRemedy: "Check whether your last action took effect before you repeat it.",
    operatorRemedy: "See the connector's log for why its connection ended; run two connectors to survive the loss of one.",
  },
  ERR_OVERLOADED: {
    status: 503,
    hop: "relay",
    logLevel: "warn",
    title: "Too busy right now",
    meaning: "More requests are under way than this service takes at once.",
    visitorRemedy: "Try again in a moment.",
    operatorRemedy: "See `limits.streamsPerTunnel` and `limits.streamsPerIdentity`, and the metrics of the tunnel.",
    retryAfterS: 5,
  },
  ERR_RECORD_UNAVAILABLE: {
    status: 503,
    hop: "relay",
    logLevel: "error",
    title: "Temporarily closed",
    meaning: "The relay cannot write its records at the moment, and protected applications stay closed until it can.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "Free space on the disk of the records; the relay recovers by itself. `records.onWriteFailure` chooses otherwise.",
    retryAfterS: 30,
  },
  ERR_BODY_TOO_LARGE: {
    status: 413,
    hop: "relay",
    logLevel: "info",
    title: "Upload too large",
    meaning: "The request is larger than this application accepts.",
    visitorRemedy: "Send less at once.",
    operatorRemedy: "Raise the application's limit for request bodies.",
  },
  ERR_BODY_TIMEOUT: {
    status: 408,
    hop: "relay",
    logLevel: "info",
    title: "Upload came to a halt",
    meaning: "The rest of the request did not arrive: no byte for a minute.",
    visitorRemedy: "Check your network and try again.",
    operatorRemedy: "Nothing to do unless it repeats: then look at the network between visitor and relay.",
    closes: true,
  },
  ERR_SERVICE_UNKNOWN: {
    status: 502,
    hop: "connector",
    logLevel: "error",
    title: "Application is not set up",
    meaning: "The connector does not know the service that this address leads to.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "Add the service to connector.yaml, or correct `service` of the application in relay.yaml.",
  },
  ERR_ASSERTION_REFUSED: {
    status: 403,
    hop: "connector",
    logLevel: "error",
    title: "Refused by the connector",
    meaning: "The connector in front of the application checks for itself who is asking, and did not accept this request.",
    visitorRemedy: "Try again once. If it stays, give the request id to the people who run this service.",
    operatorRemedy:
      "The connector's log names the reason: local `require`, expired key manifest, clock skew, or another tunnel's assertion.",
  },
  ERR_ORIGIN_UNREACHABLE: {
    status: 502,
    hop: "origin",
    logLevel: "error",
    title: "Application does not answer",
    meaning: "The connector is connected, but the application behind it cannot be reached.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "Start the application, or correct its address in connector.yaml; `sallyport check` tries each one.",
  },
  ERR_ORIGIN_CONNECT_TIMEOUT: {
    status: 504,
    hop: "origin",
    logLevel: "error",
    title: "Application does not answer",
    meaning: "The application behind the connector did not take the connection in time.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "Look for a firewall or an overloaded machine between connector and application; `connectTimeout` bounds the wait.",
  },
  ERR_ORIGIN_HEADER_TIMEOUT: {
    status: 504,
    hop: "origin",
    logLevel: "error",
    title: "Application takes too long",
    meaning: "The application took the request but has not begun to answer within the time set for it.",
    visitorRemedy: "Check whether your last action took effect before you repeat it.",
    operatorRemedy: "Raise or remove `responseHeaderTimeout` of the service, or find out why the application is slow.",
  },
  ERR_ORIGIN_TLS: {
    status: 502,
    hop: "origin",
    logLevel: "error",
    title: "Application could not be verified",
    meaning: "The encrypted connection between connector and application could not be set up.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "Check the application's certificate; `serverName` and `ca` of the service say what it is checked against.",
  },
  ERR_ORIGIN_CLOSED: {
    status: 502,
    hop: "origin",
    logLevel: "error",
    title: "Application hung up",
    meaning: "The application closed the connection before it answered.",
    visitorRemedy: "Check whether your last action took effect before you repeat it.",
    operatorRemedy: "See the application's own log at this time.",
  },
  ERR_ORIGIN_PROTOCOL: {
    status: 502,
    hop: "origin",
    logLevel: "error",
    title: "Answer not understood",
    meaning: "The application answered with something that is not valid HTTP.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "See `detail` in the connector's log; check that the service's address speaks the protocol its scheme says.",
  },
  ERR_REQUEST_NOT_FORWARDABLE: {
    status: 400,
    hop: "connector",
    logLevel: "info",
    title: "Request does not fit",
    meaning: "The request cannot be expressed to the application, for example because its path lacks the prefix that is cut off.",
    visitorRemedy: "Open the page from a link inside the application.",
    operatorRemedy: "Check `stripPrefix` and `addPrefix` of the service against the application's `path`.",
  },
  ERR_AUTH_PAGE_UNKNOWN: {
    status: 404,
    hop: "relay",
    logLevel: "info",
    title: "No such page",
    meaning: "This is the relay itself; it has no page at this address.",
    visitorRemedy: "Open the address of the application you want.",
    operatorRemedy: "Nothing to do.",
  },
  ERR_TUNNEL_UPGRADE_NEEDED: {
    status: 426,
    hop: "relay",
    logLevel: "info",
    title: "For connectors only",
    meaning: "This is where connectors open their WebSocket (HTTP/1.1 with Upgrade).",
    visitorRemedy: "Nothing to see here. Connectors: `sallyport run`.",
    operatorRemedy: "A proxy in front of the relay that drops `Upgrade` makes connectors end up here: let it pass WebSockets.",
  },
  ERR_PROTOCOL_VERSION: {
    status: 400,
    hop: "relay",
    logLevel: "warn",
    title: "Version not spoken",
    meaning: "The connector and this relay have no protocol version in common.",
    visitorRemedy: "Upgrade the older of the two programs.",
    operatorRemedy: "Upgrade the older of the two programs; the relay is upgraded first.",
  },
  ERR_RELAY_INTERNAL: {
    status: 500,
    hop: "relay",
    logLevel: "error",
    title: "Something broke here",
    meaning: "The relay ran into a fault of its own while it handled your request.",
    visitorRemedy: TELL_OPERATOR,
    operatorRemedy: "The log line with this request id has the fault; please report it.",
  },
  ERR_RELAY_STOPPING: {
    status: 503,
    hop: "relay",
    logLevel: "warn",
    title: "Restarting",
    meaning: "The relay is being restarted.",
    visitorRemedy: "Try again in a few seconds.",
    operatorRemedy: "Nothing to do: a planned stop. Run two relays to make it invisible.",
    retryAfterS: 2,
    closes: true,
  },
};

/** What a visitor is told when the exchange is reset before its response head; exhaustive over every ResetCode. */
const REFUSAL_OF_RESET: Readonly<Record<ResetCode, RefusalCode>> = {
  [ResetCode.CANCEL]: "ERR_TUNNEL_LOST",
  [ResetCode.REFUSED]: "ERR_TUNNEL_NOT_CONNECTED",
  [ResetCode.INTERNAL]: "ERR_RELAY_INTERNAL",
  [ResetCode.STREAM_PROTOCOL]: "ERR_RELAY_INTERNAL",
  [ResetCode.OVERLOAD]: "ERR_OVERLOADED",
  [ResetCode.REVOKED]: "ERR_ACCESS_DENIED",
  [ResetCode.IDLE_TIMEOUT]: "ERR_BODY_TIMEOUT",
  [ResetCode.SERVICE_UNKNOWN]: "ERR_SERVICE_UNKNOWN",
  [ResetCode.ASSERTION_REFUSED]: "ERR_ASSERTION_REFUSED",
  [ResetCode.ORIGIN_UNREACHABLE]: "ERR_ORIGIN_UNREACHABLE",
  [ResetCode.ORIGIN_CONNECT_TIMEOUT]: "ERR_ORIGIN_CONNECT_TIMEOUT",
  [ResetCode.ORIGIN_HEADER_TIMEOUT]: "ERR_ORIGIN_HEADER_TIMEOUT",
  [ResetCode.ORIGIN_TLS]: "ERR_ORIGIN_TLS",
  [ResetCode.ORIGIN_CLOSED]: "ERR_ORIGIN_CLOSED",
  [ResetCode.ORIGIN_PROTOCOL]: "ERR_ORIGIN_PROTOCOL",
  [ResetCode.REQUEST_INVALID]: "ERR_REQUEST_NOT_FORWARDABLE",
  [ResetCode.CONNECTION_LOST]: "ERR_TUNNEL_LOST",
};

/** The refusal for a stream that was reset with `code` before its head reached the visitor. */
export function refusalOfReset(code: ResetCode): RefusalCode {
  return REFUSAL_OF_RESET[code] ?? "ERR_RELAY_INTERNAL";
}
