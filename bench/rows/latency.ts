// Rows latency-1 and hol-p99: what one small answer takes, alone and while others download at full speed.

import { join } from "node:path";
import { Program } from "../../tests/harness/program.ts";
import { runLoad } from "../measure/load.ts";
import type { Load, Measured } from "../measure/load.ts";
import { alternate, compare, compareBy, median } from "../measure/pairs.ts";
import { cpuSeconds } from "../measure/cpu.ts";
import type { Rig, Side } from "../measure/side.ts";
import { DOWNLOADERS, HOL_VISITORS, SMALL_BYTES } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

const SCRIPT = join(import.meta.dirname, "..", "measure", "load.lua");
const SMALL = { path: "/small", bodyBytes: SMALL_BYTES, vary: true };
/** Downloads run longer than what is measured beside them, and are ended. */
const SPARE_SECONDS = 60;
/** The downloads must really have been there: least CPU seconds of the first hop per second, beyond doubt above idle. */
const LEAST_BUSY = 0.1;

async function latency(context: Context): Promise<Result> {
  const rig = await context.plain();
  const load: Load = { ...SMALL, visitors: 1, seconds: context.settings.runSeconds };
  await runLoad(rig, rig.ours, { ...load, seconds: context.settings.warmUpSeconds });
  const samples = await alternate(
    context.settings.pairs,
    () => runLoad(rig, rig.ours, load),
    () => runLoad(rig, rig.reference, load),
  );
  return { ...compareBy(samples, ({ p50Us }) => p50Us), unit: "us median" };
}

/** Small answers beside downloads of the big file over connections of their own. */
async function besideDownloads(rig: Rig, side: Side, load: Load): Promise<Measured> {
  const shape = ["-t", "1", "-c", String(DOWNLOADERS), "-d", `${load.seconds + SPARE_SECONDS}s`, "-s", SCRIPT, `${side.url}/big`];
  const args = [...shape, "--", "0", ...Object.entries(rig.headers).flat()];
  const downloads = new Program({ name: "downloads", command: "wrk", args });
  try {
    const before = cpuSeconds(side.pids[0]);
    const measured = await runLoad(rig, side, load);
    const busy = (cpuSeconds(side.pids[0]) - before) / load.seconds;
    if (downloads.exit !== undefined || busy < LEAST_BUSY) throw new Error(`the downloads did not run beside:\n${downloads.tail()}`);
    return measured;
  } finally {
    await downloads.stop("SIGKILL");
  }
}

async function headOfLine(context: Context): Promise<Result> {
  const rig = await context.plain();
  const load: Load = { ...SMALL, visitors: HOL_VISITORS, seconds: context.settings.runSeconds };
  const runs = async (side: Side): Promise<readonly Measured[]> => {
    const all: Measured[] = [];
    for (let pair = 0; pair < context.settings.pairs; pair += 1)
      all.push(await besideDownloads(rig, side, load), await runLoad(rig, side, load));
    return all;
  };
  const compared = (all: readonly Measured[]): ReturnType<typeof compare> => {
    const p99 = (index: number): number => all[index]?.p99Us ?? Number.NaN;
    return compare(Array.from({ length: all.length / 2 }, (_, pair) => ({ ours: p99(2 * pair), reference: p99(2 * pair + 1) })));
  };
  const nginx = compared(await runs(rig.reference));
  const note = `two nginx hops: ${median(nginx.runs.map(({ ours }) => ours)).toFixed(0)} us beside downloads, ratio ${nginx.ratio.toFixed(1)}`;
  return { ...compared(await runs(rig.ours)), unit: "us p99", notes: ["reference here: ours without downloads", note] };
}

export const LATENCY_ROWS: readonly Row[] = [
  {
    id: "latency-1",
    title: "median latency, one visitor, small answers",
    quick: false,
    goals: [
      { of: "ratio", atMost: 2 },
      { of: "ratio", atMost: 1.3 },
    ],
    needs: ["nginx", "wrk"],
    run: latency,
  },
  {
    id: "hol-p99",
    title: `p99 of small answers while ${DOWNLOADERS} visitors download, against without`,
    quick: false,
    goals: [{ of: "ratio", atMost: 3 }],
    needs: ["nginx", "wrk"],
    run: headOfLine,
  },
];
