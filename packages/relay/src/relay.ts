// The composition root of the relay: makes every part, hands each what it needs, starts and stops them in order. The only
// place that knows all of them.

import { readFileSync } from "node:fs";
import type { Clock, Timer } from "@sallyport/shared/clock";
import { LogField } from "@sallyport/shared/log-fields";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import type { Logger } from "pino";
import { createAdminListener, type AdminListener } from "./admin/listener.ts";
import { createStateOperations } from "./admin/operations.ts";
import type { RelayStatus } from "./admin/status.ts";
import { createAdminSocket, type AdminSocket } from "./admin/socket.ts";
import { ApplicationTokens } from "./authn/application-token.ts";
import { Authenticator } from "./authn/authenticate.ts";
import { ClaimsRefresher, claimsSourceOf } from "./authn/renewal.ts";
import { createProviders as createIdentityProviders, type IdentityProviders } from "./authn/providers.ts";
import { connectEvaluator } from "./authn/evaluator-connection.ts";
import type { ProviderNetwork } from "./authn/provider-fetch.ts";
import { createServiceTokenVerifier } from "./authn/service-token.ts";
import { AccessAssertionIssuer } from "./authz/access-assertion.ts";
import { createAccessCerts } from "./authz/access-certs.ts";
import { AssertionIssuer } from "./authz/assertion.ts";
import { Evaluators } from "./authz/external/evaluator.ts";
import { Verdicts } from "./authz/external/verdicts.ts";
import type { Session, SessionEnd } from "./authn/session.ts";
import { diffConfigs, restartSections } from "./config/diff.ts";
import type { RelayConfig } from "./config/types.ts";
import { serveAccessContract } from "./ingress/access-contract.ts";
import { serveAuthHost, serveReserved } from "./ingress/auth-host.ts";
import type { CanonicalRequest } from "./ingress/canonicalise.ts";
import type { IngressRequest } from "./ingress/exchange.ts";
import type { InFlight } from "./ingress/in-flight.ts";
import { createPipeline } from "./ingress/pipeline.ts";
import { redecide, REDECIDE_INTERVAL_MS, stillAllowed, type DecisionContext } from "./ingress/redecide.ts";
import { createRuntime, type Runtime } from "./ingress/runtime.ts";
import { createIngressServer, type IngressServer, type ListenAddress } from "./ingress/server.ts";
import { httpsUrlOf } from "./ingress/to-https.ts";
import { createHealth } from "./observe/health.ts";
import { createMetrics, type Metrics } from "./observe/metrics.ts";
import { engineRefusalRecord } from "./observe/engine-refusal.ts";
import { relayStatus } from "./observe/relay-status.ts";
import { createRecorder, type Recorder } from "./observe/record.ts";
import { hashSessionId, type RequestRecord } from "./observe/record-line.ts";
import { createSignIn } from "./sign-in.ts";
import { openState, type State } from "./state/state.ts";
import { ActiveExchanges } from "./tunnel/active.ts";
import { TunnelAcceptor } from "./tunnel/acceptor.ts";
import { observeTunnels } from "./observe/tunnels.ts";
import { TunnelRegistry } from "./tunnel/registry.ts";
import { SallyportError } from "@sallyport/shared/errors";

/** Connectors are asked to come back this long after a planned stop, spread by their own jitter. */
const RESTART_DELAY_MS = 500;

/** What decides who is asking. */
interface Access {
  readonly tokens: ApplicationTokens;
  readonly authenticator: Authenticator;
  readonly claims: ClaimsRefresher;
  readonly verdicts: Verdicts;
}

export interface RelayOptions {
  readonly config: RelayConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Prints a line where the relay runs: PINs of providers with delivery `terminal`. Default: nowhere. */
  readonly showOnTerminal?: ((line: string) => void) | undefined;
  /** Instead of the identity providers that the configuration names. For tests. */
  readonly createProviders?: ((config: RelayConfig) => IdentityProviders) | undefined;
  /** How external evaluators are found and trusted. Default: as the system does. */
  readonly evaluatorNetwork?: ProviderNetwork | undefined;
}

export interface RelayAddresses {
  readonly listen: readonly ListenAddress[];
  readonly adminPort: number | undefined;
}

