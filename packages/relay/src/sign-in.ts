// Composition of sign-in: gives the flow what it needs of configuration, state and records, and puts its routes beside the
// other ones of the auth host and of application hosts.

import type { Clock } from "@sallyport/shared/clock";
import { readCookie } from "@sallyport/shared/http/cookies";
import type { Fields } from "@sallyport/shared/http/fields";
import type { ApplicationTokens } from "./authn/application-token.ts";
import { CliFlow } from "./authn/cli/flow.ts";
import { LoginContext } from "./authn/login/context.ts";
import { LoginFlow } from "./authn/login/flow.ts";
import type { LoginAnswer, LoginServices, LoginTarget } from "./authn/login/types.ts";
import type { IdentityProvider } from "./authn/provider.ts";
import { longestSessionMs } from "./authn/session-length.ts";
import type { Verdicts } from "./authz/external/verdicts.ts";
import type { CanonicalRequest } from "./ingress/canonicalise.ts";
import type { InFlight } from "./ingress/in-flight.ts";
import { returnPath } from "./ingress/location.ts";
import { answerLogin, serveLogin } from "./ingress/login-pages.ts";
import { findLoginTarget, loginTarget, loginTargets, type TargetServices } from "./ingress/login-target.ts";
import type { Application, Runtime } from "./ingress/runtime.ts";
import type { Recorder } from "./observe/record.ts";
import type { State } from "./state/state.ts";

export interface SignInOptions {
  readonly clock: Clock;
  readonly state: State;
  readonly tokens: ApplicationTokens;
  readonly recorder: Recorder;
  readonly verdicts: Pick<Verdicts, "sofar">;
  runtime(): Runtime;
  /** By name, of this moment. */
  providers(): ReadonlyMap<string, IdentityProvider>;
  onFault(requestId: string, error: unknown): void;
}

export interface SignIn {
  /** Sends a navigation to sign in. */
  redirect(request: InFlight, canonical: CanonicalRequest, application: Application, fields: Fields): void;
  /** Where a person can sign in for a program's sake. */
  loginUrl(canonical: CanonicalRequest, application: Application): string;
  /** Answers a path of sign-in on the auth host. @returns false when it is none */
  serveAuthHost(request: InFlight, canonical: CanonicalRequest): boolean;
  /** Answers a path of sign-in below /.sallyport/ on an application's host. @returns false when it is none */
  serveApplicationHost(request: InFlight, canonical: CanonicalRequest): boolean;
}

export function createSignIn(options: SignInOptions): SignIn {
  const { clock, state, runtime } = options;
  const targets: TargetServices = {
    now: () => clock.now(),
    lastSeenAt: (id) => state.sessions.lastSeenAt(id),
    external: (application, identity) => options.verdicts.sofar(application, identity),
  };
  const services = servicesOf(options, targets);
  const flow = new LoginFlow(services);
  const cli = new CliFlow(new LoginContext(services), (token, { aud }) => {
    const result = options.tokens.verify(token, aud);
    return result.kind === "valid" ? result.session : undefined;
  });
  const targetOf = ({ hostname }: CanonicalRequest, application: Application): LoginTarget =>
    loginTarget(targets, runtime(), application, hostname);
  return {
    redirect(request, canonical, application, fields) {
      const target = targetOf(canonical, application);
      // What cannot be come back to leads to the first page of this application, not to whatever is at the root of its host.
      const path = returnPath(target.origin, canonical.target.path);
      const answer = flow.sendToLogin(target, path === "/" ? target.applicationPath : path, request.exchange.request.fields);
      answerLogin(request, withFields(answer, fields), "login");
    },
    loginUrl: (canonical, application) => flow.loginUrl(targetOf(canonical, application)),
    serveAuthHost(request, canonical) {
      const route = flow.onAuthHost(canonical.target.pathname) ?? cli.onAuthHost(canonical.target.pathname);
      if (route !== undefined) serveLogin(route, request, canonical);
      return route !== undefined;
    },
    serveApplicationHost(request, canonical) {
      const route = flow.onApplicationHost(canonical.target.pathname) ?? cli.onApplicationHost(canonical.target.pathname);
      if (route !== undefined) serveLogin(route, request, canonical);
      return route !== undefined;
    },
  };
}

function servicesOf(options: SignInOptions, targets: TargetServices): LoginServices {
  const { clock, state, tokens, recorder, runtime } = options;
  return {
    clock,
    sessions: state.sessions,
    secret: (purpose) => state.keys.secret(purpose),
    authUrl: () => runtime().config.authUrl,
    providers: () => options.providers(),
    sessionDurationMs: () => longestSession(runtime()),
    findTarget: (hostname, path) => findLoginTarget(targets, runtime(), hostname, path),
    targets: () => loginTargets(targets, runtime()),
    issueToken: (session, target) => tokens.issue(session, target),
    leave: ({ id }, { aud }) => state.logouts.add({ sessionId: id, audience: aud }),
    sessionOf(fields, target) {
      const cookie = readCookie(fields, target.cookie.name);
      const result = cookie.kind === "value" ? tokens.verify(cookie.value, target.aud) : undefined;
      return result?.kind === "valid" ? result.session : undefined;
    },
    event: (type, actor, fields) => recorder.event(type, actor, fields),
    onFault: (requestId, error) => options.onFault(requestId, error),
  };
}

/** A session lives as long as any application accepts it; each cuts it to its own measure. */
function longestSession({ config }: Runtime): number {
  const applications = config.applications.map(({ sessionDurationMs }) => sessionDurationMs);
  const policies = config.policies.map(({ sessionDurationMs }) => sessionDurationMs);
  return longestSessionMs(config.sessions.durationMs, [...applications, ...policies]);
}

function withFields(answer: LoginAnswer, fields: Fields): LoginAnswer {
  return fields.length === 0 ? answer : { ...answer, fields: [...(answer.fields ?? []), ...fields] };
}
