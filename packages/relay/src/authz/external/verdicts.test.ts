import { ManualClock } from "@sallyport/shared/clock";
import { describe, expect, it } from "vitest";
import type { Identity } from "../../authn/identity.ts";
import { compileApplications } from "../compile.ts";
import { evaluate } from "../evaluate.ts";
import { facts, person, policy } from "../testing.ts";
import type { EvaluatorAnswer, Question } from "./evaluator.ts";
import { type EvaluatedApplication, Verdicts } from "./verdicts.ts";

const URL_A = "https://a.example.com/ask";
const asking = (url = URL_A) => ({ externalEvaluation: { url, keysUrl: `${url}/keys` } });

function applicationAsking(name = "app"): EvaluatedApplication {
  const group = { name: "asked", include: [asking()] };
  const policies = [policy("p", "allow", { include: [{ identityGroup: "eng" }], require: [{ group: "asked" }] })];
  const compiled = compileApplications({ groups: [group], policies, applications: [{ name, policies: ["p"] }] }).get(name);
  if (compiled === undefined) throw new Error("not compiled");
  return { name, aud: `https://${name}.example.com`, policies: compiled };
}

/** An evaluator whose answers the test gives. */
class Evaluator {
  readonly questions: Question[] = [];
  readonly #waiting: ((answer: EvaluatorAnswer) => void)[] = [];
  readonly ask = (question: Question): Promise<EvaluatorAnswer> => {
    this.questions.push(question);
    return new Promise((resolve) => this.#waiting.push(resolve));
  };

  answer(success: boolean | undefined, countsForMs = 60_000): void {
    const answer: EvaluatorAnswer = success === undefined ? { kind: "none" } : { kind: "verdict", success, countsForMs };
    for (const resolve of this.#waiting.splice(0)) resolve(answer);
  }
}

function bench(): {
  readonly clock: ManualClock;
  readonly evaluator: Evaluator;
  readonly verdicts: Verdicts;
  /** Decides as the pipeline does: what is missing is asked for once, and answered by `success`. */
  decide(application: EvaluatedApplication, identity: Identity, success?: boolean): Promise<string>;
} {
  const clock = new ManualClock();
  const evaluator = new Evaluator();
  const verdicts = new Verdicts({ clock, ask: evaluator.ask });
  const decide = async (application: EvaluatedApplication, identity: Identity, success?: boolean): Promise<string> => {
    const look = verdicts.look(application, identity);
    const once = (): string => evaluate(application.policies, facts({ identity, external: look?.lookup ?? (() => undefined) })).outcome;
    const before = once();
    if (look === undefined || look.missing.size === 0) return before;
    const settled = verdicts.settle(look);
    evaluator.answer(success);
    await settled;
    return once();
  };
  return { clock, evaluator, verdicts, decide };
}

describe("what evaluators said", () => {
  const app = applicationAsking();
  const ann = person();

  it("is asked at first use, and counts as long as the answer says", async () => {
    const { clock, evaluator, decide } = bench();
    expect(await decide(app, ann, true)).toBe("allow");
    expect(evaluator.questions).toMatchObject([{ evaluator: { url: URL_A }, identity: ann, application: { name: "app" } }]);
    clock.advance(29_999);
    expect(await decide(app, ann)).toBe("allow");
    expect(evaluator.questions).toHaveLength(1);
    clock.advance(30_001);
    expect(await decide(app, ann, false)).toBe("deny");
    expect(evaluator.questions).toHaveLength(2);
  });

  it("is asked again in the background from half of that time on, once", async () => {
    const { clock, evaluator, decide } = bench();
    await decide(app, ann, true);
    clock.advance(30_000);
    expect([await decide(app, ann), await decide(app, ann)]).toEqual(["allow", "allow"]);
    expect(evaluator.questions).toHaveLength(2);
    evaluator.answer(false);
    await Promise.resolve();
    await Promise.resolve();
    expect(await decide(app, ann)).toBe("deny");
  });

  it("is unknown without an answer, and the evaluator is left alone for a while", async () => {
    const { clock, evaluator, decide } = bench();
    expect(await decide(app, ann, undefined)).toBe("deny");
    expect(await decide(app, ann, true)).toBe("deny");
    expect(evaluator.questions).toHaveLength(1);
    clock.advance(10_000);
    expect(await decide(app, ann, true)).toBe("allow");
  });

  it("counts to its end while there is no new answer, and not longer", async () => {
    const { clock, evaluator, decide } = bench();
    await decide(app, ann, true);
    clock.advance(50_000);
    expect(await decide(app, ann)).toBe("allow");
    evaluator.answer(undefined);
    await Promise.resolve();
    clock.advance(9_999);
    expect(await decide(app, ann)).toBe("allow");
    clock.advance(1);
    expect(await decide(app, ann, undefined)).toBe("deny");
  });

  it("is asked for in one question by all who wait", async () => {
    const { evaluator, verdicts } = bench();
    const looks = [1, 2, 3].map(() => verdicts.look(app, ann));
    const settled = looks.map((look) => {
      look?.lookup(URL_A);
      return look === undefined ? Promise.reject(new Error("nothing is asked")) : verdicts.settle(look);
    });
    expect(evaluator.questions).toHaveLength(1);
    evaluator.answer(true);
    await Promise.all(settled);
    expect(looks.map((look) => look?.lookup(URL_A))).toEqual([true, true, true]);
  });

  it("belongs to one identity as it is, and to one application", async () => {
    const { evaluator, decide } = bench();
    await decide(app, ann, true);
    expect(await decide(app, person(), false)).toBe("deny");
    expect(await decide(applicationAsking("other"), ann, false)).toBe("deny");
    expect(evaluator.questions).toHaveLength(3);
    expect(await decide(app, ann)).toBe("allow");
  });

  it("is asked about nobody whom the other selectors keep out anyway, and about no stranger", async () => {
    const { evaluator, verdicts, decide } = bench();
    expect(await decide(app, person({ groups: [] }))).toBe("deny");
    expect(verdicts.look(app, undefined)).toBeUndefined();
    expect(evaluator.questions).toEqual([]);
  });

  it("is pending at sign-in as long as nobody asked, and asks nobody there", async () => {
    const { evaluator, verdicts, decide } = bench();
    expect(verdicts.sofar(app, ann)(URL_A)).toBe("pending");
    expect(evaluator.questions).toEqual([]);
    await decide(app, ann, false);
    expect(verdicts.sofar(app, ann)(URL_A)).toBe(false);
  });

  it("is not asked by more than 256 questions at a time", async () => {
    const { evaluator, verdicts } = bench();
    const looks = Array.from({ length: 300 }, () => verdicts.look(app, person()));
    const settled = looks.map(async (look) => {
      look?.lookup(URL_A);
      if (look !== undefined) await verdicts.settle(look);
    });
    expect(evaluator.questions).toHaveLength(256);
    evaluator.answer(true);
    await Promise.all(settled);
    expect(looks.filter((look) => look?.lookup(URL_A) === true)).toHaveLength(256);
  });
});
