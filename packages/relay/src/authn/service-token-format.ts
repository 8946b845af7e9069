// What a service token looks like: `st_` + 22 characters names it, `sps_` + 43 + 6 characters is its secret, 256 random
// bits and a checksum, so that a typing error is told apart from a wrong secret and secret scanners recognise a leak.

import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const CLIENT_ID = /^st_[A-Za-z0-9_-]{22}$/;
const SECRET = /^sps_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/;
const BODY_LENGTH = 4 + 43;
const CHECKSUM_LENGTH = 6;
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

export interface GeneratedServiceToken {
  readonly clientId: string;
  /** Shown once; only {@link digestSecret} of it is stored. */
  readonly secret: string;
}

export function generateServiceToken(): GeneratedServiceToken {
  return { clientId: `st_${randomBytes(16).toString("base64url")}`, secret: generateSecret() };
}

export function generateSecret(): string {
  const body = `sps_${randomBytes(32).toString("base64url")}`;
  return body + checksum(body);
}

export function isClientId(text: string): boolean {
  return CLIENT_ID.test(text);
}

/** Shape and checksum only: says nothing about whether such a token exists. */
export function isSecret(text: string): boolean {
  return SECRET.test(text) && checksum(text.slice(0, BODY_LENGTH)) === text.slice(BODY_LENGTH);
}

/** SHA-256 is enough: 256 random bits cannot be guessed, so there is nothing to slow down (R-J1). */
export function digestSecret(secret: string): Uint8Array {
  return hash("sha256", secret, "buffer");
}

/** CRC-32 in base 62, most significant digit first; 62^6 is above 2^32. */
function checksum(body: string): string {
  let rest = crc32(body);
  let digits = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i += 1) {
    digits = BASE62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
