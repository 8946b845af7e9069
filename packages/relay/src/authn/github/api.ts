// What GitHub's REST API says about the holder of an access token: account, verified addresses, organisations and teams.
// Must not know sign-in.

import { normaliseEmail, normaliseName } from "@sallyport/shared/names";
import { MAX_GROUPS } from "../claims.ts";
import type { ProviderIdentity } from "../provider.ts";
import type { ProviderFetch } from "../provider-fetch.ts";
import { ProviderRefusal } from "../provider-problem.ts";

const PAGE_SIZE = 100;
const MAX_PAGES = 10;

/** The token is not good any more. */
export class GithubTokenRefused extends Error {
  override readonly name: string = "GithubTokenRefused";
}

export interface GithubApi {
  /** `https://api.github.com`, or `/api/v3` of a GitHub Enterprise Server. */
  readonly url: string;
  readonly fetch: ProviderFetch;
}

/** @throws GithubTokenRefused, ProviderRefusal, SallyportError ERR_PROVIDER_UNREACHABLE */
export async function readGithubPerson(api: GithubApi, accessToken: string): Promise<ProviderIdentity> {
  const user = await read(api, "/user", accessToken);
  const { id, login, name } = (user.status === 200 ? user.body : {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(id) || typeof login !== "string")
    throw new ProviderRefusal("provider-invalid", `GitHub's /user answers with status ${user.status}`);
  const [emails, organisations, teams] = await Promise.all([
    readList(api, "/user/emails", accessToken),
    readList(api, "/user/orgs", accessToken),
    readList(api, "/user/teams", accessToken),
  ]);
  return {
    // The number: names of accounts change hands.
    subject: String(id),
    email: primaryEmail(emails),
    name: (typeof name === "string" ? normaliseName(name) : undefined) ?? normaliseName(login),
    groups: groupsOf(organisations, teams),
    authMethods: undefined,
    claims: { login },
  };
}

type Answer = { readonly status: number; readonly body: unknown };

async function read({ url, fetch }: GithubApi, path: string, accessToken: string): Promise<Answer> {
  const response = await fetch(url + path, {
    method: "GET",
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${accessToken}`,
      "user-agent": "sallyport",
      "x-github-api-version": "2022-11-28",
    },
  });
  if (response.status === 401) throw new GithubTokenRefused("GitHub refuses the access token");
  return { status: response.status, body: await response.json().catch(() => undefined) };
}

/** Every entry, or undefined where GitHub does not say (a scope that was not granted) or says too much. */
async function readList(api: GithubApi, path: string, accessToken: string): Promise<readonly Record<string, unknown>[] | undefined> {
  const entries: Record<string, unknown>[] = [];
  for (let page = 1; page <= MAX_PAGES; page++) {
    const { status, body } = await read(api, `${path}?per_page=${PAGE_SIZE}&page=${page}`, accessToken);
    if (status !== 200 || !Array.isArray(body) || !body.every((entry) => typeof entry === "object" && entry !== null)) return undefined;
    entries.push(...(body as Record<string, unknown>[]));
    if (body.length < PAGE_SIZE) return entries;
  }
  return undefined;
}

function primaryEmail(emails: readonly Record<string, unknown>[] | undefined): string | undefined {
  const primary = emails?.find((entry) => entry["primary"] === true && entry["verified"] === true)?.["email"];
  return typeof primary === "string" ? normaliseEmail(primary) : undefined;
}

/** `example` for an organisation and `example/engineering` for a team; unknown unless both lists are complete (R-F8). */
function groupsOf(
  organisations: readonly Record<string, unknown>[] | undefined,
  teams: readonly Record<string, unknown>[] | undefined,
): readonly string[] | undefined {
  if (organisations === undefined || teams === undefined) return undefined;
  const names = [
    ...organisations.map(({ login }) => login),
    ...teams.map(({ slug, organization }) => {
      const owner = (organization as { readonly login?: unknown } | null | undefined)?.login;
      return typeof owner === "string" && typeof slug === "string" ? `${owner}/${slug}` : undefined;
    }),
  ].flatMap((one) => (typeof one === "string" ? (normaliseName(one) ?? []) : []));
  return names.length > MAX_GROUPS ? undefined : [...new Set(names)];
}
