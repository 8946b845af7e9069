// Sections limits and records of relay.yaml: how much of everything the relay holds or accepts.

import { MAX_TARGET_BYTES } from "@sallyport/shared/http/path";
import { z } from "zod";
import type { LimitsConfig, RecordsConfig } from "./types.ts";
import { count, duration, size } from "./values.ts";

const KB = 1024;
const MB = 1024 ** 2;
const GB = 1024 ** 3;
const TB = 1024 ** 4;
const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export const limitsSchema: z.ZodType<LimitsConfig> = z
  .strictObject({
    // No more than what the reader of targets takes at all.
    url: size(256, MAX_TARGET_BYTES).prefault("8KB").meta({ description: "Longest request target; a longer one gets 414." }),
    headers: size(KB, 256 * KB)
      .prefault("16KB")
      .meta({ description: "All request header fields of one request together; more gets 431." }),
    headerFields: count(10, 2000).default(100).meta({ description: "Request header fields of one request; more gets 431." }),
    headerTimeout: duration(SECOND_MS, 300 * SECOND_MS)
      .prefault("15s")
      .meta({ description: "Time for a complete request head, from the first byte of the connection or request." }),
    keepAliveTimeout: duration(SECOND_MS, HOUR_MS)
      .prefault("75s")
      .meta({ description: "How long a visitor's connection without a request stays open." }),
    requestBodyIdle: duration(SECOND_MS, HOUR_MS)
      .prefault("60s")
      .meta({ description: "A request whose body is awaited and sends no byte for this long gets 408. Responses have no such limit." }),
    connections: count(1, 1_000_000).default(50_000).meta({ description: "Open connections of visitors in all; more are closed at once." }),
    connectionsPerAddress: count(1, 1_000_000)
      .default(512)
      .meta({ description: "Open connections from one source (an IPv4 address or an IPv6 /64); more are closed at once." }),
    streamsPerConnection: count(1, 1000).default(100).meta({ description: "Concurrent requests on one HTTP/2 connection of a visitor." }),
    streamsPerTunnel: count(1, 1_000_000)
      .default(10_000)
      .meta({ description: "Concurrent requests through one tunnel; more get 503 with Retry-After." }),
    streamsPerIdentity: count(1, 1_000_000)
      .default(1000)
      .meta({ description: "Concurrent requests of one person or service token; more get 503 with Retry-After." }),
  })
  .transform((limits) => ({
    maxUrlBytes: limits.url,
    maxHeaderBytes: limits.headers,
    maxHeaderFields: limits.headerFields,
    headerTimeoutMs: limits.headerTimeout,
    keepAliveTimeoutMs: limits.keepAliveTimeout,
    requestBodyIdleMs: limits.requestBodyIdle,
    maxConnections: limits.connections,
    maxConnectionsPerAddress: limits.connectionsPerAddress,
    maxStreamsPerConnection: limits.streamsPerConnection,
    maxStreamsPerTunnel: limits.streamsPerTunnel,
    maxStreamsPerIdentity: limits.streamsPerIdentity,
  }))
  .prefault({})
  .meta({ description: "Limits of the public side. Each is on by default; none can be switched off." });

export interface RecordsDocument extends Omit<RecordsConfig, "folder"> {
  readonly folder?: string | undefined;
}

export const recordsSchema: z.ZodType<RecordsDocument> = z
  .strictObject({
    folder: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .meta({
        description: "Folder of the record files, relative to the configuration file. Default: `records` in the state folder.",
        examples: ["/var/log/sallyport"],
      }),
    fileSize: size(MB, 10 * GB)
      .prefault("64MB")
      .meta({ description: "A record file of this size is closed and the next one started." }),
    totalSize: size(10 * MB, 100 * TB)
      .prefault("10GB")
      .meta({ description: "All record files together; the oldest are deleted first." }),
    maxAge: duration(HOUR_MS, 3650 * DAY_MS)
      .prefault("90d")
      .meta({ description: "Record files older than this are deleted." }),
    onWriteFailure: z.enum(["deny", "allow"]).default("deny").meta({
      description:
        "What protected applications do while records cannot be written (disk full): `deny` answers 503, `allow` goes on unrecorded and counts what was lost.",
    }),
  })
  .transform((records) => ({
    folder: records.folder,
    maxFileBytes: records.fileSize,
    maxTotalBytes: records.totalSize,
    maxAgeMs: records.maxAge,
    onWriteFailure: records.onWriteFailure,
  }))
  .prefault({})
  .meta({ description: "The record of requests and security events: access log and audit in one, JSON lines." });
