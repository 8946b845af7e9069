// The ways out, in a real browser: of one application, of everything (A8, R-H4, R-I1).

import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import { signInTo, useAccessBed } from "../../harness/access-bed.ts";

const privatePage = (request: IncomingMessage, response: ServerResponse): void => {
  const caching = request.url?.endsWith("?no-store") === true ? { "cache-control": "no-store" } : {};
  response.writeHead(200, { "content-type": "text/html", ...caching }).end("<!doctype html><title>private</title>private");
};
const bed = useAccessBed({ origin: privatePage });

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

/** Ends everything in the tab where `application` is open, and waits until the browser has forgotten what it has to. */
async function leaveFrom(page: Page, button: RegExp): Promise<readonly string[]> {
  const forgotten: string[] = [];
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("requestfinished", (request) => {
    if (request.url().includes("/.sallyport/signed-out")) forgotten.push(new URL(request.url()).hostname);
  });
  await page.getByRole("button", { name: button }).click();
  await page.getByRole("heading", { name: /You are signed out|Sign in/ }).waitFor();
  await page.waitForLoadState("load");
  // The browser's own words, and no other: no image is missed, nothing is kept from loading.
  expect(said).toEqual(forgotten.map(() => expect.stringMatching(/^Clear-Site-Data header .* Cleared data types: "cache"\.$/) as unknown));
  return forgotten.toSorted();
}

test.each([
  ["logout of everything", "/logout", /^Sign out$/, ""],
  ["logout on all devices", "/logout", /^Sign out on all devices$/, ""],
  // Chromium keeps pages that say no-store as well: what counts is what the browser is told at the end.
  ["logout of everything, of a page that says no-store", "/logout", /^Sign out$/, "?no-store"],
])("Back after %s asks the relay, for each application that was open", async (_, path, button, query) => {
  const { browser, url, idp } = bed();
  await using context = await browser.newContext();
  const board = await signInTo(bed(), context, url("board", `/cards${query}`), "ann");
  const wiki = await context.newPage();
  await wiki.goto(url("wiki", `/secret${query}`));
  // From another origin's page Back would come from the browser's memory: this is what the test is about.
  await board.goto(url("auth", "/"));
  await wiki.goto(url("auth", path));
  expect(await leaveFrom(wiki, button)).toEqual([bed().relay.host("board"), bed().relay.host("wiki")].map((host) => host.split(":")[0]));
  await context.clearCookies({ domain: "localhost" });
  for (const page of [wiki, board]) {
    // The page of the form lies between.
    if (page === wiki) await page.goBack({ waitUntil: "commit" });
    await page.evaluate("void history.back()");
    await page.locator('input[name="login"]').waitFor();
    expect(new URL(page.url()).origin).toBe(idp.issuer);
  }
});

test("Back after a change of account shows nothing of the account before", async () => {
  const { browser, url, idp } = bed();
  await using context = await browser.newContext();
  const page = await signInTo(bed(), context, url("wiki", "/secret"), "ann");
  const denied = await page.goto(url("vault", "/"));
  expect(denied?.status()).toBe(403);
  await page.getByRole("link", { name: "Use another account" }).click();
  await leaveFrom(page, /^Use another account$/);
  await context.clearCookies({ domain: "localhost" });
  // Before the chooser: the form, the refusal, the page.
  await page.evaluate("void history.go(-3)");
  await page.locator('input[name="login"]').waitFor();
  expect(new URL(page.url()).origin).toBe(idp.issuer);
});
