// Sign-in as the rest of the relay sees it: which paths it answers on which host, and where it sends visitors without a
// token. The table of routes; each step is a file of its own.

import type { Fields } from "@sallyport/shared/http/fields";
import { finishAtApplication, loginUrl, sendToLogin, showIdentity } from "./application-host.ts";
import { showLogin } from "./auth-host.ts";
import { handleBackChannelLogout } from "./back-channel.ts";
import { LoginContext } from "./context.ts";
import { showLauncher } from "./launcher.ts";
import { FORGET_PATH, forgetPages } from "./forget-pages.ts";
import { handleApplicationLogout, handleLogout } from "./logout.ts";
import { handlePin } from "./one-time-pin.ts";
import { finishAtProvider } from "./provider-state.ts";
import type { LoginAnswer, LoginServices, LoginTarget, LoginVisit } from "./types.ts";

/** One path of sign-in. */
export interface LoginRoute {
  /** HEAD is handled as GET, so it is left out where a GET uses something up: link checkers send it before the browser comes. */
  readonly methods: readonly ("GET" | "HEAD" | "POST")[];
  handle(visit: LoginVisit): LoginAnswer | Promise<LoginAnswer>;
}

const ONCE = ["GET"] as const;
const GET = ["GET", "HEAD"] as const;
const POST = ["POST"] as const;
const BOTH = ["GET", "HEAD", "POST"] as const;
const PROVIDER_CALLBACK = /^\/callback\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;
const BACK_CHANNEL = /^\/\.sallyport\/backchannel-logout\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;

export class LoginFlow {
  readonly #context: LoginContext;
  readonly #authHost: ReadonlyMap<string, LoginRoute>;
  readonly #applicationHost: ReadonlyMap<string, LoginRoute>;

  constructor(services: LoginServices) {
    const context = (this.#context = new LoginContext(services));
    this.#authHost = new Map<string, LoginRoute>([
      ["/", { methods: GET, handle: (visit) => showLauncher(context, visit) }],
      ["/login", { methods: GET, handle: (visit) => showLogin(context, visit) }],
      ["/logout", { methods: BOTH, handle: (visit) => handleLogout(context, visit) }],
      ["/.sallyport/pin", { methods: POST, handle: (visit) => handlePin(context, visit) }],
    ]);
    this.#applicationHost = new Map<string, LoginRoute>([
      ["/.sallyport/callback", { methods: ONCE, handle: (visit) => finishAtApplication(context, visit) }],
      ["/.sallyport/logout", { methods: BOTH, handle: (visit) => handleApplicationLogout(context, visit) }],
      ["/.sallyport/identity", { methods: GET, handle: (visit) => showIdentity(context, visit) }],
      [FORGET_PATH, { methods: GET, handle: (visit) => forgetPages(context, visit) }],
    ]);
  }

  /** The route of a path on the auth host; undefined: not sign-in's. */
  onAuthHost(pathname: string): LoginRoute | undefined {
    const context = this.#context;
    const callback = PROVIDER_CALLBACK.exec(pathname)?.[1];
    if (callback !== undefined) return { methods: ONCE, handle: (visit) => finishAtProvider(context, visit, callback) };
    const backChannel = BACK_CHANNEL.exec(pathname)?.[1];
    if (backChannel !== undefined) return { methods: POST, handle: (visit) => handleBackChannelLogout(context, visit, backChannel) };
    return this.#authHost.get(pathname);
  }

  /** The route of a path below /.sallyport/ on an application's host. */
  onApplicationHost(pathname: string): LoginRoute | undefined {
    return this.#applicationHost.get(pathname);
  }

  /** For a navigation that the policies answer with "login". @param path with query, to come back to */
  sendToLogin(target: LoginTarget, path: string, fields: Fields): LoginAnswer {
    return sendToLogin(this.#context, target, path, fields);
  }

  /** For programs: where a person can sign in for them. */
  loginUrl(target: LoginTarget): string {
    return loginUrl(this.#context, target);
  }
}
