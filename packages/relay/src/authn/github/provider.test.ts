import { ManualClock } from "@sallyport/shared/clock";
import { Secret } from "@sallyport/shared/secret";
import { beforeEach, describe, expect, it } from "vitest";
import type { LoginResult } from "../provider.ts";
import type { ProviderRequest } from "../provider-fetch.ts";
import { ATTEMPT } from "../oidc/test-support.ts";
import { GithubProvider } from "./provider.ts";

const CALLBACK = "https://auth.example.com/callback/github";
const API = "https://api.github.com";
// In the shape of GitHub's REST API, version 2022-11-28.
const OCTOCAT = { id: 583231, login: "octocat", name: "The Octocat", email: "public@example.com", type: "User" };
const EMAILS = [
  { email: "octocat@example.com", verified: true, primary: true, visibility: "public" },
  { email: "other@example.com", verified: true, primary: false, visibility: null },
];
const TEAMS = [{ id: 1, name: "Justice League", slug: "justice-league", privacy: "closed", organization: { login: "github", id: 9 } }];

let clock: ManualClock;
let answers: Map<string, () => Response>;
let requests: { readonly url: string; readonly request: ProviderRequest }[];
let problems: string[];

beforeEach(() => {
  clock = new ManualClock();
  problems = [];
  requests = [];
  answers = new Map([
    [
      "https://github.com/login/oauth/access_token",
      () => Response.json({ access_token: "gho_x", scope: "read:org,read:user,user:email", token_type: "bearer" }),
    ],
    [`${API}/user`, () => Response.json(OCTOCAT)],
    [`${API}/user/emails?per_page=100&page=1`, () => Response.json(EMAILS)],
    [`${API}/user/orgs?per_page=100&page=1`, () => Response.json([{ login: "github", id: 9 }])],
    [`${API}/user/teams?per_page=100&page=1`, () => Response.json(TEAMS)],
  ]);
});

function create(url = "https://github.com"): GithubProvider {
  return new GithubProvider({
    config: {
      type: "github",
      name: "github",
      label: "GitHub",
      url,
      clientId: "Iv1.x",
      clientSecret: new Secret("gh-secret"),
      allowPrivateNetwork: false,
    },
    clock,
    fetch: (target, request) => {
      requests.push({ url: target, request });
      return Promise.resolve(answers.get(target)?.() ?? new Response(null, { status: 404 }));
    },
    onProblem: (text) => void problems.push(text),
  });
}

function finish(query = `code=c&state=${ATTEMPT.state}`): Promise<LoginResult> {
  return create().finish(ATTEMPT, new URL(`${CALLBACK}?${query}`));
}

