// The query with which a provider sends a browser back, before anything in it is believed (R-F2). State, issuer (RFC 9207)
// and error are openid-client's to check; here is what URLSearchParams would hide.

import { ProviderRefusal } from "../provider-problem.ts";

const MAX_QUERY_LENGTH = 8_192;
const ONCE = ["code", "state", "iss", "error", "error_description", "session_state", "response"];

/** @throws ProviderRefusal provider-invalid */
export function checkCallback(callback: URL): void {
  const { searchParams, search } = callback;
  if (search.length > MAX_QUERY_LENGTH) refuse("the callback's query is too long");
  for (const name of ONCE) if (searchParams.getAll(name).length > 1) refuse(`the callback has ${name} more than once`);
  if (searchParams.has("code") === searchParams.has("error")) refuse("the callback has neither or both of code and error");
  if (searchParams.get("code") === "") refuse("the callback's code is empty");
}

function refuse(message: string): never {
  throw new ProviderRefusal("provider-invalid", message);
}
