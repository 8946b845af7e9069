// R-A1: the path is read once; what is routed, decided, recorded and forwarded is the same, for random paths too.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { ask, expectForwarded, http2Ask, mark, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

/** Pieces from which a path that some server misreads is made. */
const PIECES = [
  "/",
  "//",
  "/.",
  "/..",
  "/%2e%2e",
  "/..;x",
  "%2f",
  "%252f",
  "\\",
  "%5c",
  ";a=1",
  "admin",
  "%61dmin",
  "%2561dmin",
  "pub",
  ".",
  "%20",
  "~",
  "é",
];
const hostile = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 7 })
  .map((pieces) => `/${pieces.join("")}`.replace(/^\/\/?(?=[^/]|$)/, "/").replace("é", "%C3%A9"));

/** Naive on purpose: each way a server could read a path, as it is and decoded, in both orders. */
function naiveReadings(path: string): string[] {
  const readings = new Set<string>();
  for (const merge of [false, true]) {
    for (const cut of [false, true]) {
      for (const back of [false, true]) {
        let text = path;
        for (let decodings = 0; decodings <= 2; decodings++) {
          for (const from of [text, resolve(text) ?? text]) {
            let read = cut ? from.replace(/;[^/]*/g, "") : from;
            if (back) read = read.replaceAll("\\", "/");
            if (merge) read = read.replace(/\/+/g, "/");
            readings.add(resolve(read) ?? "above the root");
          }
          text = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
        }
      }
    }
  }
  return [...readings];
}

function resolve(path: string): string | undefined {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [index, segment] of segments.entries()) {
    const plain = segment.replace(/%2e/gi, ".");
    if (plain !== "." && plain !== "..") kept.push(segment);
    else {
      if (plain === ".." && kept.pop() === undefined) return undefined;
      if (index === segments.length - 1) kept.push("");
    }
  }
  return `/${kept.join("/")}`;
}

const inAdmin = (path: string): boolean => /^\/(?:admin|staff|files|\.sallyport)(?:\/|$)/.test(path);

test("R-A1: for random paths, what the origin gets was decided for every naive reading, byte for byte but for dot segments", async () => {
  await fc.assert(
    fc.asyncProperty(hostile, async (path) => {
      const before = mark(bed());
      const { status } = await ask(bed(), path);
      const opened = bed().opened.slice(before.opened);
      const received = bed().open.requests.slice(before.open);
      expect(bed().admin.requests).toHaveLength(before.admin);
      expect([200, 400, 401, 403]).toContain(status);
      if (status !== 200) {
        expect([opened, received]).toEqual([[], []]);
        return;
      }
      expect(opened.map((head) => head.path)).toEqual([resolve(path)]);
      expect(received.map(({ target }) => target)).toEqual([resolve(path)]);
      expect(naiveReadings(path).filter((reading) => inAdmin(reading) || reading === "above the root")).toEqual([]);
    }),
    { numRuns: 400 },
  );
  expect(bed().open.violations).toEqual([]);
});

test.each(["/a%2Fb/./c?x=1", "/p/../q%20r"])(
  "R-A1: %s is recorded as it was decided and forwarded, over HTTP/1.1 and HTTP/2",
  async (path) => {
    const one = await expectForwarded(bed(), write(path));
    expect((await http2Ask(bed(), pseudo(path))).status).toBe(200);
    expect(bed().open.requests.at(-1)?.target).toBe(one.target);
    const ids = bed()
      .open.requests.slice(-2)
      .flatMap((request) => request.values("sallyport-request-id"));
    expect(ids).toHaveLength(2);
    for (const id of ids) {
      const record = await eventually(() => records().find((line) => line["requestId"] === id), { what: `the record of ${id}` });
      expect(record["path"]).toBe(one.target.replace(/\?.*/, ""));
    }
  },
);

function records(): readonly Record<string, unknown>[] {
  const folder = join(bed().folder, "state", "records");
  const text = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
