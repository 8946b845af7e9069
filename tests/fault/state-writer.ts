// The process that state-survives-kill.test.ts kills: it stores credentials, tokens, sessions and revocations as fast as it
// can and prints one line after each, once the store has returned. argv: state folder, seed of its own choices.

import { createHash, randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import type { NewSession } from "@sallyport/relay/authn/session";
import { openState } from "@sallyport/relay/state/state";

const [, , folder = ""] = process.argv;
const state = openState({ folder });
// writeSync, because a line that waits in a stream's buffer would die with the process and hide a lost row.
const acknowledge = (line: string): void => void writeSync(1, `${line}\n`);

/** A person of their own, since one person has only so many sessions. */
function login(name: string): NewSession {
  const identity = {
    kind: "person",
    provider: "corp",
    subject: `${process.pid}-${name}`,
    email: undefined,
    name,
    groups: ["eng"],
    authMethods: undefined,
    claims: {},
  } as const;
  return { identity, expiresAt: Date.now() + 1e9, providerSessionId: undefined, refreshToken: `refresh-${name}` };
}

acknowledge(`open ${Buffer.from(state.keys.rootPublicKey).toString("hex")}`);
for (let n = 0; ; n += 1) {
  const credential = state.credentials.create({ tunnel: "office", publicKey: randomBytes(32), label: String(n) });
  acknowledge(`credential ${credential.id}`);
  const clientId = `st_${randomBytes(16).toString("base64url")}`;
  const secretHash = createHash("sha256").update(clientId).digest();
  state.serviceTokens.create({
    clientId,
    name: `n${clientId.slice(3).replaceAll(/[^A-Za-z0-9]/g, "x")}`,
    secretHash,
    expiresAt: Date.now() + 1e9,
  });
  acknowledge(`token ${clientId}`);
  const { session } = state.sessions.create(login(String(n)));
  acknowledge(`session ${session.id}`);
  if (n % 3 === 0) {
    acknowledge(`ending ${session.id}`);
    state.sessions.end(session.id, "logout");
    acknowledge(`ended ${session.id}`);
  }
  if (n % 3 === 0) {
    state.credentials.revoke(credential.id);
    acknowledge(`revoked ${credential.id}`);
  }
  if (n % 20 === 0) {
    const { key } = state.keys.rotate("token");
    acknowledge(`key ${key.kid}`);
  }
}
