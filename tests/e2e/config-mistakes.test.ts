// A configuration with six different mistakes: `check` prints six errors, each with its place and what to write
// instead; the running relay says so too and keeps the configuration it has.

import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { eventually } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

/** Each mistake by the place that its error has to name. */
const MISTAKES = {
  "unknown key": { find: "trustedProxie", line: /^trustedProxie:/ },
  "unknown tunnel": { find: "ofice", line: /tunnel: ofice/ },
  "unknown policy": { find: "publik", line: /- publik/ },
  "unknown selector": { find: "emailDomian", line: /emailDomian/ },
  "invalid address": { find: "300.0.0.1", line: /300\.0\.0\.1/ },
  "empty include": { find: "include", line: /include: \[\]/ },
} as const;

const BROKEN = (valid: Record<string, unknown>): string =>
  `# six mistakes
authUrl: ${String(valid["authUrl"])}
listen:
${(valid["listen"] as { address: string }[]).map(({ address }) => `  - address: ${address}`).join("\n")}
admin:
  address: ${(valid["admin"] as { address: string }).address}
state: ${String(valid["state"])}
trustedProxie: []
tunnels:
  - name: office
policies:
  - name: public
    action: bypass
    include:
      - everyone: true
  - name: staff
    action: allow
    include:
      - emailDomian: example.com
  - name: office-only
    action: deny
    include:
      - ip: 300.0.0.1
  - name: nobody
    action: allow
    include: []
applications:
  - name: web
    hostname: web.relay.localhost
    tunnel: ofice
    service: web
    policies:
      - publik
`;

test("six mistakes are six errors with place and remedy, and the running relay keeps what it has", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay } = await createBed(stack, { services: { web: "hello" } });
  const valid = relay.config();
  const checked = await relay.run("check");
  expect(checked.code, checked.stdout + checked.stderr).toBe(0);

  const broken = BROKEN(valid);
  writeFileSync(relay.configFile, broken);
  const { code, stdout, stderr } = await relay.run("check");
  const output = stdout + stderr;
  expect(code).not.toBe(0);
  const lines = broken.split("\n");
  for (const [mistake, { find, line }] of Object.entries(MISTAKES)) {
    const number = lines.findIndex((text) => line.test(text)) + 1;
    expect(output, mistake).toContain(find);
    expect(output, `${mistake} is in line ${number}`).toMatch(new RegExp(`relay\\.yaml:${number}(?::\\d+)?\\b`));
  }
  const json = await relay.run("check", "--json");
  const { problems } = JSON.parse(json.stdout) as { readonly problems: readonly { readonly remedy: string; readonly severity?: string }[] };
  const errors = problems.filter(({ severity = "error" }) => severity === "error");
  expect(errors).toHaveLength(Object.keys(MISTAKES).length);
  for (const { remedy } of errors) expect(remedy.length).toBeGreaterThan(5);

  relay.program.signal("SIGHUP");
  await relay.program.line(/ERR_CONFIG_/);
  expect((await visit(relay, "web", "/")).status).toBe(200);

  // The repaired file is taken without a restart; the application's new name shows that it was.
  relay.writeConfig({
    applications: [
      { name: "renamed", hostname: "renamed.relay.localhost", path: "/", tunnel: "office", service: "web", policies: ["public"] },
    ],
  });
  relay.program.signal("SIGHUP");
  await eventually(async () => (await visit(relay, "renamed", "/")).status === 200, { what: "the repaired configuration" });
  expect((await visit(relay, "web", "/")).status).toBe(421);
  expect(readFileSync(relay.configFile, "utf8")).toContain("renamed");
});
