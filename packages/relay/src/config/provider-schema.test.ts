import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IdentityProviderConfig } from "./types.ts";
import { ConfigFolder, minimal, problemsOf } from "./test-support.ts";

let folder: ConfigFolder;
beforeAll(() => {
  folder = new ConfigFolder();
  folder.env["S"] = "secret";
});
afterAll(() => folder[Symbol.dispose]());

async function load(provider: string, base = minimal()): Promise<readonly string[] | IdentityProviderConfig> {
  const result = await folder.load(`${base}identityProviders:\n  - ${provider}\n`);
  const problems = problemsOf(result).filter(({ code, severity }) => severity === "error" && code !== "ERR_CONFIG_NOT_YET");
  return result.ok
    ? (result.config.identityProviders[0] as IdentityProviderConfig)
    : problems.map(({ path, message }) => `${path}: ${message}`);
}

const OIDC = "type: oidc, name: corp, clientId: id, clientSecret: { env: S }";
const TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad";

describe("presets", () => {
  test.each([
    ["google", "", "https://accounts.google.com", ["openid", "profile", "email"]],
    ["gitlab", "", "https://gitlab.com", ["openid", "profile", "email"]],
    ["gitlab", ", issuer: https://git.example.com", "https://git.example.com", ["openid", "profile", "email"]],
    ["okta", ", issuer: https://example.okta.com", "https://example.okta.com", ["openid", "profile", "email", "groups", "offline_access"]],
    ["auth0", ", issuer: https://example.eu.auth0.com/", "https://example.eu.auth0.com/", ["openid", "profile", "email", "offline_access"]],
  ])("%s %s", async (preset, more, issuer, scopes) => {
    expect(await load(`{ ${OIDC}, preset: ${preset}${more} }`)).toMatchObject({ preset, issuer, scopes, groupsClaim: "groups" });
  });

  test.each([
    ["google", "https://evil.example.com", "Google has one issuer, and this is another"],
    [
      "entra",
      "https://login.microsoftonline.com/common/v2.0",
      "expected the v2.0 issuer of one tenant; common, organizations and consumers would let in every tenant",
    ],
    [
      "entra",
      `https://sts.windows.net/${TENANT}/`,
      "expected the v2.0 issuer of one tenant; common, organizations and consumers would let in every tenant",
    ],
    ["auth0", "https://example.auth0.com", "Auth0's issuer ends with a slash"],
  ])("%s with %s is refused", async (preset, issuer, message) => {
    expect(await load(`{ ${OIDC}, preset: ${preset}, issuer: "${issuer}" }`)).toEqual([`identityProviders[0].issuer: ${message}`]);
  });

  test("what is written wins over the preset", async () => {
    const written = `{ ${OIDC}, preset: entra, issuer: https://login.microsoftonline.com/${TENANT}/v2.0, scopes: [ openid ], groupsClaim: roles, label: Us }`;
    expect(await load(written)).toMatchObject({ scopes: ["openid"], groupsClaim: "roles", label: "Us" });
  });

  test("without preset the issuer is required", async () => {
    expect(await load(`{ ${OIDC} }`)).toEqual(["identityProviders[0].issuer: the issuer is missing"]);
  });
});

test("no option replaces a parameter that protects the sign-in (R-F3)", async () => {
  for (const key of ["code_challenge_method", "state", "nonce", "redirect_uri", "response_type", "request_uri"]) {
    expect(await load(`{ ${OIDC}, issuer: https://idp.example.com, authorizationParameters: { ${key}: x } }`)).toEqual([
      "identityProviders[0].authorizationParameters: at most 16 parameters, and none that the relay sets itself",
    ]);
  }
});

test("symmetric algorithms and none cannot be configured (R-F5)", async () => {
  for (const algorithm of ["HS256", "none", "RS1"]) {
    const result = await load(`{ ${OIDC}, issuer: https://idp.example.com, algorithms: [ ${algorithm} ] }`);
    expect(Array.isArray(result) && result.length === 1 && result[0]?.startsWith("identityProviders[0].algorithms[0]")).toBe(true);
  }
});

describe("one-time PIN", () => {
  const MAIL = "smtp: { url: { env: S }, from: a@example.com }";

  test("by mail needs a mail server, on the terminal it must have none", async () => {
    expect(await load("{ type: one-time-pin, name: pin }")).toEqual(["identityProviders[0].smtp: the mail server is missing"]);
    expect(await load(`{ type: one-time-pin, name: pin, delivery: terminal, ${MAIL} }`)).toEqual([
      "identityProviders[0].smtp: delivery terminal sends no mail",
    ]);
  });

  test("on the terminal is for http on loopback only", async () => {
    const pin = "{ type: one-time-pin, name: pin, delivery: terminal }";
    expect(await load(pin)).toMatchObject({ delivery: "terminal", smtp: undefined });
    const public_ = minimal()
      .replace("http://auth.relay.localhost:8080", "https://auth.example.com")
      .replace("grafana.relay.localhost", "grafana.example.com");
    expect(await load(pin, public_)).toEqual(["identityProviders[0].delivery: codes would be printed by a relay that others can reach"]);
  });

  test("recipients are addresses and domains in the spelling in which they are compared (R-N6)", async () => {
    expect(await load(`{ type: one-time-pin, name: pin, ${MAIL}, recipients: [ Ann@EXAMPLE.org, Example.COM ] }`)).toMatchObject({
      recipients: ["Ann@example.org", "example.com"],
      smtp: { tls: "required" },
    });
    expect(await load(`{ type: one-time-pin, name: pin, ${MAIL}, recipients: [ "@example.com" ] }`)).toEqual([
      "identityProviders[0].recipients[0]: expected a mail address or a mail domain",
    ]);
  });
});
