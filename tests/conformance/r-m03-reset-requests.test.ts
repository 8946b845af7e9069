// R-M3: a request leaves exactly one record whenever its visitor takes it back: in the same read, before, while and after it is
// answered (HTTP/2).

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { END_HEADERS, END_STREAM, Http2Frame, RawHttp2 } from "./support/raw-http2.ts";
import { ask, pseudo } from "./support/visit.ts";

const bed = useBed();
const CANCEL = Buffer.from([0, 0, 0, 8]);

function recordsOf(path: string): readonly Readonly<Record<string, unknown>>[] {
  const folder = join(bed().folder, "state", "records");
  return readdirSync(folder)
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ kind, path: recorded }) => kind === "request" && String(recorded).startsWith(path));
}

/** Records are written in order: when a later one is there, none is still to come. */
async function settled(count: number, path: string): Promise<void> {
  await eventually(() => recordsOf(path).length >= count, {
    what: `${count} records of ${path}`,
    context: () => `${recordsOf(path).length}`,
  });
  await ask(bed(), `/after${path}`);
  await eventually(() => recordsOf(`/after${path}`).length === 1, { what: "the later record" });
}

describe("R-M3: requests that are taken back", () => {
  test.each<[string, number]>([
    ["with a head that ended the request", END_HEADERS | END_STREAM],
    ["with a body to come", END_HEADERS],
  ])("in the same read, %s: one record each", async (name, flags) => {
    const path = `/at-once-${String(flags)}-${name.length}`;
    using visitor = await RawHttp2.connect(bed());
    visitor.headers(1, pseudo("/warm"), END_HEADERS | END_STREAM);
    await visitor.answered();
    visitor.together(() => {
      for (let i = 0; i < 10; i++) {
        visitor.headers(2 * i + 3, pseudo(`${path}/${i}`), flags);
        visitor.frame(Http2Frame.RST_STREAM, 0, 2 * i + 3, CANCEL);
      }
    });
    await settled(10, path);
    const records = recordsOf(path);
    expect(records.map(({ path: recorded }) => recorded).toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => `${path}/${i}`));
  });

  test("while the origin is silent: one record", async () => {
    bed().open.respond = () => undefined;
    using visitor = await RawHttp2.connect(bed());
    visitor.headers(1, pseudo("/silent"), END_HEADERS | END_STREAM);
    await eventually(() => bed().open.requests.some(({ target }) => target === "/silent"), { what: "the origin to hear of it" });
    visitor.frame(Http2Frame.RST_STREAM, 0, 1, CANCEL);
    bed().open.reset();
    await settled(1, "/silent");
    expect(recordsOf("/silent")).toHaveLength(1);
  });
});