describe("sign-in with GitHub (A2)", () => {
  it("R-F3: begins with state and a PKCE challenge, and asks for organisations", async () => {
    const url = new URL(await create().begin(ATTEMPT, CALLBACK));
    expect(`${url.origin}${url.pathname}`).toBe("https://github.com/login/oauth/authorize");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      state: ATTEMPT.state,
      code_challenge_method: "S256",
      scope: "read:user user:email read:org",
    });
  });

  it("says who it is: the account's number, the verified primary address, organisations and teams", async () => {
    expect(await finish()).toMatchObject({
      kind: "login",
      login: {
        identity: {
          subject: "583231",
          email: "octocat@example.com",
          name: "The Octocat",
          groups: ["github", "github/justice-league"],
          claims: { login: "octocat" },
        },
      },
    });
    const exchange = requests[0]?.request.body as URLSearchParams;
    expect(Object.fromEntries(exchange)).toMatchObject({
      code_verifier: ATTEMPT.codeVerifier,
      client_secret: "gh-secret",
      redirect_uri: CALLBACK,
    });
  });

  it("R-F2: a foreign state and both answers at once are refused before the code is redeemed", async () => {
    for (const query of ["code=c&state=other", `code=c&error=x&state=${ATTEMPT.state}`])
      expect(await finish(query)).toMatchObject({ problem: "provider-invalid" });
    expect(requests).toEqual([]);
  });

  it("takes an error with status 200 for an error", async () => {
    answers.set("https://github.com/login/oauth/access_token", () =>
      Response.json({ error: "bad_verification_code", error_description: "The code is incorrect or expired." }),
    );
    expect(await finish()).toMatchObject({
      problem: "provider-invalid",
      detail: "bad_verification_code: The code is incorrect or expired.",
    });
  });

  it("R-F5: an address that is not verified is none", async () => {
    answers.set(`${API}/user/emails?per_page=100&page=1`, () =>
      Response.json([{ email: "boss@example.com", primary: true, verified: false }]),
    );
    expect(await finish()).toMatchObject({ login: { identity: { email: undefined } } });
  });

  it("R-F8: without the scope for organisations groups are unknown, not none", async () => {
    answers.set(`${API}/user/teams?per_page=100&page=1`, () => Response.json({ message: "Must have read:org" }, { status: 403 }));
    expect(await finish()).toMatchObject({ login: { identity: { groups: undefined } } });
  });

  it("R-F8: reads every page, and takes more than ten for unknown", async () => {
    const full = Array.from({ length: 100 }, (_, index) => ({ login: `org${index}` }));
    answers.set(`${API}/user/orgs?per_page=100&page=1`, () => Response.json(full));
    answers.set(`${API}/user/orgs?per_page=100&page=2`, () => Response.json([{ login: "last" }]));
    const result = await finish();
    expect(result.kind === "login" && result.login.identity.groups).toHaveLength(102);
    for (let page = 1; page <= 11; page++) answers.set(`${API}/user/orgs?per_page=100&page=${page}`, () => Response.json(full));
    expect(await finish()).toMatchObject({ login: { identity: { groups: undefined } } });
  });

  it("a GitHub Enterprise Server has its API below its own host", async () => {
    const url = new URL(await create("https://github.example.com").begin(ATTEMPT, CALLBACK));
    expect(url.origin).toBe("https://github.example.com");
    answers.set("https://github.example.com/login/oauth/access_token", () =>
      Response.json({ access_token: "gho_x", token_type: "bearer" }),
    );
    await create("https://github.example.com").finish(ATTEMPT, new URL(`${CALLBACK}?code=c&state=${ATTEMPT.state}`));
    expect(requests.map((request) => request.url)).toContain("https://github.example.com/api/v3/user");
  });
});

describe("R-F9: claims are renewed", () => {
  const handle = async (): Promise<string | undefined> => {
    const result = await finish();
    return result.kind === "login" ? result.login.refreshToken : undefined;
  };

  it("a lost team arrives", async () => {
    const token = await handle();
    answers.set(`${API}/user/teams?per_page=100&page=1`, () => Response.json([]));
    expect(await create().refresh(token, "583231")).toMatchObject({
      kind: "claims",
      login: { identity: { groups: ["github"] }, refreshToken: token },
    });
  });

  it("a token that was taken back ends the session, a fault does not, and another account's claims are not taken", async () => {
    const token = await handle();
    expect(await create().refresh(token, "1")).toEqual({ kind: "ended" });
    answers.set(`${API}/user`, () => Response.json({}, { status: 403 }));
    expect(await create().refresh(token, "583231")).toEqual({ kind: "unreachable" });
    answers.set(`${API}/user`, () => Response.json({ message: "Bad credentials" }, { status: 401 }));
    expect(await create().refresh(token, "583231")).toEqual({ kind: "ended" });
  });

  it("a refresh token that GitHub does not know any more ends the session", async () => {
    answers.set("https://github.com/login/oauth/access_token", () => Response.json({ error: "bad_refresh_token" }));
    expect(await create().refresh("rt.ghr_x", "583231")).toEqual({ kind: "ended" });
  });

  it("at logout the token is taken back at GitHub", async () => {
    await create().revoke((await handle()) ?? "");
    const { url, request } = requests.at(-1) ?? {};
    expect([request?.method, url, request?.body]).toEqual(["DELETE", `${API}/applications/Iv1.x/token`, '{"access_token":"gho_x"}']);
  });
});
