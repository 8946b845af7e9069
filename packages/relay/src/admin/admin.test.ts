import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "@sallyport/shared/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHealth } from "../observe/health.ts";
import { createMetrics } from "../observe/metrics.ts";
import { connectAdmin, localAdmin } from "./client.ts";
import { type AdminListener, createAdminListener } from "./listener.ts";
import { type AdminSocket, createAdminSocket } from "./socket.ts";

let folder: string;
const closing: (() => Promise<void> | void)[] = [];

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "sallyport-admin-"))));
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  rmSync(folder, { recursive: true });
});

const handlers = {
  ping: () => ({}),
  echo: (input: unknown) => input,
  refuse: () => {
    throw new SallyportError("ERR_CREDENTIAL_INPUT", "No such thing.");
  },
  fault: () => {
    throw new Error("secret detail");
  },
};

async function opened(onError: (error: unknown) => void = () => {}): Promise<AdminSocket> {
  const socket = await createAdminSocket({ folder, handlers, onError });
  closing.push(() => socket.close());
  return socket;
}

describe("the admin socket", () => {
  test("is private, answers operations, and is gone when it closes (R-L11)", async () => {
    const before = process.umask();
    const socket = await opened();
    expect(process.umask()).toBe(before);
    expect(statSync(socket.path).mode & 0o777).toBe(0o600);
    const client = await connectAdmin(folder);
    expect(client?.live).toBe(true);
    expect(await client?.call("echo", { a: [1, "ü"] })).toEqual({ a: [1, "ü"] });
    await socket.close();
    expect(await connectAdmin(folder)).toBeUndefined();
  });

  test("hands the code and message of what was refused to the client, and no detail of a fault", async () => {
    const errors: unknown[] = [];
    await opened((error) => errors.push(error));
    const client = await connectAdmin(folder);
    await expect(client?.call("refuse")).rejects.toMatchObject({ code: "ERR_CREDENTIAL_INPUT", message: "No such thing." });
    await expect(client?.call("fault")).rejects.toMatchObject({
      code: "ERR_ADMIN_FAULT",
      message: expect.not.stringContaining("secret") as string,
    });
    await expect(client?.call("constructor")).rejects.toMatchObject({ code: "ERR_ADMIN_OPERATION" });
    await expect(client?.call("echo", "x".repeat(1_100_000))).rejects.toThrow();
    expect(errors).toHaveLength(1);
  });

  test("takes the place of one that a killed relay left", async () => {
    const path = join(folder, "admin.sock");
    // A socket file without a listener: bound, renamed away from the close that would remove it, and moved back.
    const server = createServer().listen(`${path}.dead`);
    await new Promise((resolve) => server.once("listening", resolve));
    const { renameSync } = process.getBuiltinModule("node:fs");
    renameSync(`${path}.dead`, path);
    await new Promise((resolve) => server.close(resolve));
    expect(statSync(path).isSocket()).toBe(true);
    expect(await connectAdmin(folder)).toBeUndefined();
    await opened();
    expect((await connectAdmin(folder))?.live).toBe(true);
  });

  test("does not remove something else of its name, and refuses a path that is too long", async () => {
    writeFileSync(join(folder, "admin.sock"), "mine");
    await expect(opened()).rejects.toMatchObject({ code: "ERR_ADMIN_SOCKET" });
    folder = join(folder, "x".repeat(100));
    mkdirSync(folder);
    await expect(opened()).rejects.toMatchObject({ code: "ERR_ADMIN_SOCKET" });
    folder = join(folder, "..");
  });
});

test("operations run in the command's own process give the same types, and say when they need a relay", async () => {
  const client = localAdmin({ time: () => ({ at: new Date(0), none: undefined }) }, () => Promise.resolve());
  expect(await client.call("time")).toEqual({ at: "1970-01-01T00:00:00.000Z" });
  await expect(client.call("status")).rejects.toMatchObject({ code: "ERR_ADMIN_NOT_RUNNING" });
});

describe("the admin listener (R-L11)", () => {
  let listener: AdminListener;
  let ready = true;

  beforeEach(async () => {
    const metrics = createMetrics();
    const health = createHealth();
    health.add("record", () => (ready ? { ok: true } : { ok: false, problem: "the disk is full" }));
    listener = await createAdminListener({ host: "127.0.0.1", port: 0, metrics, health });
    closing.push(() => metrics.close());
    closing.push(() => listener.close());
  });

  function get(path: string, headers: IncomingHttpHeaders = {}, method = "GET"): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const call = request({ port: listener.port, host: "127.0.0.1", path, method, headers, agent: false }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      call.on("error", reject);
      call.end();
    });
  }

  test("answers metrics and health, and nothing else", async () => {
    expect(await get("/healthz")).toEqual({ status: 200, body: "ok\n" });
    expect((await get("/metrics")).body).toContain("process_resident_memory_bytes");
    expect((await get("/v1/ping")).status).toBe(404);
    expect((await get("/healthz", {}, "POST")).status).toBe(405);
  });

  test("says why it is not ready", async () => {
    expect((await get("/readyz")).status).toBe(200);
    ready = false;
    expect(await get("/readyz")).toEqual({ status: 503, body: "record: the disk is full\n" });
    ready = true;
  });

  test.each(["evil.example.com", "127.0.0.1.evil.com", "localhost.evil.com:9090", "127.0.0.1, evil.com", "a@127.0.0.1", "xn--localhost"])(
    "refuses Host %j",
    async (host) => {
      expect((await get("/metrics", { host })).status).toBe(421);
    },
  );

  test.each(["127.0.0.1:1", "localhost:9090", "[::1]:9090", "10.0.0.7"])("accepts Host %j", async (host) => {
    expect((await get("/healthz", { host })).status).toBe(200);
  });

  test("refuses requests that a page of another origin made", async () => {
    expect((await get("/metrics", { origin: "https://evil.example.com" })).status).toBe(403);
    expect((await get("/metrics", { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await get("/metrics", { "sec-fetch-site": "none" })).status).toBe(200);
  });

  test("says which address is taken", async () => {
    const { metrics, health } = { metrics: createMetrics(), health: createHealth() };
    closing.push(() => metrics.close());
    await expect(createAdminListener({ host: "127.0.0.1", port: listener.port, metrics, health })).rejects.toMatchObject({
      code: "ERR_ADMIN_LISTEN",
    });
  });
});
