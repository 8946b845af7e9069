import fc from "fast-check";
import { readTarget } from "@sallyport/shared/http/path";
import { describe, expect, it } from "vitest";
import { RouteTable, type Route } from "./route.ts";

interface App {
  readonly name: string;
  readonly hostname: string;
  readonly path: string;
}

function table(...apps: string[]): RouteTable<App> {
  return new RouteTable(apps.map((name) => ({ name, hostname: name.slice(0, name.indexOf("/")), path: name.slice(name.indexOf("/")) })));
}

function route(routes: RouteTable<App>, hostname: string, target: string): string {
  const read = readTarget(target);
  if (read.kind !== "path") return read.kind;
  const found: Route<App> = routes.find(hostname, read.readings);
  return found.kind === "application" ? found.application.name : found.kind;
}

describe("route", () => {
  const routes = table("a.example/", "a.example/api", "a.example/api/v2", "*.example/", "b.example/only", "*.deep.example/x");

  it.each([
    ["a.example", "/", "a.example/"],
    ["a.example", "/api", "a.example/api"],
    ["a.example", "/api/", "a.example/api"],
    ["a.example", "/api/v2/x?y=/secret", "a.example/api/v2"],
    ["a.example", "/apix", "a.example/"],
    ["a.example", "/API", "a.example/"],
    ["a.example", "/api../admin", "a.example/"],
    ["a.example", "/%61pi/v2", "a.example/api/v2"],
    ["c.example", "/anything", "*.example/"],
    ["x.c.example", "/", "unknown-host"],
    ["example", "/", "unknown-host"],
    ["evila.example.com", "/", "unknown-host"],
    ["b.example", "/only/this", "b.example/only"],
    ["b.example", "/else", "no-application"],
    ["q.deep.example", "/x/y", "*.deep.example/x"],
    ["a.example", "/.sallyport/logout", "reserved"],
    ["a.example", "/%2esallyport/logout", "reserved"],
  ])("%s %s goes to %s (R-A8, R-A9, R-A10, R-B3, R-H8)", (hostname, target, expected) => {
    expect(route(routes, hostname, target)).toBe(expected);
  });

  it.each([
    "//api",
    "/x/..;/api",
    "/x;/..%2fapi",
    "/x%2f..%2fapi",
    "/api%2fv2",
    "/api%252fv2",
    "/x\\..\\api",
    "//.sallyport/x",
    "/.sallyport%2fx",
    "/a;b/..",
  ])("%s has readings that end in different places, or in one", (target) => {
    expect(["ambiguous", "refused", "a.example/", "reserved"]).toContain(route(routes, "a.example", target));
    expect(route(routes, "a.example", target)).not.toBe("a.example/api");
  });

  it("finds the same application among 1, 99, 101 and 10,000 hosts (R-B3)", () => {
    for (const count of [1, 99, 101, 10_000]) {
      const many = table(...Array.from({ length: count }, (_, i) => `h${i}.example/`));
      expect(route(many, `h${count - 1}.example`, "/x")).toBe(`h${count - 1}.example/`);
      expect(route(many, `h${count}.example`, "/x")).toBe("unknown-host");
    }
  });

  it("is the longest prefix on a segment border, for any paths (property)", () => {
    const segment = fc.constantFrom("a", "b", "ab", "a-b");
    const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 8 }), path, (prefixes, target) => {
        const apps = table(...prefixes.map((prefix) => `h.example${prefix}`));
        const matching = prefixes.filter((prefix) => prefix === "/" || target === prefix || target.startsWith(`${prefix}/`));
        const longest = matching.sort((a, b) => b.length - a.length)[0];
        expect(route(apps, "h.example", target)).toBe(longest === undefined ? "no-application" : `h.example${longest}`);
      }),
    );
  });
});
