// R-M2: the search that every conformance, end-to-end and fault test ends with finds what it is there for; otherwise its
// silence would prove nothing.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Canaries, filesBelow } from "../harness/canary.ts";

const SECRET = "sps_Zq3+x/9Kd81mQwErTy";

test.each([
  ["as it is", (secret: string) => `token=${secret} end`],
  ["in a URL", (secret: string) => `GET /?t=${encodeURIComponent(secret)}`],
  ["in JSON", (secret: string) => JSON.stringify({ secret })],
  ["in Base64", (secret: string) => Buffer.from(secret).toString("base64")],
  ["in Basic credentials", (secret: string) => Buffer.from(`robot:${secret}`).toString("base64")],
  ["in Basic credentials of another length", (secret: string) => Buffer.from(`robots:${secret}`).toString("base64")],
  ["in the payload of a token", (secret: string) => Buffer.from(`{"a":"${secret}"}`).toString("base64url")],
])("R-M2: a secret is found %s, and its place is named", (_how, hide) => {
  const canaries = new Canaries();
  canaries.add("service token of robot", SECRET);
  canaries.watch("the log of the relay", () => ["harmless", `line with ${hide(SECRET)}`]);
  canaries.search();
  const leaks = canaries.takeLeaks();
  expect(leaks).toEqual([expect.stringContaining("service token of robot is in the log of the relay")]);
  expect(leaks.join("")).not.toContain(SECRET);
  expect(canaries.takeLeaks()).toEqual([]);
});

test("R-M2: what is no secret is not found, nor what is too short to be told from chance", () => {
  const canaries = new Canaries();
  canaries.add("a PIN", "424242");
  canaries.add("a token", SECRET);
  canaries.look("somewhere", `424242 ${SECRET.slice(1)} ${SECRET.toLowerCase()}`);
  expect(canaries.takeLeaks()).toEqual([]);
});

test("R-M2: cookies of ours are secrets, others are not", () => {
  const canaries = new Canaries();
  canaries.addCookies("ann", ["__Host-Sallyport_Session=sss_0123456789abcdef; Path=/", "theme=0123456789abcdef; Path=/"]);
  expect(canaries.size).toBe(1);
  canaries.look("a log", "sss_0123456789abcdef");
  expect(canaries.takeLeaks()).toEqual([expect.stringContaining("__Host-Sallyport_Session of ann")]);
});

test("R-M2: files below a folder are read whatever they hold", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-canary-"));
  writeFileSync(join(folder, "state.db"), Buffer.concat([Buffer.from([0, 255, 254]), Buffer.from(SECRET), Buffer.from([128])]));
  const canaries = new Canaries();
  canaries.add("a token", SECRET);
  canaries.watch("the state", () => filesBelow(folder));
  canaries.search();
  rmSync(folder, { recursive: true });
  expect(canaries.takeLeaks()).toHaveLength(1);
  expect(filesBelow(join(folder, "gone"))).toEqual([]);
});
