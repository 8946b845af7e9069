// The pages on the way to a signed-in command line: from requests and sessions to what a page shows. No wording, no decision.

import { comparisonCode } from "@sallyport/shared/comparison-code";
import { cliCodePage, cliConfirmPage, cliDonePage } from "../../pages/cli-pages.ts";
import type { PageParts } from "../../pages/layout.ts";
import type { LoginPage, LoginTarget } from "../login/types.ts";
import type { Session } from "../session.ts";
import type { CliRequest } from "./request.ts";

export const CLI_PATH = "/.sallyport/cli";
export const CLI_CODE_PATH = "/.sallyport/cli/code";

export interface Confirmation {
  readonly request: CliRequest;
  readonly target: LoginTarget;
  readonly session: Session;
  /** The request, sealed. */
  readonly sealed: string;
  readonly token: string;
  readonly requestedAt: Date;
  /** Of a request by code; undefined where the browser is on the asking machine. */
  readonly device?: { readonly userCode: string; readonly address: string } | undefined;
}

/** R-E4: says which machine asked; nothing happens before a person confirms. */
export function confirmPage({ request, target, session, sealed, token, requestedAt, device }: Confirmation): LoginPage {
  const { email, name, subject } = session.identity;
  const label = email ?? name ?? subject;
  return answer(
    cliConfirmPage({
      account: { label, detail: name === label ? undefined : name },
      machine: request.machine,
      address: device?.address,
      requestedAt,
      application: target.name,
      code: device?.userCode ?? comparisonCode(request.challenge),
      action: CLI_PATH,
      hidden: { request: sealed, token },
    }),
  );
}

/** Where a person types the code that the command line shows. */
export function codePage(token: string, problem?: { readonly text: string; readonly status: number }): LoginPage {
  return answer(cliCodePage({ action: CLI_CODE_PATH, hidden: { token }, problem: problem?.text }), { status: problem?.status ?? 200 });
}

/** The end of it in the browser. @param continueTo the command's own port, which takes the answer */
export function donePage(machine: string, allowed: boolean, continueTo?: LoginPage["continueTo"]): LoginPage {
  return answer(cliDonePage({ decision: allowed ? "allowed" : "denied", machine }), { continueTo });
}

function answer(parts: PageParts, more: Partial<Pick<LoginPage, "status" | "continueTo">> = {}): LoginPage {
  return { kind: "page", status: 200, fields: [], ...parts, ...more };
}
