// Sign-in over real sockets: browser, relay and providers, from the first navigation to the last logout. Every requirement
// that a test is about stands in its title.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Browser, callbackOf, locationOf, startTestRelay, TestIdp, TestPins, type Page, type TestRelay } from "./test-support.ts";

const LET_IN = 503;

describe("with one provider that the browser is sent to", () => {
  const idp = new TestIdp("corp");
  let relay: TestRelay;
  let browser: Browser;

  beforeEach(async () => {
    relay = await startTestRelay([idp]);
    browser = new Browser();
    idp.down = false;
    idp.result = undefined;
    idp.finished.length = 0;
  });
  afterEach(async () => await relay[Symbol.asyncDispose]());

  const signIn = async (url: string, person = "ann", from = browser): Promise<Page> => {
    const page = await from.go(url);
    return await from.go(callbackOf(locationOf(page), person));
  };

  it("a deep link comes back byte for byte after sign-in, and the session is used for it (A1)", async () => {
    const deep = relay.url("notes", "/a%20b/c;v=1?q=%2Fx&y=//z");
    const page = await signIn(deep);
    expect(page.url).toBe(deep);
    expect(page.status).toBe(LET_IN);
    expect(browser.cookie("notes", "Sallyport_Authorization")).toMatch(/^eyJ/);
    expect(browser.cookie("auth", "Sallyport_Session")).toMatch(/^sss_/);
    expect((await browser.go(deep)).url).toBe(deep);
  });

  it("a reload sends the next visitor to the providers that it brings (R-N4)", async () => {
    const other = new TestIdp("other");
    await relay.replaceProviders([other]);
    const page = await browser.go(relay.url("notes"));
    expect(locationOf(page)).toContain("other");
    expect(locationOf(page)).not.toContain("corp");
  });

  it("a second application needs no second login", async () => {
    await signIn(relay.url("notes"));
    const before = idp.finished.length;
    const page = await browser.go(relay.url("wiki", "/x?y"));
    expect([page.url, page.status]).toEqual([relay.url("wiki", "/x?y"), LET_IN]);
    expect(idp.finished.length).toBe(before);
  });

  it("programs get 401 JSON with login_url, which leads a browser into the application (A14, R-H7)", async () => {
    const program = await browser.go(relay.url("notes", "/api"), {
      headers: { accept: "application/json", "sec-fetch-mode": "cors" },
      follow: false,
    });
    expect(program.status).toBe(401);
    const { login_url: loginUrl } = JSON.parse(program.body) as { login_url: string };
    expect(loginUrl).toBe(`${relay.url("auth")}login?to=${encodeURIComponent(relay.url("notes"))}`);
    const page = await signIn(loginUrl);
    expect([page.url, page.status]).toEqual([relay.url("notes"), LET_IN]);
  });

  it("somebody whom no policy lets in is told so, with who they are, and can use another account (A17, R-M6)", async () => {
    const denied = await signIn(relay.url("bobs", "/x"));
    expect([denied.status, denied.headers["sallyport-error"]]).toEqual([403, "ERR_ACCESS_DENIED"]);
    expect(denied.body).toContain("ann@example.com");
    expect(denied.body).not.toMatch(/bob@|bob-only/);
    const another = /href="(http:\/\/auth[^"]+)"/.exec(denied.body)?.[1]?.replaceAll("&amp;", "&");
    const confirm = await browser.go(another as string);
    const chooser = await browser.submit(confirm, { scope: "session" });
    expect(browser.cookie("auth", "Sallyport_Session")).toBeUndefined();
    const link = /href="(\/login[^"]+)"/.exec(chooser.body)?.[1]?.replaceAll("&amp;", "&");
    const authorize = await browser.go(new URL(link as string, chooser.url).href);
    expect(new URL(locationOf(authorize) as string).searchParams.get("prompt")).toBe("login");
    const page = await browser.go(callbackOf(locationOf(authorize), "bob"));
    expect([page.url, page.status]).toEqual([relay.url("bobs", "/x"), LET_IN]);
  });

  it("twenty restored tabs without any cookie all end up signed in, by themselves (R-F1)", async () => {
    const urls = Array.from({ length: 20 }, (_, n) => relay.url("notes", `/tab/${n}`));
    // All are sent away before any of them has a cookie; the last cookie set is the one that stays.
    const sent = await Promise.all(urls.map((url) => new Browser().go(url, { follow: false })));
    const jar = new Map<string, string>();
    browser.jars.set("notes.relay.localhost", jar);
    for (const page of sent) jar.set("Sallyport_Login", cookieOf(page, "Sallyport_Login"));
    const authorizes = await Promise.all(sent.map((page) => new Browser().go(locationOf(page) as string, { follow: false })));
    const authJar = new Map<string, string>();
    browser.jars.set("auth.relay.localhost", authJar);
    for (const page of authorizes) authJar.set("Sallyport_Login", cookieOf(page, "Sallyport_Login"));
    for (const [n, authorize] of authorizes.entries()) {
      let page = await browser.go(callbackOf(locationOf(authorize), "ann"));
      // The provider has a session of its own by now, and answers at once.
      if (locationOf(page)?.startsWith("https://corp.idp") === true) page = await browser.go(callbackOf(locationOf(page), "ann"));
      expect([page.url, page.status]).toEqual([urls[n], LET_IN]);
    }
    expect(idp.finished.length).toBe(1);
  });

  it("the session changes at login, and the one before is over (R-F6, fixation)", async () => {
    await signIn(relay.url("notes"));
    const [before, token] = [browser.cookie("auth", "Sallyport_Session"), browser.cookie("notes", "Sallyport_Authorization")];
    const login = `${relay.url("auth")}login?again=1&provider=corp&to=${encodeURIComponent(relay.url("notes"))}`;
    const page = await signIn(login, "bob");
    expect(page.status).toBe(LET_IN);
    expect(browser.cookie("auth", "Sallyport_Session")).not.toBe(before);
    const old = new Browser();
    old.jars.set("notes.relay.localhost", new Map([["Sallyport_Authorization", token as string]]));
    old.jars.set("auth.relay.localhost", new Map([["Sallyport_Session", before as string]]));
    expect(locationOf(await old.go(relay.url("notes")))).toMatch(/^https:\/\/corp\.idp\.example/);
  });

  it("a session that a victim was given by somebody else is not kept through a login (R-F6)", async () => {
    browser.jars.set("auth.relay.localhost", new Map([["Sallyport_Session", "sss_planted"]]));
    await signIn(relay.url("notes"));
    expect(browser.cookie("auth", "Sallyport_Session")).not.toBe("sss_planted");
  });

  describe("callbacks that are refused (R-F1, R-F2)", () => {
    const refused = (page: Page): void => {
      expect([page.status, page.headers["sallyport-error"]]).toEqual([400, "ERR_LOGIN_STATE"]);
      expect(page.body).toContain("Start the sign-in again");
      expect(browser.cookie("auth", "Sallyport_Session")).toBeUndefined();
    };
    const callback = (): string => `${relay.url("auth")}callback/corp`;

    it("without state, with an invented one, or with a login request in its place", async () => {
      const request = new URL(locationOf(await browser.go(relay.url("notes"), { follow: false })) as string).searchParams.get("request");
      for (const state of ["", "&state=", "&state=abc", `&state=${request}`])
        refused(await browser.go(`${callback()}?code=ann${state}`, { follow: false }));
      expect(idp.finished).toEqual([]);
    });

    it("an attacker's callback in a victim's browser: nobody is signed in (login CSRF, R-F6)", async () => {
      const attacker = new Browser();
      const link = callbackOf(locationOf(await attacker.go(relay.url("notes"))), "mallory");
      refused(await browser.go(link, { follow: false }));
      // Also where the victim has a sign-in under way: it begins again as the victim's own.
      await browser.go(relay.url("notes"));
      const page = await browser.go(link, { follow: false });
      refused(page);
      expect(locationOf(page)).toMatch(new RegExp(`^${relay.url("auth")}login\\?request=`));
      expect(idp.finished).toEqual([]);
    });

    it("the same callback twice", async () => {
      const url = callbackOf(locationOf(await browser.go(relay.url("notes"))), "ann");
      await browser.go(url);
      browser.jars.get("auth.relay.localhost")?.delete("Sallyport_Session");
      refused(await browser.go(url, { follow: false }));
      expect(idp.finished.length).toBe(1);
    });

    it("code and error together, neither, or anything twice", async () => {
      const state = new URL(locationOf(await browser.go(relay.url("notes"))) as string).searchParams.get("state");
      for (const query of ["code=a&error=b", "", "code=a&code=b", "code=a&iss=x&iss=y", `code=a&state=${state}`]) {
        refused(await browser.go(`${callback()}?state=${state}&${query}`, { follow: false }));
      }
      expect(idp.finished).toEqual([]);
    });

    it("by HEAD, as link checkers and previews ask: nothing is used up, and the browser that comes next is let in", async () => {
      const url = callbackOf(locationOf(await browser.go(relay.url("notes", "/x"))), "ann");
      const atProvider = await browser.go(url, { method: "HEAD", follow: false });
      expect([atProvider.status, atProvider.headers.allow, idp.finished]).toEqual([405, "GET", []]);
      const handover = locationOf(await browser.go(url, { follow: false })) as string;
      expect((await browser.go(handover, { method: "HEAD", follow: false })).status).toBe(405);
      expect(await browser.go(handover)).toMatchObject({ url: relay.url("notes", "/x"), status: LET_IN });
    });

    it("by POST", async () => {
      expect((await browser.go(`${callback()}?code=a&state=b`, { method: "POST", form: { code: "a" } })).status).toBe(405);
    });
  });

  it("with a session that lives, an odd callback leads straight to the application (R-F1)", async () => {
    const first = await browser.go(relay.url("notes", "/x"));
    const second = await browser.go(relay.url("wiki", "/y"));
    await browser.go(callbackOf(locationOf(first), "ann"));
    const page = await browser.go(callbackOf(locationOf(second), "ann"));
    expect([page.url, page.status]).toEqual([relay.url("wiki", "/y"), LET_IN]);
    expect(idp.finished.length).toBe(1);
  });

  it("what the provider says about a failure is shown, escaped (R-E5), and nobody is signed in", async () => {
    const url = callbackOf(locationOf(await browser.go(relay.url("notes"))), "x");
    const failing = new URL(url);
    failing.searchParams.delete("code");
    failing.searchParams.set("error", "access_denied");
    failing.searchParams.set("error_description", "<script>alert(1)</script>");
    const page = await browser.go(failing.href);
    expect([page.status, page.headers["sallyport-error"]]).toEqual([403, "ERR_LOGIN_REFUSED"]);
    expect(page.body).toContain("&lt;script&gt;");
    expect(page.body).not.toContain("<script");
    expect(browser.cookie("auth", "Sallyport_Session")).toBeUndefined();
  });

  it("a provider that cannot be reached is named as the reason", async () => {
    idp.down = true;
    const page = await browser.go(relay.url("notes"));
    expect([page.status, page.headers["sallyport-error"]]).toEqual([503, "ERR_LOGIN_PROVIDER_DOWN"]);
  });

  it("hand-over codes are good once, in one browser (R-H2)", async () => {
    const url = callbackOf(locationOf(await browser.go(relay.url("notes", "/x"))), "ann");
    const handover = locationOf(await browser.go(url, { follow: false })) as string;
    expect(handover).toMatch(new RegExp(`^${relay.url("notes")}\\.sallyport/callback\\?code=[\\w-]{43}$`));
    const stranger = await new Browser().go(handover, { follow: false });
    expect([stranger.status, stranger.headers["set-cookie"]]).toEqual([400, undefined]);
    expect((await browser.go(handover, { follow: false })).status).toBe(400);
    expect(browser.cookie("notes", "Sallyport_Authorization")).toBeUndefined();
  });

  it("a browser that loses the application cookie each time is stopped at the fourth round (R-F1)", async () => {
    await signIn(relay.url("notes", "/x"));
    const statuses: number[] = [];
    for (let round = 0; round < 3; round++) {
      browser.jars.get("notes.relay.localhost")?.delete("Sallyport_Authorization");
      const page = await browser.go(relay.url("notes", "/x"));
      statuses.push(page.status);
      if (page.status === 400) expect(page.headers["sallyport-error"]).toBe("ERR_LOGIN_LOOP");
    }
    expect(statuses).toEqual([LET_IN, LET_IN, 400]);
    browser.jars.get("notes.relay.localhost")?.delete("Sallyport_Authorization");
    expect((await browser.go(relay.url("notes", "/other"))).status).toBe(LET_IN);
  });

  it("pages that cannot be come back to lead to the application's first page (R-E2)", async () => {
    for (const path of [`/${"x".repeat(1_600)}`, "/a?q=\u00ff", `/a?${'"'.repeat(1_000)}`]) {
      const page = await signIn(`${relay.url("notes").slice(0, -1)}${path}`, "ann", new Browser());
      expect(new URL(page.url).origin + "/", path).toBe(relay.url("notes"));
    }
    const long = new Browser();
    expect((await signIn(relay.url("notes", `/${"x".repeat(1_600)}`), "ann", long)).url).toBe(relay.url("notes"));
    const longest = relay.url("notes", `/${"x".repeat(1_599)}`);
    expect((await signIn(longest, "ann", new Browser())).url).toBe(longest);
  });

  it("a navigation by POST comes back as GET, its body is not kept (R-H7)", async () => {
    const page = await browser.go(relay.url("notes", "/form"), { method: "POST", form: { a: "b" }, follow: false });
    expect(page.status).toBe(303);
  });

  describe("logout", () => {
    it("shows a form on GET and ends nothing; the form ends the session and every token of it (A8, R-I1, R-H4)", async () => {
      await signIn(relay.url("notes"));
      const token = browser.cookie("notes", "Sallyport_Authorization") as string;
      const form = await browser.go(relay.url("auth", "/logout"));
      expect([form.status, browser.cookie("auth", "Sallyport_Session")?.slice(0, 4)]).toEqual([200, "sss_"]);
      expect((await browser.go(relay.url("notes"))).status).toBe(LET_IN);
      const done = await browser.submit(form, { scope: "session" });
      expect(done.body).toContain("You are signed out");
      expect(browser.cookie("auth", "Sallyport_Session")).toBeUndefined();
      expect(browser.cookie("notes", "Sallyport_Authorization")).toBe(token);
      expect(locationOf(await browser.go(relay.url("notes")))).toMatch(/^https:\/\/corp\.idp/);
      expect(idp.revoked).toContain("refresh-ann");
    });

    it("everywhere ends the person's other sessions too, and nobody else's", async () => {
      const [phone, bob] = [new Browser(), new Browser()];
      await signIn(relay.url("notes"));
      await signIn(relay.url("notes"), "ann", phone);
      await signIn(relay.url("notes"), "bob", bob);
      await browser.submit(await browser.go(relay.url("auth", "/logout")), { scope: "everywhere" });
      expect(locationOf(await phone.go(relay.url("notes")))).toMatch(/^https:\/\/corp\.idp/);
      expect((await bob.go(relay.url("notes"))).status).toBe(LET_IN);
    });

    it("needs the form of this session from this site (R-H4)", async () => {
      await signIn(relay.url("notes"));
      const form = await browser.go(relay.url("auth", "/logout"));
      const other = new Browser();
      await signIn(relay.url("notes"), "bob", other);
      const attempts = [
        await browser.submit(form, { token: "" }),
        await browser.submit(form, { scope: "session" }, { headers: { "sec-fetch-site": "cross-site", origin: "https://evil.example" } }),
        await browser.submit(form, { scope: "session" }, { headers: { "sec-fetch-site": "same-site" } }),
        await other.submit(form, { scope: "session" }),
      ];
      for (const page of attempts) expect([page.status, page.headers["sallyport-error"]]).toEqual([403, "ERR_LOGIN_FORM"]);
      const json = await browser.go(relay.url("auth", "/logout"), {
        method: "POST",
        form: {},
        headers: { "content-type": "application/json" },
      });
      expect(json.status).toBe(415);
      expect((await browser.go(relay.url("notes"))).status).toBe(LET_IN);
    });

    it("of one application ends its token, and leaves the others and the session alone (A8)", async () => {
      await signIn(relay.url("notes"));
      await browser.go(relay.url("wiki"));
      const stolen = new Browser();
      stolen.jars.set("notes.relay.localhost", new Map(browser.jars.get("notes.relay.localhost")));
      const form = await browser.go(relay.url("notes", "/.sallyport/logout"));
      expect((await stolen.go(relay.url("notes"))).status).toBe(LET_IN);
      const foreign = await browser.submit(
        form,
        {},
        { headers: { "sec-fetch-site": "same-site", origin: relay.url("wiki").slice(0, -1) } },
      );
      expect([foreign.status, foreign.headers["sallyport-error"]]).toEqual([403, "ERR_LOGIN_FORM"]);
      const done = await browser.submit(form, {});
      expect(done.body).toContain("You are signed out");
      expect(browser.cookie("notes", "Sallyport_Authorization")).toBeUndefined();
      expect(locationOf(await stolen.go(relay.url("notes"), { follow: false }))).toMatch(/^http:\/\/auth/);
      expect((await browser.go(relay.url("wiki"))).status).toBe(LET_IN);
      // The session of this browser still opens it, in the same second too.
      expect((await browser.go(relay.url("notes", "/again"))).status).toBe(LET_IN);
      expect((await browser.go(relay.url("notes", "/again"), { follow: false })).status).toBe(LET_IN);
    });

    it("of everything has the browser forget the pages of each application that was open, and of no other (A8)", async () => {
      await signIn(relay.url("notes"));
      await browser.go(relay.url("wiki"));
      const form = await browser.go(relay.url("auth", "/logout"));
      const asked = (page: Page): readonly string[] => [...page.body.matchAll(/<img src="(http[^"]+)"/g)].map(([, url]) => url as string);
      expect(asked(form)).toEqual([]);
      const done = await browser.submit(form, { scope: "session" });
      const urls = ["notes", "wiki"].map((name) => relay.url(name, "/.sallyport/signed-out?path=%2F"));
      expect(asked(done)).toEqual(urls);
      expect(done.headers["content-security-policy"]).toContain(
        `; img-src 'self' ${relay.url("notes").slice(0, -1)} ${relay.url("wiki").slice(0, -1)};`,
      );
      for (const url of urls) {
        const answer = await browser.go(url);
        expect([answer.status, answer.headers["clear-site-data"], answer.headers["set-cookie"]]).toEqual([204, '"cache"', undefined]);
      }
      expect(asked(await browser.go(relay.url("auth", "/logout")))).toEqual([]);
    });

    it("whoever is signed in forgets nothing when another page asks", async () => {
      await signIn(relay.url("notes"));
      const answer = await browser.go(relay.url("notes", "/.sallyport/signed-out"));
      expect([answer.status, answer.headers["clear-site-data"]]).toEqual([204, undefined]);
    });

    it("by the provider's back channel ends that person's sessions (R-F10)", async () => {
      await signIn(relay.url("notes"));
      const post = async (path: string, form: Record<string, string>): Promise<Page> =>
        await new Browser().go(relay.url("auth", path), { method: "POST", form });
      expect((await post("/.sallyport/backchannel-logout/corp", { logout_token: "forged" })).status).toBe(400);
      expect((await post("/.sallyport/backchannel-logout/corp", {})).status).toBe(400);
      expect((await post("/.sallyport/backchannel-logout/nobody", { logout_token: "sub:ann" })).status).toBe(400);
      expect((await browser.go(relay.url("notes"))).status).toBe(LET_IN);
      const done = await post("/.sallyport/backchannel-logout/corp", { logout_token: "sub:ann" });
      expect([done.status, done.headers["cache-control"]]).toEqual([200, "no-store"]);
      expect(locationOf(await browser.go(relay.url("notes")))).toMatch(/^https:\/\/corp\.idp/);
    });
  });

  it("every login, failed login and logout is an event of the record, without a secret in it (R-M3)", async () => {
    await signIn(relay.url("notes"));
    const secrets = ["auth", "notes"].flatMap((host) => [...(browser.jars.get(`${host}.relay.localhost`)?.values() ?? [])]);
    await browser.submit(await browser.go(relay.url("notes", "/.sallyport/logout")), {});
    await browser.submit(await browser.go(relay.url("auth", "/logout")), { scope: "session" });
    const failing = new URL(callbackOf(locationOf(await browser.go(relay.url("notes"))), "x", { error: "access_denied" }));
    failing.searchParams.delete("code");
    await browser.go(failing.href);
    await browser.go(relay.url("auth", "/callback/corp?code=a&state=b"));
    await relay.relay.close("test", 0);
    const lines = relay.records();
    const events = lines.filter(({ kind }) => kind === "event");
    const types = events.map(({ type }) => type).filter((type) => /^(?:login|logout|session)/.test(String(type)));
    expect(types).toEqual(["login.succeeded", "logout.application", "session.ended", "logout", "login.failed", "login.refused"]);
    expect(events.find(({ type }) => type === "login.succeeded")).toMatchObject({
      actor: "corp|ann",
      provider: "corp",
      subject: "ann",
      email: "ann@example.com",
      application: "notes",
      sourceIp: "127.0.0.1",
      requestId: expect.any(String),
    });
    expect(events.find(({ type }) => type === "login.failed")).toMatchObject({ provider: "corp", reason: "refused-by-provider" });
    for (const secret of secrets) expect(JSON.stringify(lines)).not.toContain(secret);
    expect(lines.some(({ decision }) => decision === "login")).toBe(true);
  });

  it("the launcher lists what this person may open, and nothing else", async () => {
    await signIn(relay.url("notes"));
    const page = await browser.go(relay.url("auth"));
    expect(page.status).toBe(200);
    for (const name of ["notes", "wiki", "open"]) expect(page.body).toContain(relay.url(name));
    expect(page.body).not.toContain(relay.url("bobs"));
  });

  it("identity says who is signed in, without anything to use elsewhere; certs is the key set (R-H8)", async () => {
    await signIn(relay.url("notes"));
    const page = await browser.go(relay.url("notes", "/.sallyport/identity"));
    expect(JSON.parse(page.body)).toEqual({
      provider: "corp",
      subject: "ann",
      email: "ann@example.com",
      name: "ann",
      groups: ["eng"],
      expires_at: expect.any(String),
    });
    expect([page.headers["cache-control"], page.headers["access-control-allow-origin"]]).toEqual(["no-store", undefined]);
    const stranger = await new Browser().go(relay.url("notes", "/.sallyport/identity"), { headers: { accept: "*/*" } });
    expect(stranger.status).toBe(401);
    const certs = await new Browser().go(relay.url("notes", "/.sallyport/certs"));
    expect([certs.status, certs.headers["access-control-allow-origin"]]).toEqual([200, "*"]);
    expect((JSON.parse(certs.body) as { keys: unknown[] }).keys.length).toBeGreaterThan(0);
  });

  it("every page of sign-in has the strict headers (R-E5)", async () => {
    await signIn(relay.url("notes"));
    for (const path of ["/", "/logout"]) {
      const { headers } = await browser.go(relay.url("auth", path));
      expect(headers).toMatchObject({
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
      });
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none'.*frame-ancestors 'none'/);
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|script-src/);
    }
  });

  it("`to` names an application, never a page or another site (R-E3)", async () => {
    for (const to of [
      "https://evil.example/",
      relay.url("notes", "/page"),
      relay.url("notes", "//evil"),
      "//evil",
      "javascript:x",
      relay.url("notes").replace(/:\d+/, ":1"),
      `http://a@notes.relay.localhost:${relay.port}/`,
    ]) {
      const page = await browser.go(`${relay.url("auth")}login?to=${encodeURIComponent(to)}`);
      expect([page.status, page.headers["sallyport-error"]], to).toEqual([400, "ERR_LOGIN_STATE"]);
      expect(page.body).not.toContain("evil");
    }
  });
});

