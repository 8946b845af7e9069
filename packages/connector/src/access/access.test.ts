// The parts of `sallyport access` that decide where a token may go and who may read it (R-E4, R-J4).

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { curlArguments, readsStandardInput } from "../commands/access-curl.ts";
import { openLoopback, type Loopback } from "./loopback.ts";
import { machineName } from "./sign-in.ts";
import { type AccessToken, readToken } from "./token.ts";
import { TokenFiles } from "./token-files.ts";
import { audienceAt, readApplicationUrl } from "./urls.ts";

const AUTH = new URL("https://auth.example.com");

function jws(payload: object): string {
  return `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
}

function token(application: string, expiresAt = 2_000): AccessToken {
  return { application, authUrl: AUTH.origin, token: jws({ application }), expiresAt };
}

describe("URLs", () => {
  it.each([
    ["grafana.example.com", "https://grafana.example.com/"],
    ["https://grafana.example.com:8443/a?b#c", "https://grafana.example.com:8443/a?b"],
    ["http://notes.relay.localhost:8080", "http://notes.relay.localhost:8080/"],
    ["http://127.0.0.1:1", "http://127.0.0.1:1/"],
  ])("%s is %s", (text, href) => expect(readApplicationUrl(text)?.href).toBe(href));

  it.each(["http://grafana.example.com", "ftp://a", "https://user@a.example", "https://:x@a.example", "file:///etc", "", "https://"])(
    "%j is none: nothing goes where others could read it",
    (text) => expect(readApplicationUrl(text)).toBeUndefined(),
  );

  it.each([
    ["https://a.example.com", "https://a.example.com/x", "https://a.example.com/"],
    ["https://*.example.com", "https://a.example.com/", "https://a.example.com/"],
    ["https://a.example.com/api", "https://a.example.com/api/v1", "https://a.example.com/api"],
    ["https://a.example.com/api", "https://a.example.com/apix", undefined],
    ["https://*.example.com", "https://a.b.example.com/", undefined],
    ["https://*.example.com", "https://example.com/", undefined],
    ["https://*.example.com", "https://aexample.com/", undefined],
    ["https://a.example.com", "https://a.example.com:8443/", undefined],
    ["https://a.example.com", "http://a.example.com/", undefined],
    ["https://b.example.com", "https://a.example.com/", undefined],
  ])("the audience %s at %s is %s", (audience, url, at) => expect(audienceAt(audience, new URL(url))).toBe(at));
});

describe("a token that a relay sends", () => {
  const application = new URL("https://a.example.com/page");
  const claims = { iss: AUTH.origin, aud: "https://a.example.com", exp: 9 };

  it("is taken for the application that was asked for", () => {
    expect(readToken(jws(claims), application, AUTH)).toEqual({
      application: "https://a.example.com/",
      authUrl: AUTH.origin,
      token: jws(claims),
      expiresAt: 9_000,
    });
  });

  it.each([{ iss: "https://other.example" }, { aud: "https://b.example.com" }, { aud: [claims.aud] }, { exp: "9" }, { exp: undefined }])(
    "%j: is thrown away",
    (change) => expect(readToken(jws({ ...claims, ...change }), application, AUTH)).toBeUndefined(),
  );

  it.each([
    undefined,
    7,
    "",
    "a.b",
    `${jws(claims)}"\nurl = "https://evil.example"`,
    `${jws(claims)}\r\nX: y`,
    `${jws(claims)}.x`,
    "x".repeat(9_000),
  ])("%j is none", (text) => expect(readToken(text, application, AUTH)).toBeUndefined());
});