export interface Relay {
  /** Opens state, records, admin and public listeners, in this order. @throws SallyportError naming what cannot be used */
  start(): Promise<void>;
  /** Swaps in one step. @throws with the old configuration still in place */
  applyConfig(next: RelayConfig): void;
  /** Stops accepting, asks connectors to come back, lets requests under way finish for `graceMs`, then cuts. */
  close(reason: string, graceMs: number): Promise<void>;
  addresses(): RelayAddresses;
}

export const RELAY_SOFTWARE: string = `sallyport-relay/${packageVersion()}`;

export function createRelay(options: RelayOptions): Relay {
  return new RelayProcess(options);
}

class RelayProcess implements Relay {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #registry = new TunnelRegistry();
  readonly #budget = new BufferBudget();
  readonly #health = createHealth();
  readonly #metrics: Metrics = createMetrics();
  readonly #active: ActiveExchanges<InFlight>;
  #config: RelayConfig;
  #runtime: Runtime | undefined;
  #state: State | undefined;
  #recorder: Recorder | undefined;
  #acceptor: TunnelAcceptor | undefined;
  #ingress: IngressServer | undefined;
  #adminSocket: AdminSocket | undefined;
  #adminListener: AdminListener | undefined;
  #access: Access | undefined;
  readonly #createProviders: (config: RelayConfig) => IdentityProviders;
  readonly #evaluatorNetwork: ProviderNetwork;
  #providers: IdentityProviders = new Map();
  #redecideTimer: Timer | undefined;
  #listening: readonly ListenAddress[] = [];
  readonly #startedAt: number;
  #configLoadedAt: number;

  constructor({ config, logger, clock, showOnTerminal = () => {}, createProviders, evaluatorNetwork = {} }: RelayOptions) {
    this.#config = config;
    this.#evaluatorNetwork = evaluatorNetwork;
    const onProblem = (provider: string, explanation: string): void =>
      logger.warn({ provider, explanation }, "trouble with an identity provider");
    // Read at the start only: authUrl does not change without a restart.
    const deps = { clock, authUrl: config.authUrl.origin, onProblem, showOnTerminal };
    this.#createProviders = createProviders ?? ((next) => createIdentityProviders(next.identityProviders, deps, this.#providers));
    this.#providers = this.#createProviders(config);
    this.#logger = logger;
    this.#clock = clock;
    this.#active = new ActiveExchanges(config.limits);
    this.#startedAt = this.#configLoadedAt = clock.now();
  }

