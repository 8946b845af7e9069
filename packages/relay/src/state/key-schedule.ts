// When which key signs and is published (A6, R-G6). Pure: keys and a time in, a plan out.
//
//   created ── published in JWKS and manifest ──────────────────────────────────────────▶ retired
//        └─ 1 h ─▶ signs ─────────── 6 weeks ───────────▶ successor signs ── 7 days 1 h ──┘

import { generateKey, type KeyPurpose, type KeyRecord } from "./key-rows.ts";

/** A key is published this long before it signs: longer than anybody may cache the JWKS. */
export const PUBLISH_AHEAD_MS = 3_600_000;
/** How long caches may keep the JWKS (Cache-Control: max-age); less than {@link PUBLISH_AHEAD_MS}. */
export const JWKS_MAX_AGE_SECONDS = 1_800;
/** How long one key signs before its successor does. */
export const KEY_LIFETIME_MS: number = 42 * 86_400_000;
/** A key stays published until everything it signed has expired: 7 days for application tokens, and an hour. */
export const KEY_OVERLAP_MS: number = 7 * 86_400_000 + 3_600_000;
/** Retired keys are deleted after this time. */
export const KEY_RETENTION_MS: number = 90 * 86_400_000;

/** Keys that verifiers are told about at this time. */
export function publishedKeys(keys: readonly KeyRecord[], purpose: KeyPurpose, now: number): KeyRecord[] {
  return keys.filter((key) => key.purpose === purpose && key.revokedAt === undefined && (key.retireAt === undefined || key.retireAt > now));
}

/**
 * The key that signs at this time: the one that became active last. When the clock was moved back before every
 * key's time, the oldest one signs rather than none.
 */
export function activeKey(keys: readonly KeyRecord[], purpose: KeyPurpose, now: number): KeyRecord | undefined {
  const usable = publishedKeys(keys, purpose, now).filter((key) => key.privateKey !== undefined);
  let best: KeyRecord | undefined;
  for (const key of usable) if (key.activeAt <= now && (best === undefined || key.activeAt >= best.activeAt)) best = key;
  return best ?? usable.toSorted((a, b) => a.activeAt - b.activeAt)[0];
}

/** True when the purpose has no key, or its newest is so old that a successor must be published. */
export function rotationDue(keys: readonly KeyRecord[], purpose: KeyPurpose, now: number): boolean {
  const newest = Math.max(...publishedKeys(keys, purpose, now).map((key) => key.activeAt));
  return now >= newest + KEY_LIFETIME_MS - PUBLISH_AHEAD_MS;
}

/** A new key and the retirement of those before it. `atOnce`: the new one signs now (first key, or an emergency). */
export function planRotation(keys: readonly KeyRecord[], purpose: KeyPurpose, now: number, atOnce: boolean): readonly KeyRecord[] {
  const next = generateKey(purpose, now, atOnce ? now : now + PUBLISH_AHEAD_MS);
  const retiring = publishedKeys(keys, purpose, now)
    .filter((key) => key.retireAt === undefined)
    .map((key) => ({ ...key, retireAt: next.activeAt + KEY_OVERLAP_MS }));
  return [next, ...retiring];
}

/** Keys that nothing can need any more. */
export function expiredKeys(keys: readonly KeyRecord[], now: number): KeyRecord[] {
  return keys.filter((key) => {
    const end = key.revokedAt ?? key.retireAt;
    return key.purpose !== "root" && key.purpose !== "record" && end !== undefined && end + KEY_RETENTION_MS <= now;
  });
}
