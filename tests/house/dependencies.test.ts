// What gets installed is on a list that a person has read: docs/dependencies.md is the lock file in words, and a change of the
// one without the other fails.

import { expect, test } from "vitest";
import { listDependencies } from "../dependencies/list.ts";
import { read, root } from "./tree.ts";

const DOCUMENT = "docs/dependencies.md";
const { text, problems } = listDependencies(root);

test("every direct dependency says why it is there", () => {
  expect(problems).toEqual([]);
});

test(`${DOCUMENT} is what the lock file installs`, () => {
  expect(read(DOCUMENT) === text, `${DOCUMENT} is out of date: read what changed, then pnpm dependencies --write`).toBe(true);
});

test("the list holds what ships, with licence and way", () => {
  expect(/^\| ws \| [\d.]+ \| MIT \| carries the tunnel over WebSockets \|$/m.test(text)).toBe(true);
  expect(/^\| \S+ \| [\d.]+ \| [^|]+ \| pino \|$/m.test(text)).toBe(true);
  expect(/^.*\| (?:unknown|none stated) \|.*$/m.exec(text)?.[0]).toBeUndefined();
});
