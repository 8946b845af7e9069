// What somebody sees whom the policies do not let in, and the way on to another account (A17, R-M6).

import { expect, test } from "vitest";
import { signInAtProvider, signInTo, useAccessBed } from "../../harness/access-bed.ts";

const bed = useAccessBed();
const NAME = "Use another account";

test("a person without the right sees why and what to quote, and comes to the same page with another account", async () => {
  const { browser, relay, origin, url } = bed();
  await using context = await browser.newContext();
  const page = await signInTo(bed(), context, url("wiki", "/"), "ann");
  const reached: (string | undefined)[] = [];
  origin.server.on("request", ({ headers }) => reached.push(headers.host));

  const deep = url("vault", "/secrets?id=7");
  const refusal = await page.goto(deep);
  expect(refusal?.status()).toBe(403);
  const text = await page.locator("body").innerText();
  const requestId = await refusal?.headerValue("sallyport-request-id");
  expect(requestId).toMatch(/^\w/);
  for (const said of ["vault", "ann@example.com", "ERR_ACCESS_DENIED", requestId ?? ""]) expect(text).toContain(said);
  expect(text).toMatch(/reason\s+\S+/i);
  // Neither rules nor groups of others are told.
  expect(text).not.toMatch(/operators|engineers/);
  expect(reached).not.toContain(relay.host("vault"));
  const record = relay.records().find((one) => one["requestId"] === requestId);
  expect(record).toMatchObject({ decision: "deny", code: "ERR_ACCESS_DENIED" });

  await page.getByRole("link", { name: NAME }).click();
  await page.getByRole("button", { name: NAME }).click();
  await page.locator('a[href*="provider=corp"]').click();
  await signInAtProvider(page, "bob");
  await page.waitForURL(deep);
  expect(await page.title()).toBe(`origin ${relay.host("vault")}`);
  expect(JSON.parse(await page.evaluate<string>("fetch('/.sallyport/identity').then((answer) => answer.text())"))).toMatchObject({
    email: "bob@example.com",
  });
  // Ann is signed out, not kept beside Bob.
  expect(await relay.mustRun("session", "list")).not.toContain("ann@example.com");
});
