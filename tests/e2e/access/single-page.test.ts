// A single-page application whose session has ended under it: its scripts get 401 as JSON that they can read, with where to
// sign in, and never a redirect to follow (A14, R-H6, R-H7). Pages of an allowed origin read it too.

import { afterAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { navigations, signInTo, useAccessBed } from "../../harness/access-bed.ts";
import { startOrigin } from "../../harness/origin.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
/** Another site, whose pages may use `board` with its own logins. */
const friend = await startOrigin(stack, (_request, response) => void response.end("<!doctype html><title>friend</title>"));
const FRIEND_ORIGIN = `http://friend.localhost:${friend.port}`;
const bed = useAccessBed({ more: { board: { allowedOrigins: [FRIEND_ORIGIN] } } });

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly redirected: boolean;
  readonly body: { readonly error?: string; readonly login_url?: string; readonly request_id?: string };
}

function ask(page: Page, url: string, init: string): Promise<Answer> {
  return page.evaluate<Answer>(
    `fetch(${JSON.stringify(url)}, ${init}).then(async (answer) => ({ status: answer.status, type: answer.headers.get("content-type"),
      redirected: answer.redirected, body: await answer.json() }))`,
  );
}

test("POST and fetch after the session's end get 401 JSON with a place to sign in, which leads back", async () => {
  const { browser, relay, idp, url } = bed();
  await using context = await browser.newContext();
  const page = await signInTo(bed(), context, url("wiki", "/app"), "ann");
  await relay.mustRun("session", "revoke", "--email", "ann@example.com");
  const asked = idp.requests.length;
  const visited = navigations(context);
  let loginUrl = "";
  for (const init of ["{}", "{ method: 'POST', body: 'a=1' }", "{ method: 'DELETE' }", "{ headers: { accept: 'text/html' } }"]) {
    const answer = await ask(page, "/api/items?page=2", init);
    expect(answer).toMatchObject({ status: 401, redirected: false, body: { error: "ERR_LOGIN_REQUIRED" } });
    expect(answer.type).toMatch(/^application\/(?:problem\+)?json/);
    loginUrl = answer.body.login_url ?? "";
    expect(loginUrl.startsWith(`${relay.authUrl}/login?`)).toBe(true);
  }
  expect([visited, idp.requests.slice(asked)]).toEqual([[], []]);
  // What the application does with it.
  await page.goto(loginUrl);
  await page.waitForURL(url("wiki", "/"));
  expect((await ask(page, "/.sallyport/identity", "{}")).body).toMatchObject({ email: "ann@example.com" });
});

test("a page of an allowed origin can read the 401; of another application it cannot", async () => {
  const { browser, url } = bed();
  await using context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${FRIEND_ORIGIN}/`);
  const credentials = "{ credentials: 'include' }";
  const answer = await ask(page, url("board", "/api"), credentials);
  expect(answer).toMatchObject({ status: 401, redirected: false, body: { error: "ERR_LOGIN_REQUIRED" } });
  await expect(ask(page, url("wiki", "/api"), credentials)).rejects.toThrow("Failed to fetch");
});
