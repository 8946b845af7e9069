// An application in wrong hands, beside another one on the same site: what its pages and its origin can do to the neighbour in a
// real browser. Cookies tossed (R-H3, R-C8), a session planted (R-F6), WebSockets (CSWSH), fetches and forms in the visitor's
// name (R-H5): nothing of it signs anybody in or out, or reaches the neighbour's origin.

import type { RequestListener } from "node:http";
import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import { signInAtProvider, signInTo, useAccessBed } from "../../harness/access-bed.ts";

const NAMES = ["__Host-Sallyport_Authorization", "__Host-Sallyport_Session", "__Host-Sallyport_Login", "Sallyport_Authorization"];
const SPELLINGS = NAMES.flatMap((name) => [name, name.toLowerCase(), name.toUpperCase(), `${name}%20`]);

/** What got through to the neighbour's origin, and as whom. */
const reached: string[] = [];
const origin: RequestListener = (request, response) => {
  const host = request.headers.host?.split(".")[0] ?? "";
  if (host === "wiki" && request.url !== "/favicon.ico") reached.push(`${request.method} ${request.url}`);
  const fields = { "content-type": "text/html" };
  if (request.url !== "/toss") return void response.writeHead(200, fields).end(`<!doctype html><title>${host}</title>`);
  const cookies = NAMES.flatMap((name) => [`${name}=tossed; Domain=relay.localhost; Path=/; Secure`, `${name}=tossed; Path=/; Secure`]);
  response.writeHead(200, { ...fields, "set-cookie": cookies }).end("<!doctype html><title>tossed</title>");
};
const bed = useAccessBed({ origin });

async function hostilePage(victim: Page): Promise<Page> {
  const page = await victim.context().newPage();
  await page.goto(bed().url("board", "/toss"));
  expect(await page.title()).toBe("tossed");
  return page;
}

const statusOf = (page: Page, path: string): Promise<number> =>
  page.evaluate<number>(`fetch(${JSON.stringify(path)}, { headers: { accept: "application/json" } }).then((answer) => answer.status)`);

test("R-H3, R-C8: cookies that a sibling tosses sign nobody in or out", async () => {
  await using context = await bed().browser.newContext();
  const ann = await signInTo(bed(), context, bed().url("wiki", "/"), "ann");
  const before = (await context.cookies(bed().url("wiki", "/"))).map(({ name, value }) => `${name}=${value}`).toSorted();
  const board = await hostilePage(ann);
  await board.evaluate(
    `${JSON.stringify(SPELLINGS)}.forEach((name) => ["", "; Domain=relay.localhost"].forEach((where) =>
      ["/", "/.sallyport/", "/deep"].forEach((path) => { document.cookie = name + "=tossed; Secure; Path=" + path + where; })))`,
  );
  // Of the names that count the browser took none for any host but the page's own, where a session's name means nothing.
  const tossed = (await context.cookies()).filter(({ value, name }) => value === "tossed" && NAMES.slice(0, 3).includes(name));
  expect(tossed.filter(({ domain, name }) => domain !== "board.relay.localhost" || name !== "__Host-Sallyport_Session")).toEqual([]);
  expect(await statusOf(ann, "/mine")).toBe(200);
  expect((await ann.reload())?.status()).toBe(200);
  expect((await ann.goto(bed().url("wiki", "/deep/er")))?.status()).toBe(200);
  const after = (await context.cookies(bed().url("wiki", "/"))).filter(({ value }) => value !== "tossed");
  expect(after.map(({ name, value }) => `${name}=${value}`).toSorted()).toEqual(before);
  expect((await board.goto(bed().url("board", "/")))?.status()).toBe(200);
});

test("R-H5: a sibling's page opens no WebSocket, and makes no request, in the visitor's name", async () => {
  await using context = await bed().browser.newContext();
  const ann = await signInTo(bed(), context, bed().url("wiki", "/"), "ann");
  const board = await hostilePage(ann);
  reached.length = 0;
  bed().origin.server.on("upgrade", (request, socket) => {
    reached.push(`upgrade ${request.url}`);
    socket.destroy();
  });
  const wiki = bed().url("wiki", "");
  const closed = await board.evaluate<number>(
    `new Promise((resolve) => { new WebSocket(${JSON.stringify(wiki.replace("https", "wss"))} + "/socket").onclose = ({ code }) => resolve(code); })`,
  );
  expect(closed).toBe(1006);
  for (const init of ["{ credentials: 'include' }", "{ credentials: 'include', mode: 'no-cors' }"])
    for (const method of ["GET", "POST"])
      await board
        .evaluate(`fetch(${JSON.stringify(`${wiki}/transfer?by=${method}`)}, { ...${init}, method: "${method}" }).catch(() => undefined)`)
        .catch(() => undefined);
  const refused = board.waitForResponse((response) => response.url() === `${wiki}/transfer?by=form`);
  await board.evaluate(
    `(() => { const form = document.createElement("form"); form.method = "post"; form.action = ${JSON.stringify(`${wiki}/transfer?by=form`)};
      document.body.append(form); form.submit(); })()`,
  );
  expect((await refused).status()).toBe(403);
  await board.waitForURL(`${wiki}/transfer?by=form`);
  expect(reached).toEqual([]);
  // A link is a link: what is refused is what the visitor did not choose to open.
  await board.goto(bed().url("board", "/"));
  await board.evaluate(`location.href = ${JSON.stringify(`${wiki}/linked`)}`);
  await board.waitForURL(`${wiki}/linked`);
  expect(reached).toEqual(["GET /linked"]);
});

test("R-F6: a session that somebody planted in the browser is not the one that a sign-in ends with", async () => {
  await using attacker = await bed().browser.newContext();
  await using context = await bed().browser.newContext();
  await signInTo(bed(), attacker, bed().url("wiki", "/"), "bob");
  const sessionIn = async (from: typeof context): Promise<string | undefined> =>
    (await from.cookies(bed().url("auth", "/"))).find(({ name }) => name === "__Host-Sallyport_Session")?.value;
  const planted = (await sessionIn(attacker)) ?? "";
  expect(planted).toMatch(/^sss_/);
  const url = bed().url("auth", "/");
  await context.addCookies([{ name: "__Host-Sallyport_Session", value: planted, url, secure: true, httpOnly: true }]);
  // Ann sees whose session it is, and signs in as herself.
  const page = await context.newPage();
  await page.goto(bed().url("auth", "/login?again=1&provider=corp"));
  await signInAtProvider(page, "ann");
  await page.waitForURL(bed().url("auth", "/"));
  expect(await page.locator("body").innerText()).toContain("ann@example.com");
  expect(await sessionIn(context)).not.toBe(planted);
  // And the attacker's browser, which knew the planted one, is not Ann in it.
  const theirs = await attacker.newPage();
  await theirs.goto(bed().url("auth", "/"));
  expect(await theirs.locator("body").innerText()).not.toContain("ann@example.com");
});
