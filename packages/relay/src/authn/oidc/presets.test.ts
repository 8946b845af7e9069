import { readFileSync } from "node:fs";
import type { JWTPayload } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import type { OidcPreset, OidcProviderConfig } from "../../config/types.ts";
import type { ProviderLogin } from "../provider.ts";
import { ATTEMPT, callbackUrl, FakeProvider, outcome, signingKey, type SigningKey } from "./test-support.ts";

interface Fixture {
  readonly discovery: Readonly<Record<string, unknown>>;
  readonly algorithm: string;
  readonly idToken: JWTPayload;
  readonly idTokenWithOverage?: JWTPayload;
  readonly userinfo: Readonly<Record<string, unknown>>;
  readonly memberObjects?: unknown;
}

let key: SigningKey;
beforeAll(async () => {
  key = await signingKey("RS256");
});

function read(preset: OidcPreset): Fixture {
  return JSON.parse(readFileSync(new URL(`fixtures/${preset}.json`, import.meta.url), "utf8")) as Fixture;
}

function fakeOf(preset: OidcPreset, idToken?: JWTPayload): FakeProvider {
  const fixture = read(preset);
  const fake = new FakeProvider(fixture.discovery);
  fake.key = key;
  const { sub: _sub, ...common } = fake.idToken;
  fake.idToken = { ...common, ...(idToken ?? fixture.idToken) };
  fake.setUserinfo(fixture.userinfo);
  return fake;
}

async function login(fake: FakeProvider, preset: OidcPreset, options: Partial<OidcProviderConfig> = {}): Promise<ProviderLogin> {
  const result = await fake
    .presetProvider(preset, options)
    .finish(ATTEMPT, callbackUrl({ code: "c", state: ATTEMPT.state, iss: fake.issuer }));
  if (result.kind !== "login") throw new Error(fake.problems.join("\n"));
  return result.login;
}

const EXPECTED: Readonly<
  Record<
    OidcPreset,
    { readonly subject: string; readonly groups: readonly string[] | undefined; readonly options?: Partial<OidcProviderConfig> }
  >
> = {
  google: { subject: "110169484474386276334", groups: undefined },
  entra: { subject: "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", groups: ["636632bf-c35c-46a0-9c8d-9a0f3f2d1f6a"] },
  okta: { subject: "00uid4BxXw6I6TV4m0g3", groups: ["Everyone", "Engineering"] },
  keycloak: { subject: "f1b1f8b0-4f7e-4f0a-8a5e-2f2b8d8d9a10", groups: ["/engineering", "/engineering/door"] },
  gitlab: { subject: "4021", groups: ["example", "example/door"] },
  auth0: { subject: "auth0|5f7c8ec7c33c6c004bbafe82", groups: ["engineering"], options: { groupsClaim: "https://example.com/groups" } },
};

describe.each(Object.entries(EXPECTED) as [OidcPreset, (typeof EXPECTED)[OidcPreset]][])(
  "A2: preset %s",
  (preset, { subject, groups, options }) => {
    test("signs in against the documented discovery and claims", async () => {
      const { identity } = await login(fakeOf(preset), preset, options);
      expect(identity).toMatchObject({ subject, email: "ann@example.com", name: "Ann Example", groups });
    });

    test("sends people to the documented endpoint, with the scopes it knows", async () => {
      const fake = fakeOf(preset);
      const url = new URL(await fake.presetProvider(preset).begin(ATTEMPT, "https://auth.example.com/callback/corp"));
      expect(`${url.origin}${url.pathname}`).toBe(read(preset).discovery["authorization_endpoint"]);
      const known = read(preset).discovery["scopes_supported"] as readonly string[];
      expect(
        url.searchParams
          .get("scope")
          ?.split(" ")
          .filter((scope) => !known.includes(scope)),
      ).toEqual([]);
    });
  },
);

test("Google: a refresh token is asked for, and the organisation of the account is a claim", async () => {
  const fake = fakeOf("google");
  expect(new URL(await fake.presetProvider("google").begin(ATTEMPT, "https://a.example/callback/g")).searchParams.get("access_type")).toBe(
    "offline",
  );
  expect((await login(fake, "google")).identity.claims).toMatchObject({ hd: "example.com" });
});

describe("Entra ID", () => {
  const overage = (): FakeProvider => fakeOf("entra", read("entra").idTokenWithOverage);
  const GRAPH = "https://graph.microsoft.com/v1.0/me/getMemberObjects";

  test("R-F8: a person in too many groups has those that Graph lists", async () => {
    const fake = overage();
    fake.answers.set(GRAPH, () => Response.json(read("entra").memberObjects));
    const { identity } = await login(fake, "entra");
    expect(identity.groups).toEqual(["636632bf-c35c-46a0-9c8d-9a0f3f2d1f6a", "92f8b0cd-4c1f-4b8e-9f5b-2f7f0c1f2a3b"]);
    const question = fake.requests.find(({ url }) => url === GRAPH);
    expect([question?.request.headers["authorization"], question?.request.body]).toEqual([
      "Bearer access-token",
      '{"securityEnabledOnly":false}',
    ]);
    expect(fake.requests.map(({ url }) => new URL(url).hostname)).not.toContain("graph.windows.net");
  });

  test.each<[string, () => Response]>([
    ["no permission", () => Response.json({ error: { code: "Authorization_RequestDenied" } }, { status: 403 })],
    ["more pages", () => Response.json({ value: ["a"], "@odata.nextLink": "https://graph.microsoft.com/next" })],
    ["something else", () => Response.json({ value: { a: 1 } })],
  ])("R-F8: where Graph answers with %s groups are unknown, never all and never some", async (_title, answer) => {
    const fake = overage();
    fake.answers.set(GRAPH, answer);
    expect((await login(fake, "entra")).identity.groups).toBeUndefined();
  });

  test("R-F8: the pointer without the preset is not followed: groups are unknown", async () => {
    const fake = overage();
    fake.setUserinfo({ sub: fake.idToken.sub, groups: ["everything"] });
    const result = await fake.provider().finish(ATTEMPT, callbackUrl());
    expect(result.kind === "login" && result.login.identity.groups).toBeUndefined();
    expect(fake.count(GRAPH)).toBe(0);
  });

  test("R-F5: an email without the word of the domain's owner is none, since anybody could have entered it", async () => {
    const { xms_edov: _verified, ...claims } = read("entra").idToken;
    expect((await login(fakeOf("entra", claims), "entra")).identity.email).toBeUndefined();
    expect((await login(fakeOf("entra", claims), "entra", { emailVerified: "assumed" })).identity.email).toBe("ann@example.com");
  });

  test("R-F4: a token of another tenant is refused", async () => {
    const other = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0";
    const fake = fakeOf("entra", { ...read("entra").idToken, iss: other });
    expect(await outcome(fake.presetProvider("entra").finish(ATTEMPT, callbackUrl()))).toBe("provider-invalid");
  });
});

test("Keycloak: roles inside an object can be groups, and the session id is known for back-channel logout", async () => {
  const { identity, providerSessionId } = await login(fakeOf("keycloak"), "keycloak", { groupsClaim: "realm_access.roles" });
  expect(identity.groups).toEqual(["default-roles-corp", "admin"]);
  expect(providerSessionId).toBe("6b1a8e4e-3b37-4a5c-93a5-0d6f2b8f3d20");
});

test("GitLab: groups come from userinfo, since the ID token has only those of which one is a direct member", async () => {
  const fake = fakeOf("gitlab");
  await login(fake, "gitlab");
  expect(fake.count("https://gitlab.com/oauth/userinfo")).toBe(1);
});
