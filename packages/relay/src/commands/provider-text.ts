// What `provider test` found, for a person: each fact with the selector that asks for it, what the provider did not say, and what
// to do about it. Names come from a provider: nothing of them reaches the terminal but printable text (R-M1).

import type { LoginProblem, LoginResult, ProviderLogin } from "../authn/provider.ts";
import { cleanText } from "../authn/provider-problem.ts";

const MAX_VALUE = 200;
/** Of groups, before the rest is only counted. */
const MAX_LISTED = 20;
const UNKNOWN = "(not said)";

const REMEDIES: Readonly<Record<LoginProblem, string>> = {
  "refused-by-provider": "Try again, with another account, or see whether the client may be used by this person.",
  "provider-unreachable":
    "Check issuer, name resolution and the way out; a provider in your own network needs allowPrivateNetwork, one with an own authority NODE_EXTRA_CA_CERTS.",
  "provider-invalid":
    "Compare client id, secret and redirect URI with what is registered, to the letter; then the clock and the signing algorithm.",
  "identity-unusable": "Release the claims that are named above for this client; docs/identity-providers.md says where.",
};

/** @param name of the provider in relay.yaml */
export function describeLogin(name: string, result: LoginResult): string {
  if (result.kind === "problem") {
    const { problem, detail } = result;
    return `No sign-in with ${name}: ${problem}: ${cleanText(detail, MAX_VALUE)}\n${REMEDIES[problem]}\n`;
  }
  const rows = factsOf(result.login);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
  const notes = notesOf(result.login).map((note) => `- ${note}`);
  return `Signed in with ${name}. Policies see:\n\n${lines.join("\n")}\n\n${notes.join("\n")}\n`;
}

type Row = readonly [fact: string, value: string, selector: string];

function factsOf({ identity }: ProviderLogin): readonly Row[] {
  const { subject, email, name, groups, authMethods, claims } = identity;
  return [
    ["subject", text(subject), ""],
    ["email", text(email), "email, emailDomain"],
    ["name", text(name), ""],
    ["groups", list(groups), "identityGroup"],
    ["methods", list(authMethods), "authMethod"],
    ...Object.entries(claims).map(([claim, value]): Row => [`claim ${text(claim)}`, text(JSON.stringify(value)), "claim"]),
  ];
}

function notesOf({ identity, refreshToken, providerSessionId }: ProviderLogin): readonly string[] {
  const { email, groups } = identity;
  const missing = [...(email === undefined ? ["email"] : []), ...(groups === undefined ? ["groups"] : [])];
  return [
    ...(missing.length === 0 ? [] : [`${missing.join(" and ")}: not said, which is unknown to policies and never lets anybody in.`]),
    ...(email === undefined ? ["An email counts only where the provider calls it verified; see emailVerified."] : []),
    ...(groups === undefined ? ["For groups the provider has to send a claim, and groupsClaim to name it."] : []),
    renewalNote(refreshToken),
    providerSessionId === undefined
      ? "No session id of the provider: its back-channel logout ends all sessions of a person, or is not offered."
      : "Back-channel logout can end this very session, once its URL is registered.",
  ];
}

function renewalNote(refreshToken: string | undefined): string {
  if (refreshToken === undefined)
    return "No refresh token: policies keep what was said at sign-in until the session ends; ask for offline_access.";
  if (refreshToken.startsWith("rt.")) return "A refresh token: a lost group or a disabled account counts within the session.";
  return "No refresh token, but an access token: claims are asked again while it lives.";
}

function text(value: string | undefined): string {
  return value === undefined ? UNKNOWN : cleanText(value, MAX_VALUE);
}

function list(values: readonly string[] | undefined): string {
  if (values === undefined) return UNKNOWN;
  if (values.length === 0) return "(none)";
  const more = values.length > MAX_LISTED ? ` and ${values.length - MAX_LISTED} more` : "";
  return `${values.slice(0, MAX_LISTED).map(text).join(", ")}${more}`;
}
