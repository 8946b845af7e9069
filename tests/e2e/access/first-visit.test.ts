// Sign-in as people meet it: a real browser over TLS, a real OpenID Connect provider, and the built programs (A1, A3, R-F1).

import { describe, expect, test } from "vitest";
import { navigations, signInAtProvider, signInTo, useAccessBed } from "../../harness/access-bed.ts";
import { within } from "../../harness/scratch.ts";

const TABS = 20;
const DEEP = "/pages/caf%C3%A9?tab=2&tab=3&q=a%26b+c";

const bed = useAccessBed();

describe("a first visit", () => {
  test("A1: leads to the provider and back to the deep link with its query; cookies are for no script and no other host", async () => {
    await using context = await bed().browser.newContext();
    const visited = navigations(context);
    const page = await signInTo(bed(), context, bed().url("wiki", DEEP), "ann");
    expect(await page.title()).toBe(`origin ${bed().relay.host("wiki")}`);
    expect(await page.locator("#path").textContent()).toBe(DEEP);
    expect(visited.some((url) => url.startsWith(bed().idp.issuer))).toBe(true);
    // Nothing of the way stays behind where Back would lead to it, or in the address.
    expect(page.url()).toBe(bed().url("wiki", DEEP));
    expect(await page.evaluate<string>("document.cookie")).toBe("");
    const own = (await context.cookies()).filter(({ name }) => name.includes("Sallyport"));
    expect(own.map(({ name, domain }) => `${domain.split(".")[0]} ${name}`).toSorted()).toEqual([
      "auth __Host-Sallyport_Login",
      "auth __Host-Sallyport_Session",
      "wiki __Host-Sallyport_Authorization",
      "wiki __Host-Sallyport_Login",
    ]);
    for (const cookie of own) expect(cookie).toMatchObject({ httpOnly: true, secure: true, path: "/", sameSite: "Lax" });
  });

  test("A3: a second application opens without a second login", async () => {
    await using context = await bed().browser.newContext();
    const page = await signInTo(bed(), context, bed().url("wiki", "/"), "ann");
    const before = bed().idp.requests.length;
    await page.goto(bed().url("board", "/cards?id=7"));
    expect(page.url()).toBe(bed().url("board", "/cards?id=7"));
    expect(await page.title()).toBe(`origin ${bed().relay.host("board")}`);
    expect(bed().idp.requests.slice(before)).toEqual([]);
  });

  test("R-F1: twenty restored tabs without a session all end at their own page after one sign-in", async () => {
    await using context = await bed().browser.newContext();
    const addresses = Array.from({ length: TABS }, (_, index) => bed().url(index % 2 === 0 ? "wiki" : "board", `/tab/${index}?n=${index}`));
    const tabs = await Promise.all(addresses.map(() => context.newPage()));
    const startedAtMs = performance.now();
    await Promise.all(tabs.map((tab, index) => tab.goto(addresses[index] ?? "")));
    // Every tab waits at the provider, as they would be found in the morning. Somebody signs in in one of them.
    for (const tab of tabs) expect(new URL(tab.url()).origin).toBe(bed().idp.issuer);
    const [first] = tabs;
    await signInAtProvider(first!, "ann");
    await first!.waitForURL(addresses[0] ?? "");
    // The others go on when they are loaded again: the provider knows the person by now.
    await Promise.all(tabs.slice(1).map((tab, index) => tab.goto(addresses[index + 1] ?? "")));
    expect(tabs.map((tab) => tab.url())).toEqual(addresses);
    console.log(`${TABS} tabs at their pages after ${(performance.now() - startedAtMs).toFixed(0)} ms`);
  });

  test("R-F1: twenty tabs at once, of a browser that the provider knows, all end at their own page by themselves", async () => {
    await using context = await bed().browser.newContext();
    await (await signInTo(bed(), context, bed().url("wiki", "/"), "ann")).close();
    for (const name of ["wiki", "board", "auth"]) await context.clearCookies({ domain: `${name}.relay.localhost` });
    const addresses = Array.from({ length: TABS }, (_, index) => bed().url(index % 2 === 0 ? "wiki" : "board", `/tab/${index}?n=${index}`));
    const tabs = await Promise.all(addresses.map(() => context.newPage()));
    const startedAtMs = performance.now();
    await within(60_000, "twenty tabs", Promise.all(tabs.map((tab, index) => tab.goto(addresses[index] ?? ""))));
    await Promise.all(tabs.map((tab, index) => tab.waitForURL(addresses[index] ?? "", { timeout: 20_000 })));
    expect(await Promise.all(tabs.map((tab) => tab.title()))).toEqual(addresses.map((address) => `origin ${new URL(address).host}`));
    console.log(`${TABS} tabs at once at their pages after ${(performance.now() - startedAtMs).toFixed(0)} ms`);
  });
});
