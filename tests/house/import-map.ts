// The direction of imports as data: who may not import what, and why. The reason is what a failure prints, so
// it has to teach. Order does not matter; every rule applies.

export interface ImportRule {
  /** Files the rule is about: path prefixes from the root. */
  readonly files: readonly string[];
  /** Files below those prefixes that the rule leaves alone. */
  readonly except?: readonly string[];
  /** What they may not import: prefixes of packages or of paths from the root. */
  readonly forbidden: readonly string[];
  /** Whether naming another's shape with `import type` is fine. */
  readonly typesAllowed?: boolean;
  readonly why: string;
}

const SHARED = "packages/shared/src/";
const RELAY = "packages/relay/src/";
const CONNECTOR = "packages/connector/src/";
const PRODUCT = [SHARED, RELAY, CONNECTOR];

export const IMPORT_RULES: readonly ImportRule[] = [
  {
    files: [SHARED],
    forbidden: ["@sallyport/", RELAY, CONNECTOR, "pino", "commander", "undici", "jose", "zod", "prom-client"],
    why: "shared is the vocabulary of both sides: it must not know either of them, nor a logger, a command line or a validator",
  },
  {
    files: [SHARED],
    except: [`${SHARED}config/`],
    forbidden: ["yaml"],
    why: "YAML is read in shared/config, for both configurations alike, and nowhere else: the wire has formats of its own",
  },
  {
    files: [SHARED],
    forbidden: ["node:process", "node:child_process", "node:os", "node:fs", "process"],
    why: "shared has no environment of its own: files, signals and variables are read at the edges and passed in",
  },
  {
    files: [RELAY],
    forbidden: ["@sallyport/connector", CONNECTOR, "packages/"],
    why: "relay and connector meet on the wire only; what both need belongs into shared, reached through its package exports",
  },
  {
    files: [CONNECTOR],
    forbidden: ["@sallyport/relay", RELAY, "packages/"],
    why: "relay and connector meet on the wire only; what both need belongs into shared, reached through its package exports",
  },
  {
    files: [`${RELAY}authn/`],
    forbidden: [`${RELAY}ingress/`, `${RELAY}authz/`, `${RELAY}tunnel/`],
    typesAllowed: true,
    why: "authn says who is calling and nothing else: relay.ts hands it what it needs, so that no step can skip another",
  },
  {
    files: [`${RELAY}authz/`],
    forbidden: [`${RELAY}ingress/`, `${RELAY}authn/`, `${RELAY}tunnel/`],
    typesAllowed: true,
    why: "authz decides from plain data: explain, policy tests and live traffic run the same code because it calls nobody",
  },
  {
    files: [`${RELAY}tunnel/`],
    forbidden: [`${RELAY}ingress/`, `${RELAY}authn/`, `${RELAY}authz/`],
    typesAllowed: true,
    why: "tunnel carries what was decided elsewhere: it must not be able to decide, nor to know visitors",
  },
  {
    files: [`${RELAY}authz/evaluate`],
    forbidden: ["node:", "pino", "jose", "undici", `${RELAY}state/`, `${RELAY}observe/`],
    typesAllowed: true,
    why: "evaluate is pure: same input, same decision, no I/O and no clock of its own (R-M6)",
  },
  {
    files: [`${RELAY}pages/`],
    forbidden: [`${RELAY}ingress/`, `${RELAY}authn/`, `${RELAY}authz/`, `${RELAY}tunnel/`, `${RELAY}state/`],
    why: "pages turn plain data into markup: sign-in and ingress both use them, so they must know neither, nor what a page is for",
  },
  {
    files: [`${RELAY}state/`],
    forbidden: [`${RELAY}ingress/`, `${RELAY}authn/`, `${RELAY}authz/`, `${RELAY}tunnel/`, `${RELAY}admin/`],
    typesAllowed: true,
    why: "state stands behind narrow interfaces so that several relays can share it later: it must not know who asks",
  },
  {
    files: PRODUCT,
    except: [`${SHARED}mux/ws-transport.ts`, `${CONNECTOR}tunnel/dial.ts`, `${RELAY}tunnel/acceptor.ts`],
    forbidden: ["ws"],
    why: "three files speak WebSocket (transport, dial, acceptor): everything else sees frames, so the carrier can change",
  },
  {
    files: PRODUCT,
    except: [`${RELAY}authn/`],
    forbidden: ["undici"],
    why: "undici talks to identity providers; origins are dialled by the connector's own engine, and a third place that dials out would be a third place to bound and to audit",
  },
  {
    files: PRODUCT,
    except: [
      `${RELAY}authn/`,
      `${RELAY}authz/assertion`,
      `${RELAY}authz/access-assertion`,
      `${RELAY}authz/external/`,
      `${CONNECTOR}origin/verify`,
    ],
    forbidden: ["jose"],
    why: "tokens are made and read in few places (tokens, assertion, verify), each with one kind and one algorithm list (R-G3)",
  },
  {
    files: PRODUCT,
    except: [`${RELAY}main.ts`, `${RELAY}commands/`, `${CONNECTOR}main.ts`, `${CONNECTOR}commands/`],
    forbidden: ["commander"],
    why: "the command line is an edge: below it nothing knows argv",
  },
  {
    files: PRODUCT,
    except: [`${RELAY}state/backup.ts`, `${RELAY}authn/service-token-format.ts`],
    forbidden: ["node:zlib"],
    why: "nothing that a stranger sends is ever decompressed (R-L5): backups are the operator's own, and a token needs a checksum only",
  },
  {
    files: PRODUCT,
    except: [`${RELAY}state/`],
    forbidden: ["node:sqlite"],
    why: "one writer, one schema: only state knows that there is a database",
  },
  {
    files: ["tests/e2e/", "tests/fault/", "tests/conformance/", "tests/harness/", "bench/", "scripts/", "examples/"],
    forbidden: ["packages/"],
    why: "reach product code through package exports, as a user does, never by a path into its sources",
  },
];
