// Where the CPU went: self time by function of every profile that `pnpm bench --profile FOLDER` left in a folder.
// Usage: node bench/programs/top.ts FOLDER [LINES]

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DEFAULT_LINES = 30;
/** Folders of a source path that are worth a column. */
const PATH_PARTS = 3;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Microseconds by function, most first. */
function selfTimes({ nodes, samples, timeDeltas }: Profile): readonly (readonly [string, number])[] {
  const names = new Map(
    nodes.map(({ id, callFrame }) => {
      const file = callFrame.url.split("/").slice(-PATH_PARTS).join("/");
      return [id, `${callFrame.functionName || "(anonymous)"} ${file}:${callFrame.lineNumber + 1}`];
    }),
  );
  const self = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? "?";
    self.set(name, (self.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  });
  return [...self].toSorted(([, a], [, b]) => b - a);
}

const [folder = ".", count = String(DEFAULT_LINES)] = process.argv.slice(2);
for (const file of readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"))) {
  const times = selfTimes(JSON.parse(readFileSync(join(folder, file), "utf8")) as Profile).filter(([name]) => !name.startsWith("(idle)"));
  const total = times.reduce((sum, [, us]) => sum + us, 0);
  process.stdout.write(`${file}: ${(total / 1000).toFixed(0)} ms busy\n`);
  for (const [name, us] of times.slice(0, Number(count))) {
    process.stdout.write(`${((100 * us) / total).toFixed(1).padStart(6)} % ${(us / 1000).toFixed(0).padStart(7)} ms  ${name}\n`);
  }
}
