// Asks one external evaluator about one visitor (A12): a signed question, an answer whose signature, age and nonce are
// verified, or no answer at all. How the network is reached and bounded is its caller's (R-F7). Must not know policies, nor
// how long answers are kept.

import { type KeyObject, randomBytes } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { equalInConstantTime } from "@sallyport/shared/secret";
import { errors, type FlattenedJWSInput, type JWSHeaderParameters, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Identity } from "../../authn/identity.ts";
import type { VerificationKey } from "../../authn/oidc/keys.ts";
import type { ProviderFetch } from "../../authn/provider-fetch.ts";
import type { ExternalEvaluationSelector } from "../../config/policy-types.ts";

/** typ of the question's JWS header: it is no assertion, and no origin takes it for one (R-G3). */
export const QUESTION_TYPE = "sallyport-evaluation+jwt";
const QUESTION_LIFETIME_S = 60;
const NONCE_BYTES = 24;
const MAX_ANSWER_LENGTH = 16_384;
/** Never symmetric ones, never `none`. */
const ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"];
/** An answer is made for its question; clocks may differ by this much on top (R-F5). */
const MAX_ANSWER_AGE_S = 60;
const CLOCK_TOLERANCE_S = 60;
/** An answer counts until its `exp`, within these bounds: shorter would ask all the time, longer would revoke nothing. */
const MIN_COUNTS_MS = 60_000;
const MAX_COUNTS_MS = 300_000;
/** Evaluators that are kept connected; more than one configuration has. */
const MAX_CONNECTIONS = 1_000;

export interface Question {
  readonly evaluator: ExternalEvaluationSelector;
  readonly identity: Identity;
  readonly application: { readonly name: string; readonly aud: string };
}

export type EvaluatorAnswer =
  | { readonly kind: "verdict"; readonly success: boolean; readonly countsForMs: number }
  /** None, late, or not verified: all the same to a policy. */
  | { readonly kind: "none" };

/** The way to one evaluator. */
export interface EvaluatorConnection {
  readonly fetch: ProviderFetch;
  readonly keys: { find(uri: string, header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<VerificationKey> };
}

export interface EvaluatorsOptions {
  /** The authUrl. */
  readonly issuer: string;
  /** Its public part is in the relay's JWKS. */
  readonly keys: { signingKey(purpose: "assertion"): { readonly kid: string; readonly privateKey: KeyObject } };
  readonly clock: Clock;
  connect(evaluator: ExternalEvaluationSelector): EvaluatorConnection;
  /** Told when an evaluator fails after an answer or a start, and with undefined when it answers again. Never holds what it said. */
  onProblem(host: string, explanation: string | undefined): void;
}

/** An answer that breaks a rule; the message names the rule. */
class AnswerRefused extends Error {}

interface Known {
  readonly connection: EvaluatorConnection;
  failing: boolean;
}

export class Evaluators {
  readonly #options: EvaluatorsOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: EvaluatorsOptions) {
    this.#options = options;
  }

  /** Never rejects: whatever goes wrong is no answer. */
  async ask(question: Question): Promise<EvaluatorAnswer> {
    const { evaluator } = question;
    const known = this.#connection(evaluator);
    try {
      const answer = await this.#exchange(question, known.connection);
      this.#tell(evaluator, known, undefined);
      return answer;
    } catch (error) {
      this.#tell(evaluator, known, explain(error));
      return { kind: "none" };
    }
  }

  async #exchange({ evaluator, identity, application }: Question, { fetch, keys }: EvaluatorConnection): Promise<EvaluatorAnswer> {
    const nonce = randomBytes(NONCE_BYTES).toString("base64url");
    const token = await this.#sign(evaluator, nonce, {
      application: { name: application.name, url: application.aud },
      identity: describe(identity),
    });
    const response = await fetch(evaluator.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ token }),
    });
    if (response.status !== 200) throw new AnswerRefused(`it answered with status ${response.status}`);
    const payload = await this.#verify(readToken(await response.text()), evaluator, keys);
    return this.#read(payload, nonce);
  }

  #sign(evaluator: ExternalEvaluationSelector, nonce: string, claims: JWTPayload): Promise<string> {
    const { kid, privateKey } = this.#options.keys.signingKey("assertion");
    const nowS = Math.floor(this.#options.clock.now() / 1000);
    return new SignJWT({ ...claims, nonce })
      .setProtectedHeader({ alg: "ES256", typ: QUESTION_TYPE, kid })
      .setIssuer(this.#options.issuer)
      .setAudience(evaluator.url)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + QUESTION_LIFETIME_S)
      .sign(privateKey);
  }

  async #verify(token: string, { keysUrl }: ExternalEvaluationSelector, keys: EvaluatorConnection["keys"]): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, async (header, input) => await keys.find(keysUrl, header, input), {
      algorithms: ALGORITHMS,
      requiredClaims: ["iat", "exp", "nonce", "success"],
      maxTokenAge: MAX_ANSWER_AGE_S,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(this.#options.clock.now()),
    });
    return payload;
  }

  #read(payload: JWTPayload, nonce: string): EvaluatorAnswer {
    const { success, exp = 0, aud } = payload;
    if (typeof payload["nonce"] !== "string" || !equalInConstantTime(payload["nonce"], nonce))
      throw new AnswerRefused("its nonce is not that of the question");
    if (typeof success !== "boolean") throw new AnswerRefused("`success` is neither true nor false");
    if (aud !== undefined && ![aud].flat().includes(this.#options.issuer)) throw new AnswerRefused("it is for somebody else");
    const leftMs = exp * 1000 - this.#options.clock.now();
    return { kind: "verdict", success, countsForMs: Math.min(Math.max(leftMs, MIN_COUNTS_MS), MAX_COUNTS_MS) };
  }

  #connection(evaluator: ExternalEvaluationSelector): Known {
    const key = JSON.stringify([evaluator.url, evaluator.keysUrl, evaluator.allowPrivateNetwork === true]);
    let known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_CONNECTIONS) this.#known.clear();
    this.#known.set(key, (known = { connection: this.#options.connect(evaluator), failing: false }));
    return known;
  }

  /** Changes only: an evaluator that is down is one line, not one for each visitor. */
  #tell(evaluator: ExternalEvaluationSelector, known: Known, explanation: string | undefined): void {
    const failing = explanation !== undefined;
    if (known.failing === failing) return;
    known.failing = failing;
    this.#options.onProblem(new URL(evaluator.url).host, explanation);
  }
}

/** What the evaluator is told: who it is, as policies know them. Further claims stay here. */
function describe(identity: Identity): Record<string, unknown> {
  if (identity.kind === "service") return { kind: "service", id: identity.tokenId, name: identity.name };
  const { provider, subject, email, name, groups, authMethods } = identity;
  return { kind: "person", provider, subject, email, name, groups, authMethods };
}

function readToken(text: string): string {
  try {
    const { token } = JSON.parse(text) as { readonly token?: unknown };
    if (typeof token === "string" && token.length <= MAX_ANSWER_LENGTH) return token;
  } catch {
    // Said below.
  }
  throw new AnswerRefused("it is no JSON object with a token");
}

/** Fixed words only: nothing of what the evaluator sent reaches a log (R-M2). */
function explain(error: unknown): string {
  if (error instanceof AnswerRefused) return `the answer does not count: ${error.message}`;
  if (error instanceof errors.JOSEError) {
    const claim = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired ? ` (${error.claim})` : "";
    return `the answer does not verify: ${error.code}${claim}`;
  }
  return error instanceof SallyportError ? error.message : "its keys or its answer cannot be read";
}
