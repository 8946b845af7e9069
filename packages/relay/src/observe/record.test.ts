import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { write } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { ManualClock } from "@sallyport/shared/clock";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WriteFunction } from "./record-files.ts";
import type { RequestRecord } from "./record-line.ts";
import {
  createRecorder,
  FLUSH_DELAY_MS,
  HEAD_INTERVAL_MS,
  type IndexedEvent,
  type Recorder,
  type RecorderOptions,
  RETRY_DELAY_MS,
} from "./record.ts";
import { verifyRecords } from "./record-verify.ts";

const key = generateKeyPairSync("ed25519");
const LIMITS = { maxFileBytes: 1e6, maxTotalBytes: 1e7, maxAgeMs: 1e12 };
const REQUEST: RequestRecord = {
  requestId: "r1",
  identity: { kind: "service", tokenId: "st_1", name: "ci" },
  application: "grafana",
  tunnel: "office",
  connectorId: "c1",
  sourceIp: "192.0.2.7",
  sourceFrom: "socket",
  method: "GET",
  host: "grafana.example.com",
  path: "/d/1",
  userAgent: "curl/8",
  policy: "ci",
  decision: "allow",
  reason: "policy-allow",
  code: undefined,
  status: 200,
  answeredBy: "origin",
  bytesIn: 0,
  bytesOut: 512,
  durationMs: 12.3456789,
  decisionMs: 0.05,
  headMs: 11,
};

let folder: string;
let clock: ManualClock;
let head: string | undefined;
let full: boolean;
let indexed: IndexedEvent[];
let errors: unknown[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-record-"));
  clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  head = undefined;
  full = false;
  indexed = [];
  errors = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A disk that, when full, takes half of what it is given and refuses the rest. */
const disk: WriteFunction = (fd, bytes, offset) =>
  new Promise((resolve, reject) => {
    const length = full ? Math.floor((bytes.length - offset) / 2) : bytes.length - offset;
    write(fd, bytes, offset, length, null, (error, written) => {
      if (error !== null) reject(error);
      else if (full) reject(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));
      else resolve(written);
    });
  });

function recorder(options: Partial<RecorderOptions> = {}): Recorder {
  return createRecorder({
    folder,
    limits: LIMITS,
    clock,
    signingKey: key.privateKey,
    write: disk,
    onError: (error) => errors.push(error),
    head: { read: () => head, write: (text) => void (head = text) },
    index: (events) => indexed.push(...events),
    ...options,
  });
}

const fileNames = (): string[] => readdirSync(folder).toSorted();
const readFiles = (): string =>
  fileNames()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
const lines = (): Record<string, unknown>[] =>
  readFiles()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const records = (): Record<string, unknown>[] => lines().filter((line) => line["kind"] !== "batch");
const verify = (): string => {
  const result = verifyRecords(folder, { keys: [key.publicKey], head });
  return result.kind === "intact" ? "intact" : result.problem;
};

