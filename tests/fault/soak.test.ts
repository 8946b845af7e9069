// A soak run: mixed load while configurations reload, keys and credentials rotate, connectors and the relay restart in turns.
// Every exchange is counted, every failure needs an explanation, and what stays up ends with the memory and the handles it began
// with. A minute here; `pnpm soak --minutes 15` for longer.

import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { startConnector, type Connector } from "../harness/connector.ts";
import { mebibytes, openHandles, residentBytes } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay, type Relay } from "../harness/relay.ts";
import { eventually } from "../harness/scratch.ts";
import { serveSoak, SoakLoad, type Failure } from "./soak-load.ts";

const SECONDS = Number(process.env["SOAK_SECONDS"] ?? 60);
/** How long one turn of everything may take beyond the time asked for. */
const SLACK_MS = 180_000;
const BETWEEN_MS = 1_000;
const MAX_GROWTH_BYTES = 64 << 20;
const MAX_MORE_HANDLES = 4;

interface Rig {
  readonly relay: Relay;
  /** Restarted in turns; the one called `steady` never is. */
  readonly restarted: Connector;
  /** With a credential of its own, which is replaced; and how. */
  rotated: { readonly connector: Connector; readonly credentialId: string };
  readonly freshConnector: () => Promise<Rig["rotated"]>;
  readonly steady: Connector;
  readonly services: Readonly<Record<string, string>>;
}

async function startRig(stack: AsyncDisposableStack): Promise<Rig> {
  const origin = await startOrigin(stack, serveSoak);
  const echo = await startOrigin(stack, (_request, response) => response.end());
  const sockets = new WebSocketServer({ server: echo.server });
  sockets.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
  const services = { web: origin.url, echo: echo.url };
  const relay = await startRelay(stack, { applications: [{ name: "web" }, { name: "echo" }] });
  const restarted = await startConnector(stack, relay, { services });
  const freshConnector = async (): Promise<Rig["rotated"]> => {
    const known = new Set((await relay.credentials()).map(({ id }) => id));
    const credential = await relay.createCredential();
    const credentialId = (await relay.credentials()).find(({ id }) => !known.has(id))?.id ?? "";
    return { connector: await startConnector(stack, relay, { services, credential }), credentialId };
  };
  const rotated = await freshConnector();
  const steady = await startConnector(stack, relay, { services });
  return { relay, restarted, rotated, freshConnector, steady, services };
}

async function connected(relay: Relay): Promise<void> {
  await eventually(async () => (await relay.metric("sallyport_tunnel_connections")) === 6, { what: "all connections", timeoutMs: 60_000 });
}

type Turn = (rig: Rig, round: number) => Promise<void>;

/** What happens, in order. Only a restart of the single relay may cost anything: nobody listens meanwhile. */
const TURNS: Readonly<Record<string, Turn>> = {
  "connector restart": async ({ relay, restarted }) => {
    await restarted.stop();
    await restarted.start();
    await connected(relay);
  },
  "relay reload": async ({ relay }, round) => {
    const before = relay.program.output.length;
    const applications = relay.config()["applications"] as readonly unknown[];
    const extra = { name: "extra", hostname: `extra-${round}.relay.localhost`, tunnel: "office", service: "web", policies: ["public"] };
    relay.writeConfig({ applications: [...applications, extra] });
    relay.program.kill("SIGHUP");
    await eventually(() => /reload/i.test(relay.program.output.slice(before)), { what: "the relay to reload" });
  },
  "connector reload": async ({ steady, services }) => {
    for (const next of [{ ...services, extra: "hello" }, services]) {
      const reloads = steady.program.output.split("configuration reloaded").length;
      steady.writeConfig(next);
      steady.program.kill("SIGHUP");
      await eventually(() => steady.program.output.split("configuration reloaded").length > reloads, { what: "the connector to reload" });
    }
  },
  "key rotation": async ({ relay }) => void (await relay.mustRun("keys", "rotate")),
  "credential rotation": async (rig) => {
    const old = rig.rotated;
    rig.rotated = await rig.freshConnector();
    await old.connector.stop();
    await connected(rig.relay);
    await rig.relay.mustRun("credential", "revoke", old.credentialId);
  },
  "relay restart": async ({ relay }) => {
    await relay.stop();
    await relay.start();
    await connected(relay);
  },
};