describe("with a one-time PIN", () => {
  const pins = new TestPins();
  let relay: TestRelay;
  let browser: Browser;

  beforeEach(async () => {
    relay = await startTestRelay([pins]);
    browser = new Browser();
    pins.limited = false;
    pins.sent.clear();
  });
  afterEach(async () => await relay[Symbol.asyncDispose]());

  it("address, code, in (A2)", async () => {
    const form = await browser.go(relay.url("notes", "/deep?x=1"));
    const code = await browser.submit(form, { email: "ann@example.com" });
    expect(code.body).toContain("ann@example.com");
    const page = await browser.submit(code, { pin: "424 242" });
    expect([page.url, page.status]).toEqual([relay.url("notes", "/deep?x=1"), LET_IN]);
  });

  it("a wrong code can be tried again, an old one has to be asked for again", async () => {
    const code = await browser.submit(await browser.go(relay.url("notes")), { email: "ann@example.com" });
    const wrong = await browser.submit(code, { pin: "1" });
    expect([wrong.status, wrong.headers["retry-after"]]).toEqual([403, "4"]);
    expect(wrong.body).toContain("You have 2 tries left. Wait 4 seconds before the next.");
    const early = await browser.submit(wrong, { pin: "999999" });
    expect([early.status, early.headers["retry-after"]]).toEqual([429, "7"]);
    expect(early.body).toContain("too soon");
    expect((await browser.submit(wrong, { pin: "000000" })).body).toContain("Get a new one");
    expect((await browser.submit(wrong, { pin: "424242" })).status).toBe(LET_IN);
  });

  it("a code form of another browser signs nobody in (R-F6)", async () => {
    const attacker = new Browser();
    const code = await attacker.submit(await attacker.go(relay.url("notes")), { email: "mallory@example.com" });
    await browser.go(relay.url("notes"));
    const page = await browser.submit(code, { pin: "424242" });
    expect([page.status, page.headers["sallyport-error"]]).toEqual([400, "ERR_LOGIN_STATE"]);
    expect(browser.cookie("auth", "Sallyport_Session")).toBeUndefined();
  });

  it("both forms need the token of this browser, each its own (R-H4)", async () => {
    const form = await browser.go(relay.url("notes", "/deep"));
    const token = (page: Page): string => /name="token" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
    const stranger = await new Browser().go(relay.url("notes"));
    for (const wrong of ["", token(stranger), "x"]) {
      const page = await browser.submit(form, { email: "ann@example.com", token: wrong });
      expect([page.status, pins.sent.size]).toEqual([403, 0]);
      // Shown again with the address and this browser's own token: it goes on from there.
      expect(page.body).toContain('value="ann@example.com"');
      expect(token(page)).toBe(token(form));
    }
    const code = await browser.submit(form, { email: "ann@example.com" });
    for (const wrong of ["", token(form)]) {
      const page = await browser.submit(code, { pin: "424242", token: wrong });
      expect([page.status, page.headers["sallyport-error"]]).toEqual([403, "ERR_LOGIN_FORM"]);
    }
    expect((await browser.submit(code, { pin: "424242" })).url).toBe(relay.url("notes", "/deep"));
  });

  it("both forms are taken from this site only, and are bounded (R-H4)", async () => {
    const form = await browser.go(relay.url("notes"));
    const foreign = await browser.submit(form, { email: "a@example.com" }, { headers: { "sec-fetch-site": "cross-site" } });
    expect([foreign.status, pins.sent.size]).toEqual([403, 0]);
    const large = await browser.submit(form, { email: "a".repeat(20_000) });
    expect(large.status).toBe(413);
    expect((await browser.submit(form, { email: "no address" })).status).toBe(422);
    pins.limited = true;
    const limited = await browser.submit(form, { email: "ann@example.com" });
    expect([limited.status, limited.headers["retry-after"]]).toEqual([429, "60"]);
  });
});

