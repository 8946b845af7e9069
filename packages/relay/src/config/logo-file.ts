// Reads the logo of the pages and proves that it is an image: what is not must not be served under an image's name.

import { resolve } from "node:path";
import { readBounded, type Outcome, type Surroundings } from "./files.ts";
import { finding } from "@sallyport/shared/config/issues";
import type { LogoConfig } from "./pages-types.ts";
import { printable, type ConfigPath } from "@sallyport/shared/config/problem";

const MAX_LOGO_BYTES = 64 * 1024;
const PNG_SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
/** After an XML declaration, comments and a doctype, the root element is svg. */
const SVG_ROOT =
  /^\uFEFF?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->)[^])*-->\s*)*(?:<!DOCTYPE\s+svg[^>[]*>\s*)?(?:<!--(?:(?!-->)[^])*-->\s*)*<svg[\s>]/i;

export async function readLogo(file: string, path: ConfigPath, around: Surroundings): Promise<Outcome<LogoConfig>> {
  const absolute = resolve(around.folder, file);
  const reading = await readBounded(absolute, MAX_LOGO_BYTES);
  const type = reading.ok ? typeOf(reading.bytes) : undefined;
  if (reading.ok && type !== undefined) return { value: { type, base64: reading.bytes.toString("base64") }, findings: [] };
  const reason = reading.ok ? "it is neither PNG nor SVG" : reading.reason;
  const message = `cannot use ${printable(absolute, 300)}: ${reason}`;
  const problem = finding([...path, "file"], "ERR_CONFIG_REFERENCED_FILE", message, "give an SVG or PNG image of at most 64 KB");
  return { value: undefined, findings: [problem] };
}

function typeOf(bytes: Buffer): LogoConfig["type"] | undefined {
  if (bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) return "image/png";
  return SVG_ROOT.test(bytes.toString("utf8")) ? "image/svg+xml" : undefined;
}
