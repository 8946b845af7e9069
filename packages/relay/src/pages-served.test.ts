// Pages as a relay serves them: the stylesheet that they name is there, and what comes with them is what R-E5 asks for.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser, startTestRelay, TestIdp, type TestRelay } from "./test-support.ts";

describe("on the auth host", () => {
  let relay: TestRelay;
  const browser = new Browser();
  beforeAll(async () => {
    relay = await startTestRelay([new TestIdp("corp"), new TestIdp("other")]);
  });
  afterAll(async () => await relay[Symbol.asyncDispose]());

  it("the sign-in page may not be kept, framed, scripted or told of elsewhere (R-E5)", async () => {
    const page = await browser.go(`${relay.url("auth")}login`);
    expect(page.status).toBe(200);
    expect(page.headers["content-security-policy"]).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(page.headers["cache-control"]).toBe("no-store");
    expect(page.headers["referrer-policy"]).toBe("no-referrer");
    expect(page.headers["x-frame-options"]).toBe("DENY");
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
  });

  it("the files that it names are there, and may be kept for ever; other names are not", async () => {
    const page = await browser.go(`${relay.url("auth")}login`);
    const paths = [...page.body.matchAll(/<link rel="[a-z]+" href="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(paths).toHaveLength(2);
    for (const path of paths) {
      const file = await browser.go(new URL(path, relay.url("auth")).href);
      expect([file.status, file.headers["cache-control"]]).toEqual([200, "public, max-age=31536000, immutable"]);
      expect(file.headers["content-type"]).toMatch(path.endsWith(".css") ? /^text\/css/ : /^image\/svg\+xml$/);
      expect(file.headers["x-content-type-options"]).toBe("nosniff");
      expect(file.headers["set-cookie"]).toBeUndefined();
      const other = path.replace(/[0-9a-f]{16}/, "0".repeat(16));
      expect((await browser.go(new URL(other, relay.url("auth")).href)).status).toBe(404);
    }
  });

  it("refusals there link to the stylesheet too; elsewhere they carry their own", async () => {
    const here = await browser.go(`${relay.url("auth")}login?request=forged`);
    expect(here.headers["sallyport-error"]).toBe("ERR_LOGIN_STATE");
    expect(here.body).toContain('<link rel="stylesheet"');
    expect(here.body).toContain("Start again");
    const elsewhere = await browser.go(relay.url("notes", "/.sallyport/none"), { headers: { accept: "text/html" } });
    expect(elsewhere.body).toContain("<style>");
    expect(elsewhere.headers["content-security-policy"]).toMatch(/style-src 'sha256-/);
  });
});
