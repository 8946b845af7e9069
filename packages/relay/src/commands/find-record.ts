// Finds one request in the record files and says what of its visitor they hold. Reads line by line, newest file first,
// whatever else is written to them meanwhile. Must not know policies.

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { formatAuthority } from "@sallyport/shared/http/authority";
import type { TestVisitor } from "../config/policy-types.ts";
import type { PublicOrigin } from "../config/types.ts";
import { recordFileNames } from "../observe/record-files.ts";

/** A request as the record holds it; fields that do not apply are absent. */
export interface RecordedRequest {
  readonly time: string;
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly decision: string;
  readonly reason: string;
  readonly status: number;
  readonly sourceIp: string;
  readonly policy?: string;
  readonly identity?: "person" | "service";
  readonly provider?: string;
  readonly email?: string;
  readonly tokenName?: string;
  /** SHA-256 of a verified client certificate, and its common name. */
  readonly certificate?: string;
  readonly certificateName?: string;
}

/** The request with this id; undefined when no record file has it. Streams: a record of 10 GB takes time, not memory. */
export async function findRecord(folder: string, requestId: string): Promise<RecordedRequest | undefined> {
  const needle = `"requestId":${JSON.stringify(requestId)}`;
  for (const file of fileNames(folder).toReversed()) {
    const lines = createInterface({ input: createReadStream(join(folder, file), "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) {
      const record = line.includes(needle) ? parse(line) : undefined;
      if (record?.requestId === requestId && record.kind === "request") return record;
    }
  }
  return undefined;
}

/** No folder, no record. */
function fileNames(folder: string): readonly string[] {
  try {
    return recordFileNames(folder);
  } catch {
    return [];
  }
}

function parse(line: string): (RecordedRequest & { readonly kind: string }) | undefined {
  try {
    return JSON.parse(line) as RecordedRequest & { readonly kind: string };
  } catch {
    return undefined;
  }
}

/** Who asked for what, as far as the record says. */
export interface Reading {
  readonly as: TestVisitor;
  readonly request: string;
  /** Facts that decide and are not recorded: personal data that a log should not gather. */
  readonly unrecorded: readonly string[];
}

export function readingOf(record: RecordedRequest, authUrl: PublicOrigin): Reading {
  const host = record.host.includes(":") ? record.host : formatAuthority(record.host, authUrl.port, authUrl.scheme);
  const request = `${record.method} ${authUrl.scheme}://${host}${record.path}`;
  const { certificate: fingerprint, certificateName: commonName } = record;
  const clientCertificate = fingerprint === undefined ? undefined : { fingerprint, ...(commonName === undefined ? {} : { commonName }) };
  const seen = { ip: record.sourceIp, time: record.time, ...(clientCertificate === undefined ? {} : { clientCertificate }) };
  const names = clientCertificate === undefined ? [] : ["alternative names of the certificate"];
  if (record.identity === "service")
    return { as: { ...seen, serviceToken: record.tokenName }, request, unrecorded: [...names, "external"] };
  if (record.identity !== "person") return { as: seen, request, unrecorded: names };
  const person = { ...seen, email: record.email, provider: record.provider };
  return { as: person, request, unrecorded: ["groups", "authMethods", "claims", ...names, "external"] };
}
