// What the rows share in one run: origins and rigs are started when the first row needs them, and end with the run.

import { resolve } from "node:path";
import type { Options } from "./options.ts";
import { startOrigins, startRig } from "./rig/rig.ts";
import type { Bed, Origins } from "./rig/rig.ts";
import type { Context } from "./rows/row.ts";
import { FULL, QUICK } from "./settings.ts";

export function createContext(stack: AsyncDisposableStack, options: Pick<Options, "quick" | "profile">): Context {
  const kept = new Map<string, Promise<unknown>>();
  const once = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const known = kept.get(key) ?? work();
    kept.set(key, known);
    return known as Promise<T>;
  };
  const origins = (): Promise<Origins> => once("origins", () => startOrigins(stack));
  const rig = (tls: boolean): Promise<Bed> =>
    once(
      `rig-${tls}`,
      async () =>
        await startRig(stack, await origins(), { tls, profile: options.profile === undefined ? undefined : resolve(options.profile) }),
    );
  return {
    settings: options.quick ? QUICK : FULL,
    origins,
    plain: () => rig(false),
    tls: () => rig(true),
    once,
    progress: (text) => process.stderr.write(process.stderr.isTTY ? `... ${text}\n` : ""),
  };
}
