// Which pages a sign-out makes the browser forget, also of sessions that are older than this process (A8).

import { describe, expect, it } from "vitest";
import type { Session } from "../session.ts";
import type { LoginContext } from "./context.ts";
import { pagesToForget } from "./forget-pages.ts";
import type { LoginTarget, LoginVisit, TargetDecision } from "./types.ts";
import { MAX_VISITED, Visited } from "./visited.ts";

const SESSION = { id: "s" } as unknown as Session;
const VISIT = {} as unknown as LoginVisit;

function contextWith(targets: Readonly<Record<string, TargetDecision["kind"]>>): LoginContext {
  const list = Object.entries(targets).map(([place, kind]) => {
    const { origin, pathname: applicationPath } = new URL(place);
    return { origin, applicationPath, decide: () => ({ kind }) } as unknown as LoginTarget;
  });
  return { visited: new Visited(), services: { targets: () => list } } as unknown as LoginContext;
}

it("asks each application where the session was signed in, once, by its path", () => {
  const context = contextWith({ "https://other.example.com/": "allow" });
  context.visited.begin("s");
  for (const place of ["https://a.example.com/", "https://b.example.com/wiki", "https://a.example.com/"]) context.visited.add("s", place);
  expect(pagesToForget(context, VISIT, SESSION)).toEqual([
    "https://a.example.com/.sallyport/signed-out?path=%2F",
    "https://b.example.com/.sallyport/signed-out?path=%2Fwiki",
  ]);
});

it("a session from before this process asks where it may have been", () => {
  const context = contextWith({ "https://a.example.com/": "allow", "https://b.example.com/": "deny", "https://c.example.com/": "too-old" });
  // A hand-over after the restart does not make the list look whole.
  context.visited.add("s", "https://c.example.com/");
  expect(pagesToForget(context, VISIT, SESSION).map((url) => new URL(url).hostname)).toEqual(["a.example.com", "c.example.com"]);
});

describe("what is remembered", () => {
  it("is bounded per session and in all, and is taken once", () => {
    const visited = new Visited(2);
    for (const session of ["a", "b", "c"]) visited.begin(session);
    for (let n = 0; n < MAX_VISITED + 5; n++) visited.add("c", `https://${n}.example.com/`);
    expect([visited.take("a"), visited.take("b"), visited.take("c")?.length, visited.take("c"), visited.size]).toEqual([
      undefined,
      [],
      MAX_VISITED,
      undefined,
      0,
    ]);
  });
});
