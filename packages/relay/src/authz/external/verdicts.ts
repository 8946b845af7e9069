// What external evaluators said about visitors, remembered, so that requests and re-decisions wait for an answer only when
// there is none that counts (A12). One question at a time per visitor, application and evaluator; a failed one is left
// alone for a while, and what is not known is unknown (R-N3). Must not know how evaluators are asked.

import type { Clock } from "@sallyport/shared/clock";
import type { Identity } from "../../authn/identity.ts";
import type { ExternalEvaluationSelector } from "../../config/policy-types.ts";
import type { ExternalLookup } from "../facts.ts";
import type { CompiledApplication } from "../policy.ts";
import type { EvaluatorAnswer, Question } from "./evaluator.ts";

/** After no answer, the next question about the same visitor waits this long. */
const RETRY_MS = 10_000;
/** Questions at one time, over all visitors; further ones are not asked, and so not answered. */
const MAX_ASKING = 256;
/** Verdicts remembered per identity; then they are forgotten and asked for anew. */
const MAX_VERDICTS = 256;

/** An application as evaluators know it. */
export interface EvaluatedApplication {
  readonly name: string;
  readonly aud: string;
  readonly policies: CompiledApplication;
}

/** Monotonic times. */
interface Verdict {
  success: boolean | undefined;
  /** Counts until then. */
  untilMs: number;
  /** Is asked for again in the background from then on. */
  refreshAtMs: number;
  notBeforeMs: number;
  running: Promise<void> | undefined;
}

/** The answers for one decision. What it asks for and is not known is gathered: {@link Verdicts.settle} asks, then decide again. */
export interface VerdictLook {
  readonly lookup: ExternalLookup;
  /** Grows while policies are evaluated. */
  readonly missing: ReadonlySet<string>;
  readonly application: EvaluatedApplication;
  readonly identity: Identity;
}

export interface VerdictsOptions {
  readonly clock: Clock;
  /** Never rejects. */
  ask(question: Question): Promise<EvaluatorAnswer>;
}

export class Verdicts {
  readonly #options: VerdictsOptions;
  /** A refreshed claim makes a new identity, and with it new questions; what is no longer referenced is collected. */
  readonly #known = new WeakMap<Identity, Map<string, Verdict>>();
  #asking = 0;

  constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /** undefined: no evaluator is asked about this visitor here. */
  look(application: EvaluatedApplication, identity: Identity | undefined): VerdictLook | undefined {
    if (!application.policies.dependsOn.external || identity === undefined) return undefined;
    const missing = new Set<string>();
    const lookup: ExternalLookup = (url) => {
      const verdict = this.#verdict(application, identity, url);
      if (verdict === undefined) return undefined;
      const nowMs = this.#options.clock.monotonic();
      const counts = verdict.success !== undefined && nowMs < verdict.untilMs;
      if (!counts && nowMs >= verdict.notBeforeMs) missing.add(url);
      else if (counts && nowMs >= verdict.refreshAtMs) this.#start(application, identity, url, verdict);
      return counts ? verdict.success : undefined;
    };
    return { lookup, missing, application, identity };
  }

  /** What is known now; the rest is pending: the first request over there asks. For sign-in, which waits for nobody. */
  sofar(application: EvaluatedApplication, identity: Identity): ExternalLookup {
    const look = this.look(application, identity);
    return (url) => {
      const answer = look?.lookup(url);
      return answer === undefined && look?.missing.has(url) === true ? "pending" : answer;
    };
  }

  /** Asks what was missing. Never rejects; afterwards nothing of it is missing, answered or not. */
  async settle({ application, identity, missing }: VerdictLook): Promise<void> {
    const running = Array.from(missing, async (url) => {
      const verdict = this.#verdict(application, identity, url);
      if (verdict !== undefined) this.#start(application, identity, url, verdict);
      await verdict?.running;
    });
    await Promise.all(running);
  }

  #verdict(application: EvaluatedApplication, identity: Identity, url: string): Verdict | undefined {
    const evaluator = application.policies.evaluators.get(url);
    if (evaluator === undefined) return undefined;
    let verdicts = this.#known.get(identity);
    if (verdicts === undefined) this.#known.set(identity, (verdicts = new Map()));
    const key = `${application.aud}\n${url}\n${evaluator.keysUrl}`;
    let verdict = verdicts.get(key);
    if (verdict !== undefined) return verdict;
    if (verdicts.size >= MAX_VERDICTS) verdicts.clear();
    verdict = { success: undefined, untilMs: 0, refreshAtMs: 0, notBeforeMs: Number.NEGATIVE_INFINITY, running: undefined };
    verdicts.set(key, verdict);
    return verdict;
  }

  #start(application: EvaluatedApplication, identity: Identity, url: string, verdict: Verdict): void {
    const evaluator: ExternalEvaluationSelector | undefined = application.policies.evaluators.get(url);
    const nowMs = this.#options.clock.monotonic();
    if (verdict.running !== undefined || nowMs < verdict.notBeforeMs || evaluator === undefined) return;
    if (this.#asking >= MAX_ASKING) {
      verdict.notBeforeMs = nowMs + RETRY_MS;
      return;
    }
    this.#asking++;
    const { name, aud } = application;
    verdict.running = this.#options
      .ask({ evaluator, identity, application: { name, aud } })
      .then((answer) => this.#take(verdict, answer))
      .finally(() => {
        verdict.running = undefined;
        this.#asking--;
      });
  }

  /** Without an answer the last one counts to its end, not longer. */
  #take(verdict: Verdict, answer: EvaluatorAnswer): void {
    const nowMs = this.#options.clock.monotonic();
    if (answer.kind === "none") {
      verdict.notBeforeMs = nowMs + RETRY_MS;
      return;
    }
    verdict.success = answer.success;
    verdict.untilMs = nowMs + answer.countsForMs;
    verdict.refreshAtMs = nowMs + answer.countsForMs / 2;
    verdict.notBeforeMs = Number.NEGATIVE_INFINITY;
  }
}