describe("a record", () => {
  test("of a request holds its fields on one line, and no others", async () => {
    const recording = recorder();
    recording.request(REQUEST);
    await recording.close();
    expect(records()).toEqual([
      {
        seq: 1,
        time: "2026-01-01T12:00:00.000Z",
        kind: "request",
        requestId: "r1",
        application: "grafana",
        identity: "service",
        tokenId: "st_1",
        tokenName: "ci",
        sourceIp: "192.0.2.7",
        sourceFrom: "socket",
        method: "GET",
        host: "grafana.example.com",
        path: "/d/1",
        userAgent: "curl/8",
        decision: "allow",
        policy: "ci",
        reason: "policy-allow",
        status: 200,
        answeredBy: "origin",
        tunnel: "office",
        connectorId: "c1",
        bytesIn: 0,
        bytesOut: 512,
        durationMs: 12.346,
        decisionMs: 0.05,
        headMs: 11,
      },
    ]);
  });

  test("of a person holds a hash of the session id, never the id (R-M5)", async () => {
    const recording = recorder();
    const person = { kind: "person", provider: "corp", subject: "42", email: "a@example.com", sessionId: "secret-session" } as const;
    const unused = { name: undefined, groups: undefined, authMethods: undefined, claims: { token: "claim-secret" } };
    recording.request({ ...REQUEST, identity: { ...person, ...unused } });
    await recording.close();
    expect(records()[0]).toMatchObject({
      identity: "person",
      provider: "corp",
      subject: "42",
      email: "a@example.com",
      sessionHash: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(readFiles()).not.toMatch(/secret-session|claim-secret/);
  });

  test("stays one line whatever a stranger puts into it (R-M1)", async () => {
    const recording = recorder();
    const hostile = 'x\r\n{"seq":9}\u2028\u202e\u001b[2J"';
    recording.request({ ...REQUEST, path: hostile, userAgent: hostile, host: hostile, method: hostile, reason: hostile });
    recording.event("test", hostile, { detail: hostile });
    await recording.close();
    expect(records().map((record) => record["path"] ?? record["detail"])).toEqual([hostile, hostile]);
    expect(verify()).toBe("intact");
  });

  test("is written soon by itself, in batches that number everything without a gap", async () => {
    const recording = recorder();
    for (let n = 0; n < 3; n += 1) {
      recording.request(REQUEST);
      recording.event("credential.created", "command", { credentialId: `c${n}` });
      clock.advance(FLUSH_DELAY_MS);
      await recording.flush();
    }
    expect(lines().map((line) => line["seq"])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(indexed.map((event) => [event.seq, event.ids["credentialId"]])).toEqual([
      [2, "c0"],
      [5, "c1"],
      [8, "c2"],
    ]);
    await recording.close();
    expect(verify()).toBe("intact");
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("refusals of strangers", () => {
  test("are one record for each network, code and second, and a count of the rest", async () => {
    const recording = recorder();
    const refused = { ...REQUEST, identity: undefined, code: "ERR_HOST_UNKNOWN" };
    for (let n = 0; n < 100; n += 1) recording.refusal({ ...refused, sourceIp: `192.0.2.${n}` });
    recording.refusal({ ...refused, sourceIp: "::ffff:192.0.2.9" });
    recording.refusal({ ...refused, sourceIp: "2001:db8::1" });
    recording.refusal({ ...refused, sourceIp: "2001:db8::2:0:0:1" });
    recording.refusal({ ...refused, sourceIp: "2001:db8:0:1::1" });
    recording.refusal({ ...refused, code: "ERR_PATH" });
    clock.advance(1_000);
    recording.refusal(refused);
    await recording.close();
    expect(records().filter((record) => record["kind"] === "request")).toHaveLength(5);
    expect(
      records()
        .filter((record) => record["kind"] === "refusals")
        .map(({ source, code, count }) => [source, code, count]),
    ).toEqual([
      ["192.0.2.0/24", "ERR_HOST_UNKNOWN", 100],
      ["2001:db8::/64", "ERR_HOST_UNKNOWN", 1],
    ]);
    expect(recording.counts().coalesced).toBe(101);
  });

  test("from any number of networks are bounded, and none is lost from the counts", async () => {
    const recording = recorder();
    for (let n = 0; n < 10_000; n += 1) recording.refusal({ ...REQUEST, code: "ERR_X", sourceIp: `10.${n >> 8}.${n & 255}.1` });
    await recording.close();
    const own = records().filter((record) => record["kind"] === "request").length;
    const counted = records().reduce((sum, record) => sum + Number(record["count"] ?? 0), 0);
    expect(own).toBe(4_096);
    expect(own + counted).toBe(10_000);
  });
});

describe("a disk that is full (R-M5)", () => {
  test("loses nothing while the buffer holds, and leaves no half batch in the file", async () => {
    const recording = recorder();
    recording.request(REQUEST);
    await recording.flush();
    full = true;
    recording.request(REQUEST);
    await recording.flush();
    recording.request(REQUEST);
    expect(recording.failing).toBe(false);
    expect(errors).toHaveLength(1);
    full = false;
    clock.advance(RETRY_DELAY_MS);
    await recording.close();
    expect(records()).toHaveLength(3);
    expect(verify()).toBe("intact");
  });

  test("beyond the buffer makes the recorder failing until it can write again, and the loss is recorded", async () => {
    const recording = recorder({ maxBufferedBytes: 3_000 });
    full = true;
    for (let n = 0; n < 20; n += 1) recording.request(REQUEST);
    expect(recording.failing).toBe(true);
    const { dropped } = recording.counts();
    expect(dropped).toBeGreaterThan(0);
    await recording.flush();
    expect(recording.failing).toBe(true);
    full = false;
    clock.advance(RETRY_DELAY_MS);
    await recording.flush();
    expect(recording.failing).toBe(false);
    await recording.close();
    expect(records().filter((record) => record["kind"] === "request")).toHaveLength(20 - dropped);
    expect(records().find((record) => record["type"] === "record.dropped")).toMatchObject({ count: dropped });
    expect(verify()).toBe("intact");
  });

  test("at the end is an error, not a silent loss", async () => {
    const recording = recorder();
    full = true;
    recording.request(REQUEST);
    await expect(recording.close()).rejects.toMatchObject({ code: "ERR_RECORD_WRITE" });
  });
});

describe("files of the record", () => {
  test("rotate by size and are deleted by total size, which the record itself tells (R-M5)", async () => {
    const recording = recorder({ limits: { ...LIMITS, maxFileBytes: 2_000, maxTotalBytes: 8_000 } });
    for (let n = 0; n < 60; n += 1) {
      recording.request(REQUEST);
      await recording.flush();
    }
    await recording.close();
    expect(readFiles().length).toBeLessThan(8_000 + 2 * 2_800);
    expect(records().some((record) => record["type"] === "record.removed")).toBe(true);
    expect(verify()).toBe("intact");
    rmSync(join(folder, fileNames()[0] ?? ""));
    expect(verify()).toBe("start");
  });

  test("go on with the numbers and the chain after a restart (R-M4)", async () => {
    for (let n = 0; n < 3; n += 1) {
      const recording = recorder();
      recording.request(REQUEST);
      await recording.close();
    }
    expect(lines().map((line) => line["seq"])).toEqual([1, 2, 3, 4, 5, 6]);
    expect(verify()).toBe("intact");
  });

  test("that end in unsealed and half-written lines after a kill are sealed and marked at the next start", async () => {
    const first = recorder();
    first.request(REQUEST);
    await first.close();
    const path = join(folder, fileNames()[0] ?? "");
    appendFileSync(path, '{"seq":3,"time":"x","kind":"request"}\n{"seq":4,"ti');
    expect(verifyRecords(folder)).toMatchObject({ kind: "intact", recovered: 0, unsealedBytes: 50 });
    const second = recorder();
    second.request(REQUEST);
    await second.close();
    expect(lines().map((line) => line["seq"])).toEqual([1, 2, 3, 4, 5, 6]);
    expect(verifyRecords(folder, { keys: [key.publicKey], head })).toMatchObject({ kind: "intact", recovered: 1, records: 3 });
  });
});

describe("audit verify finds (R-M4)", () => {
  beforeEach(async () => {
    const recording = recorder({ limits: { ...LIMITS, maxFileBytes: 2_500 } });
    for (let n = 0; n < 9; n += 1) {
      recording.request({ ...REQUEST, requestId: `a${n}` });
      recording.request({ ...REQUEST, requestId: `b${n}` });
      await recording.flush();
      clock.advance(HEAD_INTERVAL_MS);
    }
    await recording.close();
    expect(fileNames().length).toBeGreaterThan(2);
    expect(verify()).toBe("intact");
  });

  function edit(change: (fileLines: string[]) => string[], index = 0): void {
    const path = join(folder, fileNames()[index] ?? "");
    writeFileSync(path, change(readFileSync(path, "utf8").split("\n")).join("\n"));
  }

  test("an edited record", () => {
    edit((all) => all.map((line, n) => (n === 0 ? line.replace('"status":200', '"status":403') : line)));
    expect(verify()).toBe("hash");
  });
  test("a deleted record", () => {
    edit((all) => all.slice(1));
    expect(verify()).toBe("hash");
  });
  test("a deleted batch", () => {
    const text = readFileSync(join(folder, fileNames()[0] ?? ""), "utf8").split("\n");
    const ends = text.flatMap((line, n) => (line.includes('"kind":"batch"') ? [n] : []));
    edit((all) => [...all.slice(0, (ends[0] ?? 0) + 1), ...all.slice((ends[1] ?? 0) + 1)]);
    expect(verify()).toBe("link");
  });
  test("two records in another order", () => {
    edit((all) => {
      const n = all.findIndex((line, at) => line.includes('"request"') && all[at + 1]?.includes('"request"') === true);
      expect(n).toBeGreaterThanOrEqual(0);
      return [...all.slice(0, n), all[n + 1] ?? "", all[n] ?? "", ...all.slice(n + 2)];
    });
    expect(verify()).toBe("hash");
  });
  test("a deleted file in the middle or at the start", () => {
    const [first, middle] = fileNames();
    rmSync(join(folder, middle ?? ""));
    expect(verify()).toBe("link");
    rmSync(join(folder, first ?? ""));
    expect(verify()).toBe("start");
  });
  test("a deleted first file", () => {
    rmSync(join(folder, fileNames()[0] ?? ""));
    expect(verify()).toBe("start");
  });
  test("an end that was cut off", () => {
    edit(
      (all) =>
        all.slice(
          0,
          all.findIndex((line) => line.includes('"kind":"batch"')),
        ),
      fileNames().length - 1,
    );
    expect(verify()).toBe("end");
    rmSync(join(folder, fileNames().at(-1) ?? ""));
    expect(verify()).toBe("end");
  });
  test("a whole chain that somebody without the key made anew", async () => {
    const forged = mkdtempSync(join(tmpdir(), "sallyport-forged-"));
    const recording = createRecorder({ folder: forged, limits: LIMITS, clock, signingKey: generateKeyPairSync("ed25519").privateKey });
    recording.request(REQUEST);
    await recording.close();
    expect(verifyRecords(forged).kind).toBe("intact");
    expect(verifyRecords(forged, { keys: [key.publicKey] })).toMatchObject({ problem: "signature" });
    rmSync(forged, { recursive: true });
  });
});
