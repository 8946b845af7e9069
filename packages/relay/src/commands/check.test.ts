import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfigFolder, minimal } from "../config/test-support.ts";
import { reportCheck } from "./check.ts";
import type { Output } from "./output.ts";

let folder: ConfigFolder;
let written: string;
const output: Output = { out: (text) => void (written += text), error: (text) => void (written += text), color: false };
beforeEach(() => {
  folder = new ConfigFolder();
  written = "";
});
afterEach(() => folder[Symbol.dispose]());

test("a file that is fit says so and ends with 0", async () => {
  expect(reportCheck(await folder.load(minimal()), { config: "relay.yaml" }, output)).toBe(0);
  expect(written).toBe("relay.yaml is fit to go live: 1 application, 1 tunnel, 1 policy, no policy tests\n");
});

test("warnings are shown and end with 0", async () => {
  expect(reportCheck(await folder.load(minimal("trustedProxies: [ 0.0.0.0/0 ]\n")), { config: "relay.yaml" }, output)).toBe(0);
  expect(written).toContain("warning[ERR_CONFIG_INSECURE]");
  expect(written).toContain("0 errors, 1 warning");
});

test("errors are shown with their line and end with 1", async () => {
  expect(reportCheck(await folder.load(minimal("listne: []\n")), { config: "relay.yaml" }, output)).toBe(1);
  expect(written).toContain("11 | listne: []");
  expect(written).toContain("relay.yaml cannot go live\n");
});

test("--json is one line with everything a program needs", async () => {
  reportCheck(await folder.load(minimal("listne: []\n")), { config: "relay.yaml", json: true }, output);
  expect(written.trimEnd()).not.toContain("\n");
  expect(JSON.parse(written)).toMatchObject({
    ok: false,
    problems: [
      { severity: "error", line: 11, column: 1, path: "listne", code: "ERR_CONFIG_UNKNOWN_KEY", remedy: 'write "listen" instead' },
    ],
  });
  written = "";
  reportCheck(await folder.load(minimal()), { config: "relay.yaml", json: true }, output);
  expect(JSON.parse(written)).toMatchObject({
    ok: true,
    problems: [],
    hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    counts: { applications: 1 },
  });
});
