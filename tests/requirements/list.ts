// Every security requirement by its id, in one line: what docs/threat-model.md lists with the tests that prove it.
// Data only. An id without a test fails the check, unless it says why there is nothing to test.

export interface Requirement {
  /** `R-` and the group's letter with a number, for example `R-A3`. */
  readonly id: string;
  /** What must hold, as a sentence of a table. */
  readonly what: string;
  /** Why no test can exist: the product has nothing of the kind. Must go as soon as a test names the id. */
  readonly absent?: string;
}

/** Titles of the groups, for the table. */
export const GROUPS: Readonly<Record<string, string>> = {
  A: "path and target",
  B: "host",
  C: "identity fields",
  D: "framing",
  E: "redirects",
  F: "OpenID Connect",
  G: "tokens and keys",
  H: "cookies and other sites",
  I: "ends of sessions",
  J: "secrets",
  K: "connector and tunnel",
  L: "availability",
  M: "record",
  N: "configuration and policy",
};

export const REQUIREMENTS: readonly Requirement[] = [
  { id: "R-A1", what: "a path is read once; what was decided is what is forwarded" },
  { id: "R-A2", what: "dot segments in every spelling are resolved before the decision; climbing above the root is refused" },
  { id: "R-A3", what: "a path that servers read differently is decided for every reading, and refused where they disagree" },
  { id: "R-A4", what: "repeated slashes are no way around an application" },
  { id: "R-A5", what: "path parameters are no way around an application" },
  { id: "R-A6", what: "a second percent-decoding is decided too; escapes of controls are refused" },
  { id: "R-A7", what: "raw controls, `#`, bytes beyond ASCII and bad escapes are refused; overlong UTF-8 matches nothing" },
  { id: "R-A8", what: "the query takes no part in routing; reading a path is linear in its length" },
  { id: "R-A9", what: "application paths match on segment borders; a prefix is cut in the connector and leaves a plain path" },
  { id: "R-A10", what: "paths are case-sensitive, and escaped letters are the letters" },
  { id: "R-A11", what: "absolute form must agree with Host; CONNECT, TRACE and TRACK go nowhere; targets end at 8 KiB" },
  { id: "R-A12", what: "public is what a bypass policy says, never what a field or a user agent says" },
  { id: "R-A13", what: "methods are exact and known; Destination of COPY and MOVE is decided as a second request" },

  { id: "R-B1", what: "there is exactly one Host, and it agrees with :authority" },
  { id: "R-B2", what: "a host is letters, digits, hyphens and dots, with a port at most" },
  { id: "R-B3", what: "hosts are compared in one canonical form, by exact look-up, whatever their number" },
  { id: "R-B4", what: "an application has one public origin; another port is another place" },
  { id: "R-B5", what: "the TLS server name never selects weaker rules than the host that is asked for" },
  { id: "R-B6", what: "an unknown host gets one constant answer that repeats nothing of the request" },
  { id: "R-B7", what: "addresses that the relay writes come from its configuration" },
  { id: "R-B8", what: "forwarding fields are dropped and built anew; X-Forwarded-For counts from trusted proxies only" },

  { id: "R-C1", what: "no spelling of a visitor's identity or address field reaches an origin" },
  { id: "R-C2", what: "names with `_` or `.` and names of JavaScript's prototypes do no harm; cookie crumbs are joined first" },
  { id: "R-C3", what: "an identity field arrives exactly once, and it is the relay's" },
  { id: "R-C4", what: "hop-by-hop fields go first, ours are set after; Connection cannot name what security rests on" },
  { id: "R-C5", what: "response trailers are judged like fields and stay trailers" },
  { id: "R-C6", what: "whatever cannot be looked up is nobody, and nobody gets into a protected application" },
  { id: "R-C7", what: "our credentials are consumed; an invalid one is refused, never skipped" },
  { id: "R-C8", what: "an origin cannot set the relay's cookies or fields, nor cookies of other applications" },
  { id: "R-C9", what: "claims in fields are encoded; controls in them are refused, never cut off" },

  { id: "R-D1", what: "a request body has one length or is exactly chunked; the rest is refused" },
  { id: "R-D2", what: "the tunnel carries parsed messages; framing is written anew and checked against the bytes" },
  { id: "R-D3", what: "the connector judges every field of the relay again before it writes" },
  { id: "R-D4", what: "a connection to an origin is used again only after two whole messages; answers never swap" },
  { id: "R-D5", what: "the only upgrade is a well-formed WebSocket handshake that the origin accepted" },
  { id: "R-D6", what: "100 Continue is said after the decision, and interim answers are bounded" },
  { id: "R-D7", what: "pipelined requests are decided one by one; behind a refusal nothing is read" },
  { id: "R-D8", what: "bodies of GET, HEAD and DELETE have explicit framing; a body that stays away ends by an idle limit" },
  { id: "R-D9", what: "an origin's malformed or contradictory answer is a 502, and never shifts the next one" },
  { id: "R-D10", what: "what the relay writes into its own fields and cookies cannot break out of them" },
  { id: "R-D11", what: "foreign servers see exactly the request that was decided, or none" },

  { id: "R-E1", what: "the return address travels sealed and is compared with the application's own origin where Location is written" },
  { id: "R-E2", what: "a return address that a browser could read as another site becomes the root" },
  { id: "R-E3", what: "every redirect of the relay goes through that one check" },
  { id: "R-E4", what: "a command line's sign-in answers to loopback only, with state, PKCE and a code of one use" },
  { id: "R-E5", what: "pages of sign-in are not kept, framed, scripted or named to others; foreign text is escaped" },

  { id: "R-F1", what: "state is sealed, bound to the browser and used once; loops stop with an explanation" },
  { id: "R-F2", what: "state is checked before the code; replayed, swapped or doubled parameters are errors" },
  { id: "R-F3", what: "PKCE with S256 and a nonce, always" },
  { id: "R-F4", what: "one provider's answer is never taken for another's" },
  { id: "R-F5", what: "ID tokens are verified in every claim; an email counts only where it is verified" },
  { id: "R-F6", what: "a login makes a new session; another's callback signs nobody in" },
  { id: "R-F7", what: "requests to providers are bounded in place, time, size and number" },
  { id: "R-F8", what: "unknown groups are not all groups; claims of another type are none" },
  { id: "R-F9", what: "claims are renewed in the background; whoever the provider drops is out" },
  { id: "R-F10", what: "a provider's logout token is verified and ends the sessions it names" },

  { id: "R-G1", what: "each key has one algorithm; every trick with JWS headers is refused" },
  { id: "R-G2", what: "a key id is looked up in a map and nowhere else" },
  { id: "R-G3", what: "a credential is good for its purpose only" },
  { id: "R-G4", what: "an assertion is good for one audience, tunnel and service, and for minutes" },
  { id: "R-G5", what: "dates and audiences of tokens are exact, or the token is refused" },
  { id: "R-G6", what: "keys rotate without a gap, can be revoked at once, and are stored private" },
  { id: "R-G7", what: "tokens are bounded before they are parsed; public keys are cached and readable by all" },

  { id: "R-H1", what: "an application's cookie is small, bound to its host, and worth nothing at another application" },
  { id: "R-H2", what: "the hand-over from sign-in to an application is good once, for seconds, in one browser" },
  { id: "R-H3", what: "cookies that are damaged, doubled or oversized are no session and no error" },
  { id: "R-H4", what: "what changes state needs POST from the same origin with a token of the form" },
  { id: "R-H5", what: "another site's page cannot use a visitor's cookie" },
  { id: "R-H6", what: "preflights are answered from the application's list; no origin is ever reflected" },
  { id: "R-H7", what: "programs without login get 401 with a place to sign in, browsers a redirect" },
  { id: "R-H8", what: "the relay's own paths are out of an origin's reach in every spelling" },

  { id: "R-I1", what: "after logout the same cookie is nobody's, at every application" },
  { id: "R-I2", what: "what is open when access ends is closed within seconds" },
  { id: "R-I3", what: "streams end with the session that opened them; no limit exists on whole requests" },
  { id: "R-I4", what: "expiry is looked at on each use; setting the clock back revives nothing" },
  { id: "R-I5", what: "revocations survive restarts; state that cannot be read or written lets nobody in" },

  { id: "R-J1", what: "tokens are random, shown once, stored as digests and compared in constant time" },
  { id: "R-J2", what: "one-time codes cannot be guessed, and guessing locks out nobody else" },
  { id: "R-J3", what: "a share link opens only the resource it was made for", absent: "share links are not part of the product" },
  { id: "R-J4", what: "secrets are in files and the environment only, and files that others can change are refused" },
  { id: "R-J5", what: "an empty or missing secret is refused at the start; every documented option has an effect" },

  { id: "R-K1", what: "a credential serves the hostnames its tunnel was granted, and no other" },
  { id: "R-K2", what: "every connector of a tunnel is visible, so that a stolen credential shows" },
  { id: "R-K3", what: "the connector verifies the relay, and proves its key over both nonces" },
  { id: "R-K4", what: "a connector dials what its own file names, whatever the relay or an origin says" },
  { id: "R-K5", what: "every stream carries an assertion that the connector verifies from its pinned root key" },
  { id: "R-K6", what: "no message makes a connector run, read, write or update anything" },
  { id: "R-K7", what: "malformed frames end their connection, never the process" },
  { id: "R-K8", what: "only the relay opens streams, and ids are never used again" },
  { id: "R-K9", what: "before authentication a peer has seconds and kilobytes, and learns nothing" },
  { id: "R-K10", what: "what a credential file or a HELLO says never reaches a shell or a terminal raw" },

  { id: "R-L1", what: "slow and silent visitors are cut off, and others are served meanwhile" },
  { id: "R-L2", what: "heads, targets and bodies are bounded, by our own count" },
  { id: "R-L3", what: "HTTP/2 floods end their session, and nothing else" },
  { id: "R-L4", what: "the tunnel endpoint is bounded as a WebSocket, before and after authentication" },
  { id: "R-L5", what: "what visitors send is never decompressed; compressed tokens are refused" },
  { id: "R-L6", what: "readers that stall cost a bounded amount of memory, and nobody else's speed" },
  { id: "R-L7", what: "concurrent streams are bounded per tunnel and per person, and the rest is told to come back" },
  { id: "R-L8", what: "connectors come back with jitter, are admitted at a bounded rate, and dead ones are noticed" },
  { id: "R-L9", what: "no input ends a process" },
  { id: "R-L10", what: "JSON is bounded before it is parsed; patterns are linear" },
  { id: "R-L11", what: "metrics, health and administration are on addresses of their own, closed to web pages" },

  { id: "R-M1", what: "a log record is one line, whatever visitors put into it" },
  { id: "R-M2", what: "no secret is in any output, at any level" },
  { id: "R-M3", what: "every decision, login and change is an event with who, whence and why" },
  { id: "R-M4", what: "editing, deleting, reordering and cutting off records is found by `audit verify`" },
  { id: "R-M5", what: "a record that cannot be written closes protected applications, and opens them when it can" },
  { id: "R-M6", what: "`explain` gives the live decision; a denial tells its request id and no policy" },

  { id: "R-N1", what: "a configuration with anything unknown, doubled, empty or missing does not load" },
  { id: "R-N2", what: "no policy, no match and an error of the evaluator all deny" },
  { id: "R-N3", what: "the order of policies decides nothing; what is unknown never lets in and never spares" },
  { id: "R-N4", what: "a reload is atomic for each request; what it removed ends, what it kept stays up" },
  { id: "R-N5", what: "addresses have one form each; an unknown country matches nothing" },
  { id: "R-N6", what: "names are compared in one spelling; invisible characters are refused" },
];
