// `sallyport-relay provider test` against a real OpenID provider with a certificate of its own authority: the command that an
// operator runs before anybody depends on the provider (A3).

import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { CLIENT, startOidcProvider } from "../../conformance/support/oidc-provider.ts";
import { Program } from "../../harness/program.ts";
import { freePort, scratchFolder } from "../../harness/scratch.ts";

const MAIN = join(import.meta.dirname, "..", "..", "..", "packages", "relay", "dist", "main.js");

test("A3: signs in through the browser and prints the claims for programs, and no token", async () => {
  await using stack = new AsyncDisposableStack();
  const port = await freePort();
  const idp = await startOidcProvider(stack, { redirectUri: `http://127.0.0.1:${port}/callback/corp` });
  idp.people.set("ann", { sub: "ann", name: "Ann", email: "ann@example.com", email_verified: true, groups: ["eng"] });
  const folder = scratchFolder(stack);
  const [config, ca] = [join(folder, "relay.yaml"), join(folder, "ca.pem")];
  writeFileSync(ca, idp.ca);
  writeFileSync(config, relayYaml(idp.issuer), { mode: 0o600 });

  const args = [MAIN, "provider", "test", "corp", "--loopback", String(port), "--config", config, "--json"];
  const env = { CORP_SECRET: CLIENT.secret, NODE_EXTRA_CA_CERTS: ca };
  await using program = new Program({ name: "provider test", command: process.execPath, args, env });
  const url = (await program.line(/^ {2}https:/)).trim();
  const callback = await idp.signIn(url, "ann");
  expect((await fetch(callback)).status).toBe(200);

  expect(await program.exited).toMatchObject({ code: 0 });
  const printed = program.lines.find((line) => line.startsWith("{")) ?? "";
  expect(JSON.parse(printed)).toMatchObject({
    kind: "login",
    identity: { subject: "ann", email: "ann@example.com", name: "Ann", groups: ["eng"] },
    renewal: "refresh token",
    backChannelLogout: false,
  });
  expect(program.output).not.toContain(CLIENT.secret);
});

function relayYaml(issuer: string): string {
  return stringify({
    authUrl: "http://auth.relay.localhost:8080",
    listen: [{ address: "127.0.0.1:8080" }],
    state: "./data",
    tunnels: [],
    applications: [],
    identityProviders: [
      {
        name: "corp",
        type: "oidc",
        issuer,
        clientId: CLIENT.id,
        clientSecret: { env: "CORP_SECRET" },
        scopes: ["openid", "profile", "email", "groups", "offline_access"],
        authorizationParameters: { prompt: "consent" },
        allowPrivateNetwork: true,
      },
    ],
  });
}
