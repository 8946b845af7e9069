// Runs in every worker of the conformance, end-to-end and fault tests: what the programs of a test file said is searched for
// every secret they were given (R-M2).

import { afterAll, expect } from "vitest";
import { canaries } from "./canary.ts";

// Registered before the hooks of the test file, so that it runs after them: the programs have ended then.
afterAll(() => {
  canaries.search();
  expect(canaries.takeLeaks(), "a secret was found where none may be (R-M2)\n").toEqual([]);
});