describe("with several providers", () => {
  const [corp, other] = [new TestIdp("corp"), new TestIdp("other")];
  let relay: TestRelay;
  let browser: Browser;

  beforeEach(async () => {
    other.finished.length = 0;
    relay = await startTestRelay([corp, other, new TestPins()]);
    browser = new Browser();
  });
  afterEach(async () => await relay[Symbol.asyncDispose]());

  it("the chooser offers each, and each leads back", async () => {
    const chooser = await browser.go(relay.url("notes", "/x"));
    expect(chooser.status).toBe(200);
    const links = [...chooser.body.matchAll(/href="(\/login[^"]+)"/g)].map(
      ([, href]) => new URL((href as string).replaceAll("&amp;", "&"), chooser.url).href,
    );
    expect(links).toHaveLength(3);
    const page = await browser.go(callbackOf(locationOf(await browser.go(links[1] as string)), "ann"));
    expect([page.url, page.status]).toEqual([relay.url("notes", "/x"), LET_IN]);
  });

  it("somebody who is signed in and wants another account sees as whom, and what to choose", async () => {
    const first = await browser.go(relay.url("notes"));
    expect(first.body).not.toContain("Signed in as");
    const link = /href="(\/login[^"]+provider=corp[^"]*)"/.exec(first.body)?.[1]?.replaceAll("&amp;", "&") as string;
    await browser.go(callbackOf(locationOf(await browser.go(new URL(link, first.url).href)), "ann"));
    const again = await browser.go(`${relay.url("auth", "/login")}?again=1`);
    expect(again.body).toMatch(/Signed in as[^]*ann@example\.com/);
    expect(again.body).toContain("Sign in with other");
  });

  it("an answer of one provider at the path of another is refused (mix-up, R-F4)", async () => {
    const chooser = await browser.go(relay.url("notes"));
    const link = /href="(\/login[^"]+provider=corp[^"]*)"/.exec(chooser.body)?.[1]?.replaceAll("&amp;", "&") as string;
    const callback = callbackOf(locationOf(await browser.go(new URL(link, chooser.url).href)), "ann");
    const page = await browser.go(callback.replace("/callback/corp", "/callback/other"), { follow: false });
    expect([page.status, page.headers["sallyport-error"], other.finished.length]).toEqual([400, "ERR_LOGIN_STATE", 0]);
  });
});

describe("without any provider", () => {
  it("a visitor is told that nobody can sign in", async () => {
    await using relay = await startTestRelay([]);
    const page = await new Browser().go(relay.url("notes"));
    expect([page.status, page.headers["sallyport-error"]]).toEqual([503, "ERR_LOGIN_UNAVAILABLE"]);
  });
});

function cookieOf(page: Page, name: string): string {
  const lines = page.headers["set-cookie"];
  const line = Array.isArray(lines) ? lines.find((one: string) => one.startsWith(`${name}=`)) : undefined;
  return (line as string | undefined)?.slice(name.length + 1).split(";")[0] ?? "";
}
