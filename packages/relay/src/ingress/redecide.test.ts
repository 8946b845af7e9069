import { readTarget } from "@sallyport/shared/http/path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Identity } from "../authn/identity.ts";
import type { EvaluatorAnswer } from "../authz/external/evaluator.ts";
import { Verdicts } from "../authz/external/verdicts.ts";
import { noCountry, noExternal, type ClientCertificate } from "../authz/facts.ts";
import { person } from "../authz/testing.ts";
import { ConfigFolder } from "../config/test-support.ts";
import type { InFlight } from "./in-flight.ts";
import { redecide, type DecisionContext } from "./redecide.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

const yaml = (crl: string): string => `authUrl: https://auth.example.com
state: ./data
listen: [ { address: "127.0.0.1:443", tls: { cert: { file: tls.crt }, key: { file: tls.key } } } ]
tunnels: [ { name: office } ]
policies:
  - { name: asked, action: allow, include: [ { externalEvaluation: { url: "https://door.example.com/", keysUrl: "https://door.example.com/k" } } ] }
  - { name: machines, action: bypass, include: [ { clientCertificate: any } ] }
applications:
  - { name: asked, hostname: asked.example.com, tunnel: office, service: web, policies: [ asked ] }
  - { name: machines, hostname: machines.example.com, tunnel: office, service: web, policies: [ machines ], clientCertificates: { ca: { file: ca.crt }${crl} } }
`;

const folder = new ConfigFolder();
let runtime: Runtime;
let withList: Runtime;
beforeAll(async () => {
  folder.authority("ca");
  folder.certificate("tls", ["*.example.com"]);
  folder.revocationList("ca", "ca.crl");
  const load = async (crl: string): Promise<Runtime> => {
    const loaded = await folder.load(yaml(crl));
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    return createRuntime(loaded.config);
  };
  runtime = await load("");
  withList = await load(", crl: { file: ca.crl }");
});
afterAll(() => folder[Symbol.dispose]());

/** An open stream at an application, as redecide() sees it. */
function stream(
  host: string,
  identity: Identity | undefined,
  clientCheck?: unknown,
): { readonly request: InFlight; readonly revoke: () => void } {
  const revoke = vi.fn<() => void>();
  const target = readTarget("/");
  const facts = {
    identity,
    ip: undefined,
    countryOf: noCountry,
    method: "GET",
    nowMs: 0,
    clientCertificate: undefined,
    external: noExternal,
  };
  const request = {
    canonical: { hostname: `${host}.example.com`, target },
    facts,
    application: runtime.applications.get(host),
    exchange: { request: { scheme: "https", clientCheck } },
    closed: false,
    revoke,
    fault: (error: unknown) => expect.unreachable(String(error)),
  };
  return { request: request as unknown as InFlight, revoke };
}

function context(verdicts: DecisionContext["verdicts"], now: Runtime = runtime, identity?: Identity): DecisionContext {
  return {
    runtime: now,
    clock: folder.clock,
    verdicts,
    current: (known) => ({ identity: identity ?? known, session: undefined }),
    used: () => true,
  };
}

describe("an open stream that an evaluator let in", () => {
  const answering = (answer: EvaluatorAnswer): { readonly verdicts: Verdicts; readonly asked: () => number } => {
    let asked = 0;
    const verdicts = new Verdicts({
      clock: folder.clock,
      ask: async () => {
        asked++;
        return await Promise.resolve(answer);
      },
    });
    return { verdicts, asked: () => asked };
  };
  const yes: EvaluatorAnswer = { kind: "verdict", success: true, countsForMs: 60_000 };

  test.each<readonly [string, EvaluatorAnswer, number]>([
    ["goes on after a yes about new claims", yes, 0],
    ["ends after a no", { kind: "verdict", success: false, countsForMs: 60_000 }, 1],
    ["ends without an answer", { kind: "none" }, 1],
  ])("%s", async (_title, answer, ended) => {
    const { verdicts, asked } = answering(answer);
    const { request, revoke } = stream("asked", person());
    // The claims changed: nothing is known of the new identity, which is no reason to end anything by itself.
    redecide([request], context(verdicts, runtime, person({ groups: ["new"] })));
    expect(revoke).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(asked()).toBe(1));
    await new Promise((resolve) => setImmediate(resolve));
    expect(revoke).toHaveBeenCalledTimes(ended);
  });

  test("is kept by the answers that it asks for itself, for as long as it is open", async () => {
    const { verdicts, asked } = answering(yes);
    const identity = person();
    const { request, revoke } = stream("asked", identity);
    for (let minute = 0; minute < 20; minute++) {
      redecide([request], context(verdicts));
      await new Promise((resolve) => setImmediate(resolve));
      folder.clock.advance(15_000);
    }
    expect(revoke).not.toHaveBeenCalled();
    expect(asked()).toBeGreaterThan(5);
  });
});

describe("an open stream that a client certificate let in", () => {
  const nobody = { look: () => undefined, settle: async () => {} };
  const verified: ClientCertificate = { kind: "verified", commonName: "ci", subjectAlternativeNames: [], fingerprint: "a".repeat(64) };
  const checkOf = (expiresInMs: number): unknown => ({
    authorityId: runtime.clientAuthorities.of("machines.example.com")?.id,
    fact: verified,
    expiresAt: folder.clock.now() + expiresInMs,
  });

  test("goes on while nothing changes", () => {
    const { request, revoke } = stream("machines", undefined, checkOf(60_000));
    redecide([request], context(nobody));
    expect(revoke).not.toHaveBeenCalled();
  });

  test("ends when the authorities or their lists change: nothing is known of it by the new ones", () => {
    const { request, revoke } = stream("machines", undefined, checkOf(60_000));
    redecide([request], context(nobody, withList));
    expect(revoke).toHaveBeenCalledTimes(1);
  });

  test("ends when the certificate does", () => {
    const { request, revoke } = stream("machines", undefined, checkOf(0));
    redecide([request], context(nobody));
    expect(revoke).toHaveBeenCalledTimes(1);
  });
});
