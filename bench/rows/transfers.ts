// Rows download-1g and upload-1g: one big body, alone on the machine.

import { alternate, compareBy } from "../measure/pairs.ts";
import type { Side } from "../measure/side.ts";
import { transfer } from "../measure/transfer.ts";
import { TRANSFER_BYTES } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

async function compareTransfers(context: Context, path: string, upload: boolean): Promise<Result> {
  const rig = await context.plain();
  const file = upload ? { upload: rig.origins.bigFile } : {};
  const run = (side: Side): Promise<number> => transfer({ url: side.url + path, headers: rig.headers, bytes: TRANSFER_BYTES, ...file });
  const samples = await alternate(
    context.settings.transferPairs,
    () => run(rig.ours),
    () => run(rig.reference),
  );
  return { ...compareBy(samples, (bytesPerSecond) => bytesPerSecond / 1e6), unit: "MB/s" };
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
