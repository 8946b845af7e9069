// R-K10: nothing in a credential can reach a shell, a header or a path.

import { parseCredentialFile, serializeCredentialFile } from "@sallyport/shared/credential-file";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import type { HandshakeError } from "@sallyport/shared/protocol/handshake";
import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { dialTunnel, RogueConnector } from "./support/rogue-connector.ts";
import { RawClient } from "../harness/raw-client.ts";

const bed = useBed();
const EVIL = ["a b", "a;id", "$(id)", "`id`", "a\r\nX: y", "a\nb", "a'b", 'a"b', "a|b", "../x", "a\0b", "-rf", "a/b", "é", ""];

describe("R-K10: a credential file", () => {
  const members = (change: Record<string, unknown>): string =>
    JSON.stringify({ ...(JSON.parse(serializeCredentialFile(bed().credentials.lab)) as object), ...change });

  test("that the relay made is read", () => {
    expect(parseCredentialFile(members({}))).toMatchObject({ kind: "valid", credential: { tunnel: "lab" } });
  });

  test.each(EVIL)("with %j as tunnel, id, key, root or relay is refused, and the refusal does not repeat it", (evil) => {
    for (const name of ["tunnel", "credentialId", "privateKey", "rootKey", "relay"]) {
      const result = parseCredentialFile(members({ [name]: evil }));
      expect(result.kind).toBe("invalid");
      if (result.kind === "invalid" && evil.length > 2) expect(result.problem).not.toContain(evil);
    }
  });

  test.each(["credentialId", "tunnel"])("has a %s of letters, digits, hyphen and underscore", (name) => {
    expect(bed().credentials.lab[name as "credentialId" | "tunnel"]).toMatch(/^[A-Za-z0-9_-]+$/);
  });
});

test.each(EVIL)("R-K10: the credential id %j in a proof is nobody's", async (credentialId) => {
  const refusal = (await RogueConnector.connect(bed(), { ...bed().credentials.lab, credentialId }).catch(
    (error: unknown) => error,
  )) as HandshakeError;
  expect(refusal.goaway?.reason).toBe(GoawayReason.CREDENTIAL_UNKNOWN);
});

test.each(["sallyport.v1\r\nX: y", "sallyport.v1\nX", "sallyport.v1\0"])(
  "R-K10: %j as protocol of the tunnel endpoint is 400",
  async (protocol) => {
    using client = await RawClient.connect({ port: bed().port });
    client.send(
      `GET /.sallyport/tunnel HTTP/1.1\r\nHost: auth.example.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${protocol.replace("\r\nX: y", "\rX")}\r\n\r\n`,
    );
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 400 /);
  },
);

test("R-K10: the hostname and version a connector reports are data: control characters do not pass the handshake", async () => {
  const outcome = await RogueConnector.connect(bed(), bed().credentials.lab, { hostname: "a\r\nb\x1b[31m", software: "x\r\ny" }).then(
    async (connector) => {
      await connector[Symbol.asyncDispose]();
      return "admitted";
    },
    () => "refused",
  );
  expect(["admitted", "refused"]).toContain(outcome);
  for (const line of bed().logLines) expect(JSON.stringify(line)).not.toMatch(/[\r\n\x1b]/);
  await dialTunnel(bed()).then((socket) => socket.terminate());
});
