// Rows small-rps, small-cpu, small-rps-tls and body-64k: many answers over kept connections, by wrk. Heads vary from
// request to request; the figure with identical heads stands beside it, because a cache of heads would flatter it.

import { runLoad } from "../measure/load.ts";
import type { Load, Measured } from "../measure/load.ts";
import { alternate, compareBy, median } from "../measure/pairs.ts";
import type { Samples } from "../measure/pairs.ts";
import type { Rig } from "../measure/side.ts";
import { BODY_BYTES, BODY_VISITORS, SMALL_BYTES, SMALL_VISITORS } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

const SMALL = { path: "/small", visitors: SMALL_VISITORS, bodyBytes: SMALL_BYTES };
const BODY = { path: "/body-64k", visitors: BODY_VISITORS, bodyBytes: BODY_BYTES };
/** Nothing in it is compiled while it runs. */
const REFERENCE_WARM_UP_SECONDS = 1;
const LOAD_TOOLS = ["nginx", "wrk"];

interface Both {
  readonly varied: Samples<Measured>;
  /** Where heads weigh enough to matter. */
  readonly identical?: Samples<Measured>;
}

type Shape = Omit<Load, "seconds" | "vary">;

async function samples(context: Context, rig: Rig, shape: Shape, vary: boolean): Promise<Samples<Measured>> {
  const { pairs, runSeconds } = context.settings;
  const load = { ...shape, seconds: runSeconds, vary };
  return await alternate(
    pairs,
    () => runLoad(rig, rig.ours, load),
    () => runLoad(rig, rig.reference, load),
  );
}

async function both(context: Context, rig: Rig, shape: Shape, withIdentical: boolean): Promise<Both> {
  await runLoad(rig, rig.ours, { ...shape, seconds: context.settings.warmUpSeconds, vary: true });
  await runLoad(rig, rig.reference, { ...shape, seconds: REFERENCE_WARM_UP_SECONDS, vary: true });
  const varied = await samples(context, rig, shape, true);
  return withIdentical ? { varied, identical: await samples(context, rig, shape, false) } : { varied };
}

function result({ varied, identical }: Both, unit: string, figure: (measured: Measured) => number, notes: readonly string[] = []): Result {
  const variants = identical === undefined ? [] : [{ name: "identical heads", ...compareBy(identical, figure) }];
  return { ...compareBy(varied, figure), unit, variants, notes };
}

const total = ({ cpuUs }: Measured): number => cpuUs.reduce((sum, hop) => sum + hop, 0);
const hop = (measured: readonly Measured[], index: number): string => median(measured.map(({ cpuUs }) => cpuUs[index] ?? 0)).toFixed(1);

/** CPU says more than speed where other work shares the cores. */
function cpuNote({ varied }: Both): string {
  return `CPU per request, ratio ${compareBy(varied, total).ratio.toFixed(2)}: ${hops(varied)}`;
}

function hops({ ours, reference }: Samples<Measured>): string {
  return `relay ${hop(ours, 0)} + connector ${hop(ours, 1)} us; nginx ${hop(reference, 0)} + ${hop(reference, 1)} us`;
}

function smallPlain(context: Context): Promise<Both> {
  return context.once("small-plain", async () => await both(context, await context.plain(), SMALL, true));
}

export const SMALL_ROWS: readonly Row[] = [
  {
    id: "small-rps",
    title: `answers of ${SMALL_BYTES} bytes, ${SMALL_VISITORS} visitors, plain HTTP`,
    quick: true,
    goals: [
      { of: "ratio", atLeast: 0.6 },
      { of: "ratio", atLeast: 1 },
    ],
    needs: LOAD_TOOLS,
    run: async (context) => {
      const measured = await smallPlain(context);
      const p99 = median(measured.varied.ours.map(({ p99Us }) => p99Us));
      return result(measured, "requests/s", ({ requestsPerSecond }) => requestsPerSecond, [`p99 of ours ${(p99 / 1000).toFixed(1)} ms`]);
    },
  },
  {
    id: "small-cpu",
    title: "CPU of both hops per request, same runs",
    quick: true,
    goals: [
      { of: "ratio", atMost: 1.6 },
      { of: "ratio", atMost: 1 },
    ],
    needs: LOAD_TOOLS,
    run: async (context) => {
      const measured = await smallPlain(context);
      return result(measured, "us CPU/request", total, [hops(measured.varied)]);
    },
  },
  {
    id: "small-rps-tls",
    title: "the same, TLS at the entrance and between the hops",
    quick: true,
    goals: [
      { of: "ratio", atLeast: 0.6 },
      { of: "ratio", atLeast: 1 },
    ],
    needs: [...LOAD_TOOLS, "openssl"],
    run: async (context) => {
      const measured = await both(context, await context.tls(), SMALL, false);
      return result(measured, "requests/s", ({ requestsPerSecond }) => requestsPerSecond, [cpuNote(measured)]);
    },
  },
  {
    id: "body-64k",
    title: `answers of 64 KiB, ${BODY_VISITORS} visitors`,
    quick: true,
    goals: [
      { of: "ratio", atLeast: 0.6 },
      { of: "ratio", atLeast: 0.9 },
    ],
    needs: LOAD_TOOLS,
    run: async (context) => {
      const measured = await both(context, await context.plain(), BODY, false);
      return result(measured, "MB/s", ({ bodyBytesPerSecond }) => bodyBytesPerSecond / 1e6, [cpuNote(measured)]);
    },
  },
];
