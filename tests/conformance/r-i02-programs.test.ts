// R-I2, R-I4: what a program has open ends when its token does: revoked or disabled.

import { join } from "node:path";
import { connectAdmin } from "@sallyport/relay/admin/client";
import { afterEach, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { type Bed, createBed } from "./support/bed.ts";
import { ask, expectRefusal } from "./support/visit.ts";
import { write } from "./support/wire.ts";

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

/** A download of the program that is under way, and one of an anonymous visitor beside it. */
async function open(bed: Bed, fields: readonly string[], target: string): Promise<RawClient> {
  const client = stack.adopt(await RawClient.connect({ port: bed.port }), (one) => one[Symbol.dispose]());
  client.send(write(target, { close: false, fields }));
  await client.until(/open/);
  return client;
}

test.each(["revoke", "disable"])(
  "R-I2: a service token's %s ends its streams within 5 s, nobody else's, and the token at once (R-I4)",
  async (how) => {
    const bed = await createBed(stack);
    for (const origin of [bed.open, bed.admin])
      origin.respond = (_request, socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nopen\r\n");
    const program = await open(bed, bed.token.fields, "/admin/stream");
    const visitor = await open(bed, [], "/stream");

    const admin = await connectAdmin(join(bed.folder, "state"));
    await admin?.call(`service-token/${how}`, { token: bed.token.clientId });
    await admin?.close();

    await program.untilClosed(5_000);
    expectRefusal(await ask(bed, "/admin/x", { fields: bed.token.fields }), { status: 401, code: "ERR_CREDENTIAL_INVALID" });
    for (const socket of bed.open.sockets) socket.write("4\r\nmore\r\n0\r\n\r\n");
    await visitor.until(/more/, 5_000);
  },
);
