// Groups of people who are in too many for Entra ID's tokens (more than 200): the token then only points elsewhere, and
// the list is read from Microsoft Graph with the person's own access token. Must not follow the pointer itself: its URL
// comes from a claim and names a retired API.

import type { ProviderFetch } from "../provider-fetch.ts";
import { type Claims, readGroups } from "../claims.ts";

/** Graph of each national cloud, by the host of the issuer. */
const GRAPH: Readonly<Record<string, string>> = {
  "login.microsoftonline.com": "https://graph.microsoft.com",
  "login.microsoftonline.us": "https://graph.microsoft.us",
  "login.partner.microsoftonline.cn": "https://microsoftgraph.chinacloudapi.cn",
};

/** Whether the token says that groups were left out (`_claim_names`, or `hasgroups` in the implicit flow). */
export function hasGroupsOverage(claims: Claims): boolean {
  const names = claims["_claim_names"];
  const pointed = typeof names === "object" && names !== null && Object.hasOwn(names, "groups");
  const hasGroups = claims["hasgroups"];
  return pointed || hasGroups === true || hasGroups === "true";
}

/** @returns undefined where Graph does not say: then the person's groups are unknown, never all and never none (R-F8) */
export async function readEntraGroups(issuer: string, accessToken: string, fetch: ProviderFetch): Promise<readonly string[] | undefined> {
  const graph = GRAPH[new URL(issuer).hostname];
  if (graph === undefined) return undefined;
  const response = await fetch(`${graph}/v1.0/me/getMemberObjects`, {
    method: "POST",
    headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ securityEnabledOnly: false }),
  });
  if (response.status !== 200) return undefined;
  const answer: unknown = await response.json().catch(() => undefined);
  if (typeof answer !== "object" || answer === null || !Array.isArray((answer as Claims)["value"])) return undefined;
  // Graph says so where one page did not hold them all.
  return Object.hasOwn(answer, "@odata.nextLink") ? undefined : readGroups((answer as Claims)["value"]);
}
