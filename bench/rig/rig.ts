// Both sides in front of one origin, started together: visitor -> relay -> connector -> origin, and
// visitor -> nginx -> nginx -> origin. Everything ends with the stack.

import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../tests/harness/scratch.ts";
import { createAuthority } from "../../tests/harness/tls.ts";
import type { Rig } from "../measure/side.ts";
import { BODY_BYTES, LINE_BYTES, SMALL_BYTES, TRANSFER_BYTES } from "../settings.ts";
import { startNginxHop, startNginxOrigin } from "./nginx.ts";
import { startOurs } from "./ours.ts";
import type { Ours } from "./ours.ts";
import { startHelper, told } from "./program.ts";

export interface Origins {
  readonly folder: string;
  /** Answers /small, /body-64k, /line, /big. */
  readonly nginxPort: number;
  /** Answers everything below /sink with the number of bytes it got. */
  readonly sinkPort: number;
  /** A file of TRANSFER_BYTES. */
  readonly bigFile: string;
}

export interface RigOptions {
  readonly tls: boolean;
  /** Folder for CPU profiles of relay and connector. */
  readonly profile?: string | undefined;
}

export interface Bed extends Rig {
  /** As `headers`, for what is below /sink. */
  readonly sinkHeaders: Rig["headers"];
  readonly origins: Origins;
  readonly product: Ours;
}

export async function startOrigins(stack: AsyncDisposableStack): Promise<Origins> {
  const folder = scratchFolder(stack, "sallyport-bench");
  const root = join(folder, "files");
  mkdirSync(root);
  writeFileSync(join(root, "body-64k"), Buffer.alloc(BODY_BYTES, "b"));
  sparse(join(root, "line"), LINE_BYTES);
  const bigFile = join(root, "big");
  sparse(bigFile, TRANSFER_BYTES);
  const [nginx, sinkPort] = await Promise.all([
    startNginxOrigin(stack, folder, { root, smallBytes: SMALL_BYTES }),
    told(startHelper(stack, "sink"), "listening"),
  ]);
  return { folder, nginxPort: nginx.port, sinkPort, bigFile };
}

/** Zeros without disk behind them. */
function sparse(file: string, bytes: number): void {
  const handle = openSync(file, "w");
  ftruncateSync(handle, bytes);
  closeSync(handle);
}

export async function startRig(stack: AsyncDisposableStack, origins: Origins, { tls, profile }: RigOptions): Promise<Bed> {
  const { folder } = origins;
  const next = { "/": origins.nginxPort, "/sink": origins.sinkPort };
  const authority = tls ? await createAuthority(scratchFolder(stack, "sallyport-bench-ca")) : undefined;
  const [ours, issued] = await Promise.all([
    startOurs(stack, { origins: next, authority, profile }),
    authority?.issue("nginx", ["*.relay.localhost", "127.0.0.1"]),
  ]);
  const suffix = tls ? "-tls" : "";
  const second = await startNginxHop(stack, folder, { name: `nginx-second${suffix}`, next, tls: issued });
  const first = await startNginxHop(stack, folder, {
    name: `nginx-first${suffix}`,
    next: { "/": second.port },
    nextTls: tls,
    tls: issued,
  });
  return {
    origins,
    product: ours,
    headers: ours.headers,
    sinkHeaders: ours.headersOf["/sink"] ?? {},
    ours: ours.side,
    reference: { name: "reference", url: `${tls ? "https" : "http"}://127.0.0.1:${first.port}`, pids: [first.pid, second.pid] },
  };
}
