// Rows download-1g and upload-1g: one big body, alone on the machine.

import { alternate, compareBy } from "../measure/pairs.ts";
import { cpuSecondsOf } from "../measure/cpu.ts";
import type { Side } from "../measure/side.ts";
import { transfer } from "../measure/transfer.ts";
import { TRANSFER_BYTES } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

interface Measured {
  readonly bytesPerSecond: number;
  readonly cpuSeconds: number;
}

async function compareTransfers(context: Context, path: string, upload: boolean): Promise<Result> {
  const rig = await context.plain();
  const file = upload ? { upload: rig.origins.bigFile } : {};
  const cpu = (side: Side): number => cpuSecondsOf(side.pids).reduce((sum, seconds) => sum + seconds, 0);
  const run = async (side: Side): Promise<Measured> => {
    const before = cpu(side);
    const bytesPerSecond = await transfer({
      url: side.url + path,
      headers: upload ? rig.sinkHeaders : rig.headers,
      bytes: TRANSFER_BYTES,
      ...file,
    });
    return { bytesPerSecond, cpuSeconds: cpu(side) - before };
  };
  const samples = await alternate(
    context.settings.transferPairs,
    () => run(rig.ours),
    () => run(rig.reference),
  );
  const used = compareBy(samples, ({ cpuSeconds }) => cpuSeconds);
  const note = `CPU of both hops per GB, ratio ${used.ratio.toFixed(2)}: ours ${used.ours.toFixed(2)} s, nginx ${used.reference.toFixed(2)} s`;
  return { ...compareBy(samples, ({ bytesPerSecond }) => bytesPerSecond / 1e6), unit: "MB/s", notes: [note] };
}

export const TRANSFER_ROWS: readonly Row[] = [
  {
    id: "download-1g",
    title: "one download of 1 GB",
    quick: true,
    goals: [{ of: "ratio", atLeast: 1 }],
    needs: ["nginx", "curl"],
    run: (context) => compareTransfers(context, "/big", false),
  },
  {
    id: "upload-1g",
    title: "one upload of 1 GB",
    quick: false,
    goals: [{ of: "ratio", atLeast: 1 }],
    needs: ["nginx", "curl"],
    run: (context) => compareTransfers(context, "/sink/upload", true),
  },
];
