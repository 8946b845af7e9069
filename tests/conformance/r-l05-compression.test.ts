// R-L5: nothing that a visitor sends is ever decompressed by the relay: a bomb is a body like any other.

import { deflateRawSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const BOMB = gzipSync(Buffer.alloc(8 * 1024 * 1024)).toString("latin1");

test("R-L5: a compressed body reaches the origin byte for byte", async () => {
  const fields = ["Content-Encoding: gzip", `Content-Length: ${BOMB.length}`];
  const request = await expectForwarded(bed(), write("/x", { method: "POST", fields, body: BOMB }));
  expect([request.values("content-encoding"), request.body === BOMB]).toEqual([["gzip"], true]);
});

test.each(["gzip", "deflate", "br", "zstd", "compress", "x-gzip"])("R-L5: Transfer-Encoding with %s is refused", async (coding) => {
  const body = "0\r\n\r\n";
  await expectDenied(bed(), write("/x", { method: "POST", fields: [`Transfer-Encoding: ${coding}, chunked`], body }), { status: 400 });
});

test("R-L5: a token that says zip is no token", async () => {
  const encode = (value: string | Buffer): string => Buffer.from(value).toString("base64url");
  const header = { alg: "ES256", typ: "sallyport-application+jwt", kid: "x", zip: "DEF" };
  const token = `${encode(JSON.stringify(header))}.${encode(deflateRawSync(Buffer.alloc(100_000)))}.${encode(Buffer.alloc(64))}`;
  await expectDenied(bed(), write("/admin/x", { fields: [`Sallyport-Access-Token: ${token}`] }), { status: 401 });
});