interface Window {
  readonly turn: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Turns in rounds until the time is up, one whole round at least. */
async function disturb(rig: Rig, untilMs: number): Promise<readonly Window[]> {
  const windows: Window[] = [];
  for (let round = 0; round === 0 || performance.now() < untilMs; round++) {
    for (const [turn, run] of Object.entries(TURNS)) {
      if (round > 0 && performance.now() >= untilMs) break;
      const fromMs = performance.now();
      await run(rig, round);
      windows.push({ turn, fromMs, toMs: performance.now() });
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    }
  }
  return windows;
}

/** What a relay that is not there, or has no connector yet, looks like to visitors. A wrong answer is never explained. */
const AWAY = /ECONNREFUSED|ECONNRESET|EPIPE|socket hang up|aborted|closed while sending|closed with \d+|^503\b|response: 503/;

/** Nobody listens while the only relay restarts, and connectors are back a moment later. */
function explained({ fromMs, toMs, why }: Failure, windows: readonly Window[]): boolean {
  if (!AWAY.test(why)) return false;
  return windows.some((window) => window.turn === "relay restart" && fromMs <= window.toMs && toMs >= window.fromMs);
}

function byCause(failures: readonly Failure[]): string {
  const causes = new Map<string, number>();
  for (const { kind, why } of failures) {
    const cause = `${kind}: ${AWAY.exec(why)?.[0].trim() ?? why}`;
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }
  return [...causes].map(([cause, count]) => `  ${count} ${cause}`).join("\n");
}

test(`${SECONDS} s of mixed load while everything restarts in turns`, { timeout: SECONDS * 1_000 + SLACK_MS }, async () => {
  await using stack = new AsyncDisposableStack();
  const rig = await startRig(stack);
  const { relay, steady } = rig;
  const pid = steady.program.pid;
  const startedMs = performance.now();
  const load = new SoakLoad(relay, "web", "echo");
  await eventually(() => load.exchanges > 200, { what: "the load to run", timeoutMs: 60_000 });
  const beforeBytes = residentBytes(pid);
  const windows = await disturb(rig, startedMs + SECONDS * 1_000);
  await load.stop();

  const unexplained = load.failures.filter((failure) => !explained(failure, windows));
  const afterBytes = residentBytes(pid);
  console.info(
    [
      [...load.counts].map(([kind, count]) => `${count} ${kind}`).join(", "),
      `turns: ${windows.map(({ turn }) => turn).join(", ")}`,
      `${load.failures.length} failed, ${unexplained.length} of them without an explanation`,
      byCause(load.failures),
      `connector ${mebibytes(beforeBytes)} before, ${mebibytes(afterBytes)} after; relay ${mebibytes(residentBytes(relay.program.pid))}`,
    ].join("\n"),
  );
  expect(unexplained).toEqual([]);
  for (const kind of ["small", "download", "upload", "events", "websocket"])
    expect([kind, load.counts.get(kind)]).not.toEqual([kind, undefined]);
  expect(new Set(windows.map(({ turn }) => turn))).toEqual(new Set(Object.keys(TURNS)));
  expect(afterBytes - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES);
  await eventually(async () => (await relay.metric("sallyport_exchanges_active")) === 0, { what: "no exchange to be left" });
  // Kept connections to origins end within 4 s; then each program has what one has that never served anybody.
  const idle = await rig.freshConnector();
  const handles = openHandles(idle.connector.program.pid);
  await eventually(() => openHandles(pid) <= handles + MAX_MORE_HANDLES, {
    what: `the handles of the connector to fall to ${handles}`,
    context: () => `${openHandles(pid)} are open`,
  });
});
