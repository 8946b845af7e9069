// R-B5: where no client certificate is asked for, what TLS says of the name chooses a certificate and nothing else: the
// request's own authority decides. Names with client certificates are in a23-client-certificates.test.ts.

import { connect } from "node:tls";
import { expect, test } from "vitest";
import { within } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { http2Exchange, http2Session, only, pseudo } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const bed = useBed();

async function overTls(serverName: string | undefined, bytes: string): Promise<string> {
  const socket = connect({
    host: "127.0.0.1",
    port: bed().tlsPort,
    ca: bed().ca,
    ALPNProtocols: ["http/1.1"],
    ...(serverName === undefined ? {} : { servername: serverName }),
    // Without a name there is nothing to compare the certificate with.
    checkServerIdentity: () => undefined,
  });
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.write(bytes);
  await within(10_000, "the connection to end", new Promise<void>((resolve) => void socket.once("close", () => resolve())));
  return text;
}

test.each([
  ["the same name", "app.example.test"],
  ["mixed case", "ApP.eXample.TEST"],
  ["another application", "a.wild.example.test"],
  ["the auth host", "auth.example.test"],
  ["an unknown name", "evil.example"],
  ["no name", undefined],
])("R-B5: with %s in TLS, /admin wants the token, and / is open", async (_name, serverName) => {
  expect(only(readResponses(await overTls(serverName, write("/admin")))).status).toBe(401);
  expect(only(readResponses(await overTls(serverName, write("/x")))).status).toBe(200);
  expect(only(readResponses(await overTls(serverName, write("/x", { host: "evil.example" })))).status).toBe(421);
});

test("R-B5: one HTTP/2 connection may carry requests for several hosts, each decided by its own", async () => {
  await using session = await http2Session(bed(), "a.wild.example.test");
  expect((await http2Exchange(session, pseudo("/x", "a.wild.example.test"))).status).toBe(200);
  expect((await http2Exchange(session, pseudo("/x", "basic.example.test"))).status).toBe(401);
  expect((await http2Exchange(session, pseudo("/x", "evil.example"))).status).toBe(421);
});
