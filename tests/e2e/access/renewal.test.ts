// An hour of a single-page application in minutes: the wall clocks of the relay and of the provider are moved ahead, the
// browser polls and posts. Renewal is silent, and what the provider takes away ends access without a redirect (A4, R-F9).

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import type { Page } from "playwright-core";
import { navigations, signInTo, useAccessBed } from "../../harness/access-bed.ts";
import { eventually, scratchFolder } from "../../harness/scratch.ts";

const MINUTE_MS = 60_000;
/** R-F5 allows a minute; the rest is for what the sign-in itself takes. */
const SKEW_MS = 55_000;
const COOKIE = "__Host-Sallyport_Authorization";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const clockFile = join(scratchFolder(stack), "clock");
const realNow = Date.now;

/** Milliseconds by which the provider, and relay and connector, are ahead of the real time. */
function setClocks(aheadMs: number, ownMs = aheadMs): void {
  writeFileSync(clockFile, String(ownMs));
  vi.spyOn(Date, "now").mockImplementation(() => realNow() + aheadMs);
}
setClocks(0);
stack.defer(() => void vi.restoreAllMocks());

const bed = useAccessBed({
  nodeArgs: ["--import", pathToFileURL(join(import.meta.dirname, "shifted-clock.mjs")).href],
  env: { TEST_CLOCK_FILE: clockFile },
});

function ask(page: Page, method: "GET" | "POST"): Promise<string> {
  return page.evaluate<string>(
    `fetch("/api", { method: "${method}" }).then(({ status, redirected }) => status + (redirected ? " redirected" : ""))`,
  );
}

test.each([SKEW_MS, -SKEW_MS])("R-F5: a relay whose clock is %i ms ahead of the provider's signs people in", async (skewMs) => {
  setClocks(0, skewMs);
  await using context = await bed().browser.newContext();
  const page = await signInTo(bed(), context, bed().url("wiki", "/"), "ann");
  expect(await ask(page, "POST")).toBe("200");
  setClocks(0);
});

test("a page that polls and posts for more than an hour is renewed four times and never redirected", async () => {
  const { browser, idp, url } = bed();
  await using context = await browser.newContext();
  const page = await signInTo(bed(), context, url("wiki", "/app"), "bob");
  const visited = navigations(context);
  const refreshes = (): number => idp.requests.filter((request) => request === "POST /token").length;
  const tokens = new Set<string>();
  for (let quarter = 0; quarter <= 4; quarter++) {
    setClocks(quarter * 16 * MINUTE_MS);
    const before = refreshes();
    for (const method of ["GET", "POST", "GET"] as const) expect(await ask(page, method)).toBe("200");
    if (quarter > 0) await eventually(() => refreshes() === before + 1, { what: "the provider to be asked again, once" });
    for (const { name, value } of await context.cookies(url("wiki", "/"))) if (name === COOKIE) tokens.add(value);
  }
  expect(tokens.size).toBe(5);
  expect(visited).toEqual([]);
  // The old ones are no way past a logout, and the newest is as good as the first: the page loads.
  expect((await page.reload())?.status()).toBe(200);
  setClocks(0);
});

test("a group taken away at the provider ends access at the next renewal, without a redirect before or after it", async () => {
  const { browser, idp, url } = bed();
  await using context = await browser.newContext();
  const page = await signInTo(bed(), context, url("wiki", "/app"), "ann");
  const visited = navigations(context);
  const ann = idp.people.get("ann");
  idp.people.set("ann", { ...ann, sub: "ann", groups: [] });
  expect(await ask(page, "POST")).toBe("200");
  setClocks(11 * MINUTE_MS);
  const answers = new Set<string>();
  await eventually(
    async () => {
      const answer = await ask(page, "GET");
      answers.add(answer);
      return answer === "403";
    },
    { what: "access to end" },
  );
  expect([...answers].filter((answer) => answer !== "200")).toEqual(["403"]);
  expect(await ask(page, "POST")).toBe("403");
  expect(visited).toEqual([]);
  const denied = await page.reload();
  expect(denied?.status()).toBe(403);
  expect(await page.locator("body").innerText()).toContain("ERR_ACCESS_DENIED");
  if (ann !== undefined) idp.people.set("ann", ann);
  setClocks(0);
});
