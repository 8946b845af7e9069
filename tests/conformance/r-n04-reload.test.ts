// R-N4: a reload is one step for every request: none sees the old route with the new policy. What it removed ends, what it
// left alone stays up.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "@sallyport/relay/config/load";
import { systemClock } from "@sallyport/shared/clock";
import { afterEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { RawClient } from "../harness/raw-client.ts";
import { eventually, within } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

interface Document {
  applications: { name: string; service: string; policies: string[]; cors?: unknown }[];
}

const crossed = { hostname: "crossed.example.test", tunnel: "office", service: "open", policies: ["staff"] };
const bed = useBed({
  applications: [{ name: "crossed", ...crossed, allowedOrigins: ["https://friend.example"], cors: { preflight: "forward" } }],
});
let original: string | undefined;

/** Changes the relay's file and takes it up, as SIGHUP does. */
async function reload(change: (document: Document) => void): Promise<void> {
  const file = join(bed().folder, "relay.yaml");
  original ??= readFileSync(file, "utf8");
  const document = parse(original) as Document;
  change(document);
  writeFileSync(file, stringify(document, { aliasDuplicateObjects: false }));
  const loaded = await loadConfig({ file, env: {}, clock: systemClock });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  bed().relay.applyConfig(loaded.config);
}

afterEach(() => reload(() => {}));

test("R-N4: an application that is gone takes its open streams with it; others, and the tunnel, stay", async () => {
  bed().open.respond = (_request, socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nopen\r\n");
  const open = async (host: string): Promise<RawClient> => {
    const client = await RawClient.connect({ port: bed().port });
    client.send(write("/stream", { host, close: false }));
    await client.until(/open/);
    return client;
  };
  using gone = await open("a.wild.example.test");
  using kept = await open("app.example.test");
  const dialled = bed().logLines.filter(({ program }) => program === "connector").length;

  await reload((document) => {
    document.applications = document.applications.filter(({ name }) => name !== "wild");
  });
  await gone.untilClosed(5_000);
  expect((await ask(bed(), "/x", { host: "a.wild.example.test" })).status).toBe(421);
  for (const socket of bed().open.sockets) socket.write("4\r\nmore\r\n0\r\n\r\n");
  await kept.until(/more/, 5_000);
  expect(
    bed()
      .logLines.filter(({ program }) => program === "connector")
      .slice(dialled)
      .map(({ msg }) => msg),
  ).not.toContain("connected");
});

test("R-N4: an application whose service changes takes its streams with it too", async () => {
  bed().open.respond = (_request, socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nopen\r\n");
  using client = await RawClient.connect({ port: bed().port });
  client.send(write("/stream", { host: "a.wild.example.test", close: false }));
  await client.until(/open/);
  await reload((document) => {
    for (const application of document.applications) if (application.name === "wild") application.service = "admin";
  });
  await client.untilClosed(5_000);
  bed().open.reset();
  await expectForwarded(bed(), write("/x", { host: "a.wild.example.test" }), bed().admin);
});

test("R-N4: while route and policy change together, nobody gets the new route by the old policy", async () => {
  const before = bed().admin.requests.length;
  let stopped = false;
  const statuses = new Set<number>();
  const visitors = Array.from({ length: 4 }, async () => {
    while (!stopped) statuses.add((await ask(bed(), "/x", { host: "a.wild.example.test" })).status);
  });
  for (let round = 0; round < 10; round++) {
    await reload((document) => {
      if (round % 2 === 1) return;
      for (const application of document.applications)
        if (application.name === "wild") Object.assign(application, { service: "admin", policies: ["programs"] });
    });
    const seen = bed().opened.length;
    await eventually(() => bed().opened.length > seen || round % 2 === 0, { what: "visitors to go on" });
  }
  stopped = true;
  await within(10_000, "the visitors to finish", Promise.all(visitors));
  // 403: under way at the moment of the change, and no longer allowed.
  expect([200, 401].every((status) => statuses.has(status)) && [...statuses].every((status) => [200, 401, 403].includes(status))).toBe(
    true,
  );
  expect(bed().admin.requests.slice(before)).toEqual([]);
});

test("R-N4: a file that is bad changes nothing", async () => {
  await expect(
    reload((document) => {
      for (const application of document.applications) application.policies = ["no-such-policy"];
    }),
  ).rejects.toThrow();
  await expectForwarded(bed(), write("/x"));
});

test("R-N4: a preflight that was passed on ends when preflights are no longer passed on (R-I3), and is on record as one", async () => {
  bed().open.respond = (_request, socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nopen\r\n");
  const fields = ["Origin: https://friend.example", "Access-Control-Request-Method: PUT"];
  using preflight = await RawClient.connect({ port: bed().port });
  preflight.send(write("/preflight", { host: "crossed.example.test", method: "OPTIONS", fields, close: false }));
  await preflight.until(/open/);
  await reload((document) => void document.applications.find(({ name }) => name === "admin")?.policies.push("staff"));
  for (const socket of bed().open.sockets) socket.write("4\r\nmore\r\n");
  await preflight.until(/more/, 5_000);
  await reload((document) => {
    for (const application of document.applications) delete application.cors;
  });
  await preflight.untilClosed(5_000);
  const folder = join(bed().folder, "state", "records");
  const records = (): Record<string, unknown>[] =>
    readdirSync(folder)
      .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"))
      .filter((line) => line.includes('"/preflight"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await eventually(() => records().length > 0, { what: "its record" });
  expect(records()).toMatchObject([{ decision: "bypass", reason: "revoked", application: "crossed", status: 200 }]);
});