describe("token files", () => {
  let folder: string;
  let files: TokenFiles;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-access-"));
    files = TokenFiles.of({ XDG_CONFIG_HOME: folder });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("are private, hold one host each, and leave nothing else behind", () => {
    const file = files.save(token("https://a.example.com/"));
    files.save(token("https://b.example.com:8443/"));
    const place = join(folder, "sallyport", "access");
    expect(readdirSync(place).toSorted()).toEqual(["a.example.com.json", "b.example.com_8443.json"]);
    expect([statSync(file).mode & 0o777, statSync(place).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(
      files
        .origins()
        .map(({ origin }) => origin)
        .toSorted(),
    ).toEqual(["https://a.example.com", "https://b.example.com:8443"]);
  });

  it("the longest path that holds the page wins, and time counts", () => {
    files.save(token("https://a.example.com/"));
    files.save(token("https://a.example.com/api", 500));
    const find = (path: string, nowMs: number): unknown => files.find(new URL(path, "https://a.example.com"), nowMs);
    expect(find("/apix", 100)).toMatchObject({ kind: "found", token: { application: "https://a.example.com/" } });
    expect(find("/api/x", 100)).toMatchObject({ kind: "found", token: { application: "https://a.example.com/api" } });
    expect(find("/api/x", 500)).toEqual({ kind: "expired" });
    expect(files.find(new URL("https://b.example.com"), 0)).toEqual({ kind: "none" });
    expect(files.find(new URL("http://a.example.com"), 0)).not.toMatchObject({ kind: "found" });
  });

  it("the last token of a host takes the file with it", () => {
    const [root, api] = [token("https://a.example.com/"), token("https://a.example.com/api")];
    const file = files.save(root);
    files.save(api);
    files.remove(root);
    expect(readFileSync(file, "utf8")).not.toContain(root.token);
    files.remove(api);
    expect(() => statSync(file)).toThrow();
  });

  it("a file of another host, a damaged one, or one that others can read is not used (R-J4)", () => {
    const url = new URL("https://a.example.com");
    const file = files.save(token("https://a.example.com/"));
    const text = readFileSync(file, "utf8");
    for (const changed of [
      "{",
      "[]",
      "null",
      text.replaceAll("a.example.com/", "b.example.com/"),
      text.replace('"version": 1', '"version": 2'),
    ]) {
      writeFileSync(file, changed);
      expect(files.find(url, 0)).toMatchObject({ kind: "problem" });
    }
    writeFileSync(file, text);
    chmodSync(file, 0o640);
    expect(files.find(url, 0)).toMatchObject({ kind: "problem", remedy: expect.stringContaining("chmod 600") as unknown });
  });

  it("a relative XDG_CONFIG_HOME is ignored", () => {
    expect(TokenFiles.of({ XDG_CONFIG_HOME: "here", HOME: "/users/ann" }).fileOf(new URL("https://a.example.com"))).toBe(
      "/users/ann/.config/sallyport/access/a.example.com.json",
    );
  });
});

describe("the loopback port", () => {
  const STATE = "s".repeat(32);
  let loopback: Loopback;
  beforeEach(async () => void (loopback = await openLoopback(STATE, new AbortController().signal)));
  afterEach(() => loopback.close());

  const visit = (path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<number> =>
    new Promise((resolve, reject) => {
      request(new URL(path, loopback.redirectUri), { method, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end();
    });

  it("takes one answer with its own state; nothing else ends the wait", async () => {
    expect(loopback.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    for (const path of [
      `/callback?code=x&state=${"t".repeat(32)}`,
      "/callback?code=x",
      `/other?code=x&state=${STATE}`,
      `/callback?state=${STATE}`,
      `/callback?code=x&error=y&state=${STATE}`,
      `/callback?code=x&code=y&state=${STATE}`,
    ]) {
      expect([path, await visit(path)]).toEqual([path, 400]);
    }
    expect(await visit(`/callback?code=x&state=${STATE}`, { host: "evil.example" })).toBe(400);
    expect(await visit(`/callback?code=x&state=${STATE}`, {}, "POST")).toBe(400);
    expect(await visit(`/callback?code=good&state=${STATE}`)).toBe(200);
    expect(await loopback.answer).toEqual({ kind: "code", code: "good" });
  });

  it("a refusal is an answer", async () => {
    expect(await visit(`/callback?error=access_denied&state=${STATE}`)).toBe(200);
    expect(await loopback.answer).toEqual({ kind: "denied" });
  });
});

describe("curl", () => {
  it("gets the URL as it was judged, and no redirect, whatever its arguments say", () => {
    const url = readApplicationUrl("https://a.example.com\\@evil.example/{x}") as URL;
    expect(curlArguments(url, ["-L", "--max-redirs", "9"])).toEqual([
      "-L",
      "--max-redirs",
      "9",
      "--max-redirs",
      "0",
      "--config",
      "-",
      "--url",
      "https://a.example.com/@evil.example/%7Bx%7D",
    ]);
  });

  it.each([
    ["--data", "@-"],
    ["-d@-"],
    ["-T", "-"],
    ["-T-"],
    ["--data-binary", "@-"],
    ["-F", "file=@-"],
    ["-F", "file=<-"],
    ["-K", "-"],
    ["--data=@-"],
  ])("%s %s needs the standard input", (...args) => expect(readsStandardInput(args)).toBe(true));

  it.each([["-o", "-"], ["--output", "-"], ["--data", "@body-"], ["-d", "a-"], ["-X", "PUT"], ["--fail"]])("%s %s does not", (...args) =>
    expect(readsStandardInput(args)).toBe(false),
  );
});

it("a machine's name is one that the relay takes", () => {
  expect(machineName()).toMatch(/^[A-Za-z0-9](?:[A-Za-z0-9 ._@-]{0,62}[A-Za-z0-9])?$/);
});
