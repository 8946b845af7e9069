// T16: `require` in connector.yaml. Whoever runs the service demands more than the relay does; the connector refuses with 403
// what the relay allowed, writes a line into its own log, and the origin hears nothing. A reload can tighten it.

import { join } from "node:path";
import { loadConfig } from "@sallyport/connector/config/load";
import { readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Bed, createBed } from "./support/bed.ts";
import { SignedIn, signedInOptions } from "./support/signed-in.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const HOST = "wiki.example.test";
const SIDE_DOOR = "side.example.test";

const stack = new AsyncDisposableStack();
const person = (subject: string, email: string | undefined, groups: readonly string[] | undefined): SignedIn =>
  new SignedIn({ subject, email, groups }, HOST, SIDE_DOOR);
const ann = person("ann", "ann@example.com", ["eng"]);
const bob = person("bob", "bob@example.com", ["sales"]);
const eve = person("eve", "eve@evil.example.com", ["eng"]);
const nameless = person("nameless", undefined, undefined);
let bed: Bed;

beforeAll(async () => {
  const applications = [
    { name: "wiki", hostname: HOST },
    { name: "side", hostname: SIDE_DOOR },
    { name: "everybody", hostname: "open.example.test", policies: ["public"] },
  ];
  bed = await createBed(stack, {
    ...signedInOptions(stack, [ann, bob, eve, nameless], applications),
    service: { require: { applications: [`https://${HOST}/`], groups: ["eng"], emailDomains: ["EXAMPLE.com"] } },
  });
});
beforeEach(() => bed.open.reset());
afterAll(() => stack.disposeAsync());

async function refused(host: string, fields: readonly string[]): Promise<string> {
  const requests = bed.open.requests.length;
  const lines = bed.logLines.length;
  const answer = await ask(bed, "/x", { host, fields });
  expect([answer.status, answer.value("sallyport-error"), answer.value("sallyport-answered-by")]).toEqual([
    403,
    "ERR_ASSERTION_REFUSED",
    "connector",
  ]);
  expect(bed.open.requests).toHaveLength(requests);
  const line = bed.logLines.slice(lines).find(({ msg }) => msg === "assertion refused");
  expect(line).toMatchObject({ program: "connector", level: "warn", service: "open" });
  return String(line?.["reason"]);
}

test("who meets every demand is let through", async () => {
  await expectForwarded(bed, write("/x", { host: HOST, fields: [ann.cookie(HOST)] }));
});

test.each<[string, string, () => readonly string[], string]>([
  ["a person of another group", HOST, () => [bob.cookie(HOST)], "groups"],
  ["a person of another domain, in the group", HOST, () => [eve.cookie(HOST)], "emailDomains"],
  ["a person of whom nothing is known", HOST, () => [nameless.cookie(HOST)], "groups"],
  ["a program, which has no groups", HOST, () => bed.token.fields, "groups"],
  ["the right person through another application", SIDE_DOOR, () => [ann.cookie(SIDE_DOOR)], "applications"],
  ["anybody, where the relay asks for nothing", "open.example.test", () => [], "applications"],
])("%s is refused although the relay allows it", async (_name, host, fields, demand) => {
  expect(await refused(host, fields())).toBe(`local require: ${demand}`);
});

test("demands for all services stand beside those of one, and a reload puts them in force", async () => {
  const file = join(bed.folder, "connector.yaml");
  const before = readFileSync(file, "utf8");
  const use = (text: string): void => {
    writeFileSync(file, text);
    const loaded = loadConfig(file, {});
    if (loaded.kind !== "loaded") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
    bed.connector.reload(loaded.config);
  };
  use(stringify({ ...(parse(before) as object), require: { emails: ["carl@example.com"] } }));
  expect(await refused(HOST, [ann.cookie(HOST)])).toBe("local require: emails");
  use(before);
  await expectForwarded(bed, write("/x", { host: HOST, fields: [ann.cookie(HOST)] }));
});
