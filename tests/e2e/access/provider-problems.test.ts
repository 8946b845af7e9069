// The provider says no, or is away: a page that says so and offers to start again, never a loop and never half a sign-in
// (A1, A17, R-F2). In this order: the first test is the relay's first word with its provider.

import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import { signInAtProvider, signInTo, useAccessBed } from "../../harness/access-bed.ts";
import { eventually } from "../../harness/scratch.ts";

const bed = useAccessBed();
const AGAIN = { name: "Start again" };

async function expectProblem(page: Page, code: string): Promise<void> {
  expect(await page.locator("body").innerText()).toContain(code);
  expect(await page.getByRole("link", AGAIN).count()).toBe(1);
  const session = (await page.context().cookies()).filter(({ name }) => /_(?:Session|Authorization)$/.test(name));
  expect(session).toEqual([]);
}

test("a provider that is down: 503 with a page that leads on to where one wanted to go as soon as it is back", async () => {
  const { browser, idp, url } = bed();
  await using context = await browser.newContext();
  const page = await context.newPage();
  const deep = url("wiki", "/notes?a=1");
  idp.setReachable(false);
  const answer = await page.goto(deep);
  expect(answer?.status()).toBe(503);
  expect(await answer?.headerValue("retry-after")).toMatch(/^\d+$/);
  await expectProblem(page, "ERR_LOGIN_PROVIDER_DOWN");

  idp.setReachable(true);
  // A failure is not repeated at once, so that it may take some seconds.
  await eventually(
    async () => {
      await page.getByRole("link", AGAIN).click();
      return page.url().startsWith(idp.issuer);
    },
    { what: "the provider's page" },
  );
  await signInAtProvider(page, "ann");
  await page.waitForURL(deep);
});

test("a provider that goes away between its form and its answer: the same page, while who is signed in notices nothing", async () => {
  const { browser, idp, url } = bed();
  await using context = await browser.newContext();
  await using other = await browser.newContext();
  const working = await signInTo(bed(), other, url("wiki", "/"), "bob");
  const page = await context.newPage();
  const deep = url("wiki", "/notes?a=2");
  await page.goto(deep);
  idp.provider.once("authorization.success", () => idp.setReachable(false));
  const back = page.waitForResponse((response) => new URL(response.url()).pathname === "/callback/corp");
  await signInAtProvider(page, "ann");
  expect((await back).status()).toBe(503);
  await expectProblem(page, "ERR_LOGIN_PROVIDER_DOWN");
  expect((await working.reload())?.status()).toBe(200);
  expect((await working.goto(url("board", "/second")))?.status()).toBe(200);

  idp.setReachable(true);
  await page.getByRole("link", AGAIN).click();
  // The provider knows the person by now, and asks no more.
  await page.waitForURL(deep);
});

test("the person who says no at the provider is told so, and signs in by starting again", async () => {
  const { browser, idp, url } = bed();
  await using context = await browser.newContext();
  const page = await context.newPage();
  const deep = url("wiki", "/notes?a=3");
  await page.goto(deep);
  const back = page.waitForResponse((response) => new URL(response.url()).pathname === "/callback/corp");
  await page.goto(`${page.url()}/abort`);
  expect((await back).status()).toBe(403);
  await expectProblem(page, "ERR_LOGIN_REFUSED");

  await page.getByRole("link", AGAIN).click();
  await page.waitForURL(`${idp.issuer}/**`);
  await signInAtProvider(page, "ann");
  await page.waitForURL(deep);
});
