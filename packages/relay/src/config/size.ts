// Sizes as people write them in configuration: a whole number and a unit.

const UNIT_BYTES = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const;
const SIZE = /^(\d{1,9})(B|KB|MB|GB|TB)$/;

/**
 * Reads `512B`, `16KB`, `100MB`, `5GB` or `1TB` as bytes. Units count in 1,024s, as memory and proxy limits do.
 * @returns undefined for anything else: no unit, fractions, other spellings, more than 2^53 - 1 bytes.
 */
export function parseSizeBytes(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Writes bytes in the largest unit that keeps the number whole: 16384 is `16KB`. */
export function formatSize(bytes: number): string {
  for (const unit of ["TB", "GB", "MB", "KB"] as const) {
    if (bytes >= UNIT_BYTES[unit] && bytes % UNIT_BYTES[unit] === 0) return `${bytes / UNIT_BYTES[unit]}${unit}`;
  }
  return `${bytes}B`;
}
