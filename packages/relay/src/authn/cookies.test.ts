import { describe, expect, test } from "vitest";
import { applicationCookieName, clearCookie, cookieNames, setApplicationCookie, setCookie } from "./cookies.ts";

describe("names", () => {
  test("have the __Host- prefix over https, and none over http on loopback, where browsers would drop them", () => {
    expect(Object.values(cookieNames("https")).every((name) => name.startsWith("__Host-Sallyport_"))).toBe(true);
    expect(Object.values(cookieNames("http")).every((name) => name.startsWith("Sallyport_"))).toBe(true);
  });

  test("applications that share a host have a cookie each", () => {
    const names = ["/", "/admin", "/Admin", "/admin/x"].map((path) => applicationCookieName("https", path));
    expect(names[0]).toBe("__Host-Sallyport_Authorization");
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name).toMatch(/^__Host-Sallyport_Authorization(?:_[0-9a-f]{8})?$/);
  });
});

describe("R-H1: a cookie that is set", () => {
  const cookie = { scheme: "https", name: "__Host-Sallyport_Authorization", value: "a.b.c" } as const;

  test("is Secure, HttpOnly, Lax, for the whole host and no other", () => {
    expect(setCookie({ ...cookie, maxAgeS: 60 })).toBe(
      "__Host-Sallyport_Authorization=a.b.c; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
    );
    expect(setCookie(cookie)).toBe("__Host-Sallyport_Authorization=a.b.c; Path=/; HttpOnly; Secure; SameSite=Lax");
  });

  test("is SameSite=None where an application is for embedding, but never without Secure (A31)", () => {
    expect(setCookie({ ...cookie, sameSite: "None" })).toMatch(/; Secure; SameSite=None$/);
    expect(setCookie({ ...cookie, scheme: "http", name: "Sallyport_Authorization", sameSite: "None" })).toMatch(
      /; HttpOnly; SameSite=Lax$/,
    );
  });

  test("is cleared with the attributes that it was set with", () => {
    expect(clearCookie("https", cookie.name)).toBe("__Host-Sallyport_Authorization=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    expect(clearCookie("http", "Sallyport_Session")).toBe("Sallyport_Session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
  });

  test("lives as long as its token, a second at least", () => {
    const application = { scheme: "https", name: cookie.name, sameSite: "Lax" } as const;
    expect(setApplicationCookie(application, "t", 90_500, 500)).toContain("Max-Age=90;");
    expect(setApplicationCookie(application, "t", 600, 500)).toContain("Max-Age=1;");
  });

  test.each(["a;b", "a,b", "a b", 'a"b', "a\\b", "a\r\nSet-Cookie: x=y", "a\u0000", "ä", "x".repeat(4_096)])(
    "R-D10: the value %j is refused before anything is written",
    (value) => {
      expect(() => setCookie({ ...cookie, value })).toThrow(expect.objectContaining({ code: "ERR_COOKIE_INVALID" }));
      expect(() => setCookie({ ...cookie, value })).not.toThrow(value.slice(0, 50));
    },
  );

  test.each(["", "a b", "a=b", "a;b", "a\r\nb", "x".repeat(65)])("R-D10: the name %j is refused, also for clearing", (name) => {
    expect(() => setCookie({ ...cookie, name })).toThrow(expect.objectContaining({ code: "ERR_COOKIE_INVALID" }));
    expect(() => clearCookie("https", name)).toThrow(expect.objectContaining({ code: "ERR_COOKIE_INVALID" }));
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("R-D10: the age %d is refused", (maxAgeS) => {
    expect(() => setCookie({ ...cookie, maxAgeS })).toThrow(expect.objectContaining({ code: "ERR_COOKIE_INVALID" }));
  });
});