  async start(): Promise<void> {
    const config = this.#config;
    const clock = this.#clock;
    this.#runtime = createRuntime(config);
    const state = (this.#state = openState({ folder: config.state, clock, onError: (error) => this.#background(error) }));
    configureKeys(state, config);
    const recorder = (this.#recorder = this.#openRecorder(state));
    const acceptor = (this.#acceptor = this.#createAcceptor(state, recorder));
    state.keys.onChanged(() => acceptor.manifestChanged());
    this.#access = this.#openAccess(state, recorder);
    state.serviceTokens.onChanged(() => this.#redecide());
    state.logouts.onAdded(({ sessionId, audience }) => this.#endExchanges(sessionId, audience));
    state.sessions.onChanged((session) =>
      this.#redecide((request) => request.facts?.identity?.kind === "person" && request.facts.identity.sessionId === session.id),
    );
    this.#scheduleRedecide();
    this.#observe(recorder);
    this.#adminSocket = await createAdminSocket({
      folder: config.state,
      handlers: {
        ...createStateOperations({
          state,
          record: (type, actor, fields) => recorder.event(type, actor, fields),
          now: () => clock.now(),
          flush: () => recorder.flush(),
        }),
        status: () => this.#status(recorder),
      },
      onError: (error) => this.#background(error),
    });
    const { host, port } = config.admin;
    this.#adminListener = await createAdminListener({
      host,
      port,
      metrics: this.#metrics,
      health: this.#health,
      onError: (error) => this.#background(error),
    });
    this.#ingress = this.#createIngress(state, recorder, acceptor, this.#access);
    this.#listening = await this.#ingress.start();
    recorder.event("relay.started", "relay", { version: RELAY_SOFTWARE, hash: config.source.hash });
  }

  applyConfig(next: RelayConfig): void {
    const sections = restartSections(this.#config, next);
    if (sections.length > 0) {
      throw new SallyportError(
        "ERR_CONFIG_RESTART",
        `a change of ${sections.join(", ")} takes effect with a restart only; the old configuration stays live`,
      );
    }
    const runtime = createRuntime(next);
    const providers = this.#createProviders(next);
    const diff = diffConfigs(this.#config, next);
    next.listen.forEach(({ certificates }, index) => {
      if (certificates !== undefined) this.#ingress?.updateTls(index, { certificates, authorities: runtime.clientAuthorities });
    });
    this.#config = next;
    this.#runtime = runtime;
    this.#providers = providers;
    if (this.#state !== undefined) {
      configureKeys(this.#state, next);
      configureSessions(this.#state.sessions, next);
    }
    this.#metrics.setApplications(next.applications.map(({ name }) => name));
    this.#recorder?.event("config.changed", "relay", { hash: next.source.hash, detail: JSON.stringify(diff).slice(0, 1_500) });
    this.#acceptor?.configurationChanged();
    this.#configLoadedAt = this.#clock.now();
    this.#redecide();
  }

  async close(reason: string, graceMs: number): Promise<void> {
    this.#health.startDraining();
    this.#redecideTimer?.cancel();
    this.#recorder?.event("relay.stopping", "relay", { reason });
    this.#acceptor?.drain(RESTART_DELAY_MS);
    await this.#ingress?.close({ graceMs });
    this.#acceptor?.close();
    await this.#adminSocket?.close();
    await this.#adminListener?.close();
    this.#metrics.close();
    await this.#recorder?.close();
    this.#state?.close();
  }

  addresses(): RelayAddresses {
    return { listen: this.#listening, adminPort: this.#adminListener?.port };
  }

  #openRecorder(state: State): Recorder {
    const { folder, maxFileBytes, maxTotalBytes, maxAgeMs } = this.#config.records;
    return createRecorder({
      folder,
      limits: { maxFileBytes, maxTotalBytes, maxAgeMs },
      clock: this.#clock,
      signingKey: state.keys.signingKey("record").privateKey,
      head: state.recordHead,
      index: (events) => state.events.add(events),
      onError: (error) => this.#background(error),
    });
  }

  #openAccess(state: State, recorder: Recorder): Access {
    const { sessions, keys, serviceTokens } = state;
    const clock = this.#clock;
    sessions.onChanged((session, end) => recordSession(recorder, session, end));
    configureSessions(sessions, this.#config);
    const tokens = new ApplicationTokens({ issuer: this.#config.authUrl.origin, keys, sessions, logouts: state.logouts, clock });
    const authenticator = new Authenticator({ serviceTokens: createServiceTokenVerifier(serviceTokens, clock), tokens, sessions });
    const claims = new ClaimsRefresher({
      sessions,
      source: claimsSourceOf(() => this.#providers),
      clock,
      claimsMaxAgeMs: () => this.#config.sessions.claimsMaxAgeMs,
      onError: (error) => this.#background(error),
    });
    const evaluators = new Evaluators({
      issuer: this.#config.authUrl.origin,
      keys,
      clock,
      connect: (evaluator) => connectEvaluator(evaluator, clock, this.#evaluatorNetwork),
      onProblem: (evaluator, explanation) =>
        explanation === undefined
          ? this.#logger.info({ evaluator }, "the external evaluator answers again")
          : this.#logger.warn({ evaluator, explanation }, "trouble with an external evaluator"),
    });
    const verdicts = new Verdicts({ clock, ask: (question) => evaluators.ask(question) });
    return { tokens, authenticator, claims, verdicts };
  }

  #createAcceptor(state: State, recorder: Recorder): TunnelAcceptor {
    const observer = observeTunnels({
      logger: this.#logger,
      metrics: this.#metrics,
      recorder,
      registry: this.#registry,
      tunnels: () => this.#config.tunnels.map(({ name }) => name),
    });
    return new TunnelAcceptor({
      authUrl: this.#config.authUrl.origin,
      software: RELAY_SOFTWARE,
      credentials: state.credentials,
      registry: this.#registry,
      budget: this.#budget,
      clock: this.#clock,
      grantsOf: (tunnel) => this.#current().grants.get(tunnel),
      currentManifest: () => state.keys.currentManifest(),
      onEvent: observer,
    });
  }

  #createIngress(state: State, recorder: Recorder, acceptor: TunnelAcceptor, access: Access): IngressServer {
    const config = this.#config;
    const authUrl = config.authUrl.origin;
    const onFault = (requestId: string, error: unknown): void =>
      this.#logger.error({ err: error, [LogField.requestId]: requestId }, "fault while handling a request");
    const signIn = createSignIn({
      clock: this.#clock,
      state,
      tokens: access.tokens,
      recorder,
      verdicts: access.verdicts,
      runtime: () => this.#current(),
      providers: () => this.#providers,
      onFault,
    });
    const jwks = (): { readonly keys: readonly unknown[] } => state.keys.jwks();
    const accessAssertions = new AccessAssertionIssuer(authUrl, state.keys, this.#clock);
    const certs = createAccessCerts(state.keys, config.authUrl.hostname);
    const contract = { runtime: () => this.#current(), authenticator: access.authenticator, assertions: accessAssertions, certs };
    const serveAccess = (request: InFlight, canonical: CanonicalRequest): boolean => serveAccessContract(contract, request, canonical);
    const authHost = { acceptor, authUrl, jwks, serveAccess, serveLogin: signIn.serveAuthHost };
    const applicationHost = { jwks, serveAccess, serveLogin: signIn.serveApplicationHost };
    const pipeline = createPipeline({
      clock: this.#clock,
      registry: this.#registry,
      active: this.#active,
      runtime: () => this.#current(),
      ...access,
      sessions: state.sessions,
      loginRedirect: signIn.redirect,
      loginUrl: signIn.loginUrl,
      assertions: new AssertionIssuer(authUrl, state.keys, this.#clock),
      accessAssertions,
      serveAuthHost: (request, canonical) => serveAuthHost(authHost, request, canonical),
      serveReserved: (request, canonical) => serveReserved(applicationHost, request, canonical),
      recordingRequired: () => recorder.failing && this.#config.records.onWriteFailure === "deny",
      policyEvaluated: (durationMs) => this.#metrics.policyEvaluated(durationMs),
      stillAllowed: (request) => {
        const context = this.#decisionContext();
        return context !== undefined && stillAllowed(request, context);
      },
      record: (record, unauthenticated) => this.#record(recorder, record, unauthenticated),
      onFault,
    });
    return createIngressServer({
      listeners: config.listen.map((listen) => ({
        host: listen.address.host,
        port: listen.address.port,
        tls:
          listen.certificates === undefined
            ? undefined
            : { certificates: listen.certificates, authorities: this.#current().clientAuthorities },
        proxyProtocol: listen.proxyProtocol,
        redirectToHttps: listen.redirectToHttps ? (request: IngressRequest) => httpsUrlOf(this.#current(), request) : undefined,
      })),
      limits: config.limits,
      clock: this.#clock,
      onExchange: pipeline,
      onFault: (error) => this.#logger.error({ err: error }, "fault in an ingress engine"),
      onRefused: (refusal) => this.#record(recorder, engineRefusalRecord(refusal), true),
      onConnectionRefused: ({ peer, reason, detail }) =>
        recorder.event("connection.refused", "relay", { sourceIp: peer.address, reason, detail: detail ?? "" }),
    });
  }

  #record(recorder: Recorder, record: RequestRecord, unauthenticated: boolean): void {
    this.#metrics.request(record);
    if (unauthenticated && record.decision !== "allow") recorder.refusal(record);
    else recorder.request(record);
  }

  #observe(recorder: Recorder): void {
    const metrics = this.#metrics;
    metrics.setApplications(this.#config.applications.map(({ name }) => name));
    metrics.readRecorder(recorder);
    metrics.read("gauge", "sallyport_exchanges_active", "Requests under way through tunnels.", () => this.#active.size);
    metrics.read("gauge", "sallyport_sessions", "People's logins that are live.", () => this.#state?.sessions.size ?? 0);
    metrics.read("gauge", "sallyport_buffer_bytes", "Received bytes that are not handed on yet.", () => this.#budget.heldBytes);
    metrics.read(
      "counter",
      "sallyport_buffer_evictions_total",
      "Streams reset because the buffer budget was spent.",
      () => this.#budget.evictions,
    );
    metrics.read(
      "gauge",
      "sallyport_ingress_connections",
      "Open connections of visitors and connectors.",
      () => this.#ingress?.stats().connections ?? 0,
    );
    this.#health.add("records", () => (recorder.failing ? { ok: false, problem: "records cannot be written" } : { ok: true }));
    this.#health.add("ingress", () => (this.#listening.length > 0 ? { ok: true } : { ok: false, problem: "not listening yet" }));
  }

  #status(recorder: Recorder): RelayStatus {
    const { config, version } = { config: this.#config, version: RELAY_SOFTWARE };
    return relayStatus({
      config,
      version,
      startedAt: this.#startedAt,
      configLoadedAt: this.#configLoadedAt,
      registry: this.#registry,
      health: this.#health,
      recorder,
    });
  }

  #redecide(which: (request: InFlight) => boolean = () => true): void {
    const context = this.#decisionContext();
    if (context !== undefined) redecide([...this.#active].filter(which), context);
  }

  /** What decisions about exchanges under way are made by; undefined before the start. */
  #decisionContext(): DecisionContext | undefined {
    const [access, sessions] = [this.#access, this.#state?.sessions];
    if (access === undefined || this.#runtime === undefined || sessions === undefined) return undefined;
    const runtime = (): Runtime => this.#current();
    return {
      get runtime() {
        return runtime();
      },
      clock: this.#clock,
      verdicts: access.verdicts,
      current: (identity) => access.authenticator.current(identity),
      used: (session) => {
        sessions.seen(session.id);
        return access.claims.look(session) === "current";
      },
    };
  }

  /** What is open for one application with a session that left it (R-I2). */
  #endExchanges(sessionId: string, audience: string): void {
    for (const request of [...this.#active]) {
      const { identity, application } = request;
      if (identity?.kind === "person" && identity.sessionId === sessionId && application?.aud === audience) request.revoke();
    }
  }

  #scheduleRedecide(): void {
    this.#redecideTimer = this.#clock.after(REDECIDE_INTERVAL_MS, () => {
      this.#redecide();
      this.#scheduleRedecide();
    });
  }

  #current(): Runtime {
    if (this.#runtime === undefined) throw new SallyportError("ERR_RELAY_NOT_STARTED", "the relay has no configuration yet");
    return this.#runtime;
  }

  /** Something failed that no request waits for. */
  #background(error: unknown): void {
    this.#logger.error({ err: error }, "background work failed");
  }
}

/** A key for the Cloudflare Access contract is made when an application needs it first. */
function configureKeys({ keys }: State, config: RelayConfig): void {
  if (config.applications.some(({ compatibility }) => compatibility === "cloudflare-access")) keys.ensure("access");
}

/** Logins at a provider that is no longer configured are over: nobody vouches for them any more. */
function configureSessions(sessions: State["sessions"], config: RelayConfig): void {
  sessions.idleTimeoutMs = config.sessions.idleTimeoutMs;
  const providers = new Set(config.identityProviders.map(({ name }) => name));
  for (const { id, identity } of sessions.list({}, Number.POSITIVE_INFINITY))
    if (!providers.has(identity.provider)) sessions.end(id, "revoked");
}

/** What happened to a login, for the record: an end with its reason, or new claims. */
function recordSession(recorder: Recorder, { id, identity }: Session, end: SessionEnd | undefined): void {
  const { provider, subject, email = "" } = identity;
  const fields = { provider, subject, email, sessionHash: hashSessionId(id) };
  if (end === undefined) recorder.event("session.claims-changed", "relay", fields);
  else recorder.event("session.ended", "relay", { ...fields, reason: end });
}

function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return String((JSON.parse(text) as { version: unknown }).version);
}
