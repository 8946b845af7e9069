// One big body, down or up, with curl: bytes per second. Knows curl and nothing of the sides.

import { mustRun } from "../../tests/harness/program.ts";

const TIMEOUT_MS = 180_000;

export interface Transfer {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  /** The file to send; a download without. */
  readonly upload?: string;
}

/** @returns bytes per second. @throws when the answer is not 200 or bytes are missing */
export async function transfer({ url, headers, bytes, upload }: Transfer): Promise<number> {
  const fields = Object.entries({ ...headers, Expect: "" }).flatMap(([name, value]) => [
    "-H",
    value === "" ? `${name}:` : `${name}: ${value}`,
  ]);
  const body = upload === undefined ? ["-o", "/dev/null"] : ["-T", upload];
  const format = "\n%{http_code} %{size_download} %{size_upload} %{time_total}";
  const output = await mustRun("curl", ["-s", "-S", "-k", "--http1.1", ...fields, ...body, "-w", format, url], { timeoutMs: TIMEOUT_MS });
  const lines = output.split("\n");
  const [status, down, up, seconds] = (lines.at(-1) ?? "").split(" ").map(Number);
  const moved = upload === undefined ? down : up;
  if (status !== 200 || moved !== bytes || seconds === undefined) throw new Error(`${url}: status ${status}, ${moved} of ${bytes} bytes`);
  // The origin says how many bytes of an upload it got.
  if (upload !== undefined && lines.at(-2) !== String(bytes)) throw new Error(`${url}: the origin got ${lines.at(-2)} of ${bytes} bytes`);
  return bytes / seconds;
}
