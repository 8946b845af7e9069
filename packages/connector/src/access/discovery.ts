// Where people sign in for an application: its own host says so. What it says is taken for a place to sign in to and for
// nothing else: the application that a token is asked for is the one that the user named, and the token goes nowhere else.

import { call, type Failure, type Network } from "./call.ts";
import { isProtected } from "./urls.ts";

const DISCOVERY_PATH = "/.sallyport/cli";

export type Discovery = { readonly kind: "found"; readonly authUrl: URL } | Failure;

export async function discover(application: URL, network: Network): Promise<Discovery> {
  const result = await call(new URL(DISCOVERY_PATH, application), network);
  if (result.kind === "failed") return result;
  const { auth_url: text } = result.json;
  const authUrl = result.status === 200 && typeof text === "string" ? URL.parse(text) : null;
  if (authUrl === null) return failed(`${application.host} is not published by a Sallyport relay (status ${result.status})`);
  // An https application whose sign-in were http would put the code on the wire.
  if (!isProtected(authUrl) || authUrl.protocol !== application.protocol || authUrl.origin !== text) {
    return failed(`${application.host} names an address to sign in at that cannot be used`);
  }
  return { kind: "found", authUrl };
}

function failed(why: string): Failure {
  return { kind: "failed", why, remedy: "check the address: it is that of the application, as you open it in a browser" };
}
