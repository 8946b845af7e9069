// The ways out, in a real browser: of one application, of everything (A8, R-H4, R-I1).

import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import { signInTo, useAccessBed } from "../../harness/access-bed.ts";

const bed = useAccessBed();

function statusOf(page: Page): Promise<number> {
  return page.evaluate<number>("fetch('/poll', { headers: { accept: 'application/json' } }).then((answer) => answer.status)");
}

test("of one application: it asks again, the other one goes on", async () => {
  const { browser, url } = bed();
  await using context = await browser.newContext();
  const wiki = await signInTo(bed(), context, url("wiki", "/"), "ann");
  const board = await context.newPage();
  await board.goto(url("board", "/"));
  const left = await context.newPage();
  await left.goto(url("wiki", "/.sallyport/logout"));
  // The address alone ends nothing.
  expect(await statusOf(wiki)).toBe(200);
  await left.locator('form button[type="submit"], form button').first().click();
  await left.getByRole("heading", { name: "You are signed out" }).waitFor();
  expect(await statusOf(wiki)).toBe(401);
  expect(await statusOf(board)).toBe(200);
  const names = (await context.cookies(url("wiki", "/"))).map(({ name }) => name);
  expect(names).not.toContain("__Host-Sallyport_Authorization");
});

test("of everything: every application in this browser, at once, nobody else, and not another browser of the same person", async () => {
  const { browser, url } = bed();
  await using context = await browser.newContext();
  await using elsewhere = await browser.newContext();
  const wiki = await signInTo(bed(), context, url("wiki", "/"), "ann");
  const otherDevice = await signInTo(bed(), elsewhere, url("wiki", "/"), "ann");
  const board = await context.newPage();
  await board.goto(url("board", "/"));
  const out = await context.newPage();
  await out.goto(url("auth", "/logout"));
  await out.locator('button[value="session"]').click();
  await out.getByRole("heading", { name: "You are signed out" }).waitFor();
  expect(await Promise.all([wiki, board].map(statusOf))).toEqual([401, 401]);
  expect(await statusOf(otherDevice)).toBe(200);

  await otherDevice.goto(url("auth", "/logout"));
  await otherDevice.locator('button[value="everywhere"]').click();
  await otherDevice.getByRole("heading", { name: "You are signed out" }).waitFor();
  expect(await bed().relay.mustRun("session", "list")).toBe("Nobody is signed in.\n");
});

test("Back after logout of an application asks the relay instead of showing what the browser kept", async () => {
  const { browser, url } = bed();
  await using context = await browser.newContext();
  const page = await signInTo(bed(), context, url("wiki", "/secret"), "ann");
  await page.goto(url("wiki", "/.sallyport/logout"));
  await page.locator("form button").first().click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  // Everything ends in another tab, so that coming back ends at the provider, which asks for a name.
  const out = await context.newPage();
  await out.goto(url("auth", "/logout"));
  await out.locator('button[value="session"]').click();
  await out.getByRole("heading", { name: "You are signed out" }).waitFor();
  await context.clearCookies({ domain: "localhost" });
  // The page of the form, then the page of the application.
  await page.goBack({ waitUntil: "commit" });
  await page.evaluate("void history.back()");
  await page.locator('input[name="login"]').waitFor();
  expect(new URL(page.url()).origin).toBe(bed().idp.issuer);
});
