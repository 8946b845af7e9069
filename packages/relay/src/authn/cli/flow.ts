// Sign-in of command lines as the rest of the relay sees it: the table of its paths on the auth host (A16). Beside sign-in of
// browsers, whose session, forms and pages it uses. The application host only says where its auth host is.

import type { LoginContext } from "../login/context.ts";
import type { LoginRoute } from "../login/flow.ts";
import { decide, enterCode, showCodeForm, showConfirmation } from "./confirm.ts";
import { CliContext, type SessionOfToken } from "./context.ts";
import { CLI_CODE_PATH, CLI_PATH } from "./pages.ts";
import { exchange, logoutCommand, startDevice } from "./token.ts";

const GET = ["GET", "HEAD"] as const;
const POST = ["POST"] as const;
const BOTH = ["GET", "HEAD", "POST"] as const;

export class CliFlow {
  readonly #authHost: ReadonlyMap<string, LoginRoute>;
  readonly #discovery: LoginRoute;

  constructor(login: LoginContext, sessionOfToken: SessionOfToken) {
    const context = new CliContext(login, sessionOfToken);
    this.#authHost = new Map<string, LoginRoute>([
      [
        CLI_PATH,
        { methods: BOTH, handle: (visit) => (visit.method === "POST" ? decide(context, visit) : showConfirmation(context, visit)) },
      ],
      [
        CLI_CODE_PATH,
        { methods: BOTH, handle: (visit) => (visit.method === "POST" ? enterCode(context, visit) : showCodeForm(context, visit)) },
      ],
      [`${CLI_PATH}/device`, { methods: POST, handle: (visit) => startDevice(context, visit) }],
      [`${CLI_PATH}/token`, { methods: POST, handle: (visit) => exchange(context, visit) }],
      [`${CLI_PATH}/logout`, { methods: POST, handle: (visit) => logoutCommand(context, visit) }],
    ]);
    this.#discovery = {
      methods: GET,
      handle: () => ({ kind: "json", status: 200, body: { auth_url: login.services.authUrl().origin }, fields: [] }),
    };
  }

  onAuthHost(pathname: string): LoginRoute | undefined {
    return this.#authHost.get(pathname);
  }

  onApplicationHost(pathname: string): LoginRoute | undefined {
    return pathname === CLI_PATH ? this.#discovery : undefined;
  }
}
