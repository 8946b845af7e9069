// The record: access log and audit in one (A18). One line per request, one per event, in memory first, then appended in
// batches by one writer at a time; the request path never waits for a disk. When the disk refuses, lines wait up to a
// bound, then `failing` is true and the pipeline closes protected applications (R-M5) until writing works again.
//
// Durability: a clean stop loses nothing. A killed process loses at most what FLUSH_DELAY_MS gathered. A loss of power
// loses at most SYNC_INTERVAL_MS more: syncing each batch would wear a disk out to protect a log line.
//
// Measured on Node 26: 3 to 4 us of CPU per request record of 620 bytes, the batch's hash, signature and write included.

import type { KeyObject } from "node:crypto";
import { SallyportError } from "@sallyport/shared/errors";
import { type Clock, systemClock, type Timer } from "@sallyport/shared/clock";
import { createCoalescer } from "./coalesce.ts";
import { LineBuffer } from "./line-buffer.ts";
import { type ChainHead, formatHead, sealBatch } from "./record-chain.ts";
import { openRecordFiles, type RecordLimits, type WriteFunction } from "./record-files.ts";
import { type EventFields, eventLine, refusalsLine, type RequestRecord, requestLine, timestamp } from "./record-line.ts";
import { recoverChain } from "./record-recover.ts";

/** How long lines are gathered before they are written. */
export const FLUSH_DELAY_MS = 50;
/** Lines that wait are written at once when they reach this size. */
export const FLUSH_BYTES = 262_144;
/** Room for the line that reaches that size, and for the one that seals the batch. */
const LINE_ROOM_BYTES = 65_536;
/** How often written lines are synced to the disk, and the head of the chain is stored. */
export const SYNC_INTERVAL_MS = 1_000;
export const HEAD_INTERVAL_MS = 60_000;
/** How long to wait after a failed write. */
export const RETRY_DELAY_MS = 1_000;
/** Default bound of lines that wait. */
export const MAX_BUFFERED_BYTES = 16_777_216;

export interface IndexedEvent {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly actor: string;
  readonly ids: Readonly<Record<string, string>>;
}

export interface RecorderOptions {
  /** Absolute path of the folder of the record files; created with mode 0700. */
  readonly folder: string;
  readonly limits: RecordLimits;
  readonly clock?: Clock;
  /** Ed25519 key that signs each batch; undefined leaves the chain unsigned. */
  readonly signingKey?: KeyObject;
  /** Bytes of lines that may wait for the disk. Default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** Receives events for the index, after they are in the file. May throw: the index is a convenience, the file is the record. */
  readonly index?: (events: readonly IndexedEvent[]) => void;
  /** Where the head of the chain is kept apart from the files, so that cutting their end off is noticed. */
  readonly head?: { read(): string | undefined; write(head: string): void };
  /** Told of each failed write and of its end; never told of single records. */
  readonly onError?: (error: unknown) => void;
  /** For tests. */
  readonly write?: WriteFunction;
}

export interface RecorderCounts {
  readonly written: number;
  /** Lost because the buffer was full. */
  readonly dropped: number;
  /** Refusals that were counted instead of written. */
  readonly coalesced: number;
  readonly writeErrors: number;
  readonly bufferedBytes: number;
}

export interface Recorder {
  request(record: RequestRecord): void;
  /** A request without identity that was refused: written, or counted when its like was written in this second. */
  refusal(record: RequestRecord): void;
  /** A security event. `actor`: `command`, `relay`, or who else did it. */
  event(type: string, actor: string, fields: EventFields): void;
  /** True while lines are lost: protected applications must answer 503. Recovers by itself. */
  readonly failing: boolean;
  counts(): RecorderCounts;
  /** Resolves when everything recorded so far is written, or a write failed. */
  flush(): Promise<void>;
  /** Writes and syncs everything; rejects when that fails. Nothing may be recorded afterwards. */
  close(): Promise<void>;
}

