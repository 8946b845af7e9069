// Logout that the identity provider asks for (OpenID Connect Back-Channel Logout 1.0, R-F10): its signed token says whose
// sessions end. The provider's adapter judges the token; this is the endpoint around it.

import type { LoginContext } from "./context.ts";
import type { LoginAnswer, LoginVisit } from "./types.ts";

/** POST /.sallyport/backchannel-logout/PROVIDER. Section 2.8: 200 when done, 400 for anything that is not a valid token. */
export async function handleBackChannelLogout(context: LoginContext, visit: LoginVisit, providerName: string): Promise<LoginAnswer> {
  const provider = context.provider(providerName);
  const tokens = visit.form.getAll("logout_token");
  if (provider?.kind !== "redirect" || tokens.length !== 1) return refused(context, visit, providerName, "logout-token-missing");
  const logout = await provider.backChannelLogout(tokens[0] as string);
  if (logout === undefined || (logout.subject === undefined && logout.providerSessionId === undefined)) {
    return refused(context, visit, providerName, "logout-token-invalid");
  }
  const { subject, providerSessionId } = logout;
  const filter = {
    provider: providerName,
    ...(subject === undefined ? {} : { subject }),
    ...(providerSessionId === undefined ? {} : { providerSessionId }),
  };
  const ended = context.services.sessions.endWhere(filter, "ended-by-provider");
  context.services.event("logout", `provider ${providerName}`, {
    provider: providerName,
    subject: subject ?? "",
    reason: "ended-by-provider",
    count: ended.length,
    sourceIp: visit.clientAddress,
    requestId: visit.requestId,
  });
  return { kind: "json", status: 200, body: {}, fields: [] };
}

function refused(context: LoginContext, visit: LoginVisit, provider: string, reason: string): LoginAnswer {
  const { clientAddress: sourceIp, requestId } = visit;
  context.services.event("logout.refused", "relay", {
    provider: context.provider(provider) === undefined ? "" : provider,
    reason,
    sourceIp,
    requestId,
  });
  return { kind: "json", status: 400, body: { error: "invalid_request", error_description: reason }, fields: [] };
}
