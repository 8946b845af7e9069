// The file given with --ca: authorities that are trusted for the relay beside the usual ones. Must not know TLS.

import { readFileSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import type { Io } from "./io.ts";

/** PEM text, or "unusable" after the problem was shown. */
export function readAuthorities(file: string, io: Io): string {
  try {
    const pem = readFileSync(file, "utf8");
    return new X509Certificate(pem).raw.length > 0 ? pem : "unusable";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const problem = code.startsWith("ERR_OSSL") || code.startsWith("ERR_") ? "holds no PEM certificate" : `cannot be read (${code})`;
    io.err(`error[ERR_USAGE]: the file given with --ca ${problem}: ${file}`);
    return "unusable";
  }
}