/** @throws when the folder cannot be used at all: a relay that cannot record does not start. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { clock = systemClock, maxBufferedBytes = MAX_BUFFERED_BYTES, onError = () => {} } = options;
  const recovered = recoverChain(options.folder, options.head?.read(), timestamp(clock.now()), options.signingKey);
  let chain: ChainHead = recovered.head;
  let seq = recovered.lastSeq;
  const files = openRecordFiles(options.folder, options.limits, seq + 1, clock.now(), options.write);
  const coalescer = createCoalescer();

  const lines = new LineBuffer(FLUSH_BYTES + LINE_ROOM_BYTES);
  let waiting = 0;
  let events: IndexedEvent[] = [];
  /** A batch that is being written or waits to be tried again. */
  let batch: Batch | undefined;
  let writing: Promise<void> | undefined;
  let flushTimer: Timer | undefined;
  let coalesceTimer: Timer | undefined;
  let failing = false;
  let droppedSince = 0;
  /** True from a failed write to the next one that works. */
  let broken = false;
  let syncedAt = clock.monotonic();
  let headAt = clock.monotonic();
  let storedHead = recovered.head.seq;
  const counts = { written: 0, dropped: 0, coalesced: 0, writeErrors: 0 };

  /** Takes the line with the number `seq + 1`, or drops it: a number is used up only by a line that will be written. */
  function add(line: string): boolean {
    if (lines.length + (batch?.bytes.length ?? 0) + line.length > maxBufferedBytes) {
      failing = true;
      counts.dropped += 1;
      droppedSince += 1;
      return false;
    }
    seq += 1;
    waiting += 1;
    lines.append(line);
    if (lines.length >= FLUSH_BYTES && !broken) start();
    else flushTimer ??= clock.after(FLUSH_DELAY_MS, onFlushTimer);
    return true;
  }

  function writeRequest(request: RequestRecord): void {
    add(requestLine(seq + 1, timestamp(clock.now()), request));
  }

  function writeEvent(type: string, actor: string, fields: EventFields): void {
    const at = clock.now();
    if (add(eventLine(seq + 1, timestamp(at), type, actor, fields))) events.push({ seq, at, type, actor, ids: textFields(fields) });
  }

  function writeCoalesced(): void {
    coalesceTimer = undefined;
    for (const { network, code, count } of coalescer.take()) add(refusalsLine(seq + 1, timestamp(clock.now()), network, code, count));
  }

  function onFlushTimer(): void {
    flushTimer = undefined;
    start();
  }

  function start(): void {
    if (writing !== undefined || (batch === undefined && waiting === 0)) return;
    flushTimer?.cancel();
    flushTimer = undefined;
    writing = writeBatch().then(succeeded, failed);
  }

  async function writeBatch(): Promise<void> {
    // Taken once: a batch that failed is written again as it was, and later lines form the next one.
    batch ??= takeBatch();
    if (files.rotationDue(clock.now())) await rotate(batch.firstSeq);
    await files.append(batch.bytes);
    const { head, records, events: written } = batch;
    lines.giveBack(batch.bytes);
    batch = undefined;
    chain = head;
    counts.written += records;
    await settle(written);
  }

  function takeBatch(): Batch {
    const records = waiting;
    const firstSeq = seq - records + 1;
    const taken = events;
    waiting = 0;
    events = [];
    seq += 1;
    const input = { seq, time: timestamp(clock.now()), records, recovered: false, previous: chain.hash, bytes: lines.peek() };
    const { line, head } = sealBatch(input, options.signingKey);
    lines.append(line);
    return { bytes: lines.take(), firstSeq, records, head, events: taken };
  }

  async function rotate(firstSeq: number): Promise<void> {
    await files.rotate(firstSeq, clock.now());
    const { removed, oldest } = files.prune(clock.now());
    for (const file of removed) writeEvent("record.removed", "relay", { file, detail: oldest });
  }

  /** What follows a written batch, and may fail without the batch being in danger. */
  async function settle(written: readonly IndexedEvent[]): Promise<void> {
    const now = clock.monotonic();
    try {
      if (written.length > 0) options.index?.(written);
      if (now - headAt >= HEAD_INTERVAL_MS) storeHead();
      if (now - syncedAt >= SYNC_INTERVAL_MS) {
        syncedAt = now;
        await files.sync();
      }
    } catch (error) {
      onError(error);
    }
  }

  function storeHead(): void {
    headAt = clock.monotonic();
    if (storedHead === chain.seq) return;
    options.head?.write(formatHead(chain));
    storedHead = chain.seq;
  }

  function succeeded(): void {
    writing = undefined;
    broken = false;
    failing = false;
    if (droppedSince > 0) {
      const count = droppedSince;
      droppedSince = 0;
      writeEvent("record.dropped", "relay", { count });
    }
    if (lines.length >= FLUSH_BYTES) start();
  }

  function failed(error: unknown): void {
    writing = undefined;
    broken = true;
    counts.writeErrors += 1;
    onError(error);
    flushTimer ??= clock.after(RETRY_DELAY_MS, onFlushTimer);
  }

  async function flush(): Promise<void> {
    const errorsBefore = counts.writeErrors;
    // More than one turn: the batch under way, then what came meanwhile.
    while (batch !== undefined || waiting > 0) {
      start();
      await writing;
      if (counts.writeErrors > errorsBefore) return;
    }
    await writing;
  }

  return {
    request: writeRequest,
    refusal(request) {
      coalesceTimer ??= clock.after(1_000, writeCoalesced);
      if (coalescer.first(request.sourceIp, request.code ?? request.reason)) writeRequest(request);
      else counts.coalesced += 1;
    },
    event: writeEvent,
    get failing() {
      return failing;
    },
    counts: () => ({ ...counts, bufferedBytes: lines.length + (batch?.bytes.length ?? 0) }),
    flush,
    async close() {
      coalesceTimer?.cancel();
      writeCoalesced();
      await flush();
      flushTimer?.cancel();
      const unwritten = waiting + (batch?.records ?? 0);
      try {
        storeHead();
      } finally {
        await files.close();
      }
      if (unwritten > 0) {
        throw new SallyportError(
          "ERR_RECORD_WRITE",
          `${unwritten} records could not be written to ${options.folder}; see the errors before this.`,
        );
      }
    },
  };
}

interface Batch {
  readonly bytes: Buffer;
  readonly firstSeq: number;
  readonly records: number;
  readonly head: ChainHead;
  readonly events: readonly IndexedEvent[];
}

function textFields(fields: EventFields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
