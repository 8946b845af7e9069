// Every page for people with plausible content: for tests that hold for all of them, and for the screenshots in docs/.
// Imported by tests and scripts only.

import { cliCodePage, cliConfirmPage, cliDonePage } from "./cli-pages.ts";
import { launcherPage } from "./launcher-page.ts";
import { type PageParts, type RenderedPage, renderPage } from "./layout.ts";
import { logoutPage, signedOutPage } from "./logout-pages.ts";
import { DEFAULT_LOOK, type Look, type PageHost, pageHeaders } from "./look.ts";
import { pinCodePage, pinEmailPage } from "./pin-pages.ts";
import { type RefusalPage, refusalPage } from "./refusal-page.ts";
import { signedInPage, signInPage } from "./sign-in-page.ts";

const AT = new Date("2026-11-23T09:41:07Z");
const REQUEST_ID = "0f2b7c1e-5b0d-4c9a-9a57-3d1f6e2b8c44";

/** What a person or a program can put into a page, in place of each text. */
export type Say = (plausible: string) => string;

const asIs: Say = (text) => text;

/** The pages of sign-in, by name. */
export function samplePages(say: Say = asIs): Readonly<Record<string, PageParts>> {
  const account = { label: say("ann.lee@example.com"), detail: say("Ann Lee") };
  const application = say("grafana");
  const pin = { application, action: "/.sallyport/pin", hidden: { challenge: say("c2VhbGVk") } };
  const code = { ...pin, email: account.label, againHref: "/login?again=1" };
  const form = { action: "/logout", hidden: { token: say("dG9rZW4") } };
  return {
    "sign-in": signInPage({ application, choices: sampleChoices(say) }),
    "sign-in-again": signInPage({ application, choices: sampleChoices(say), account }),
    "pin-email": pinEmailPage({ ...pin, otherWaysHref: "/login?again=1" }),
    "pin-email-problem": pinEmailPage({ ...pin, email: say("ann.lee@example"), problem: say("Enter an address like name@example.com.") }),
    "pin-code": pinCodePage(code),
    "pin-code-problem": pinCodePage({
      ...code,
      problem: say("That is not the code. You have 2 tries left. Wait 4 seconds before the next."),
    }),
    "pin-code-terminal": pinCodePage({ ...code, onTerminal: true }),
    "signed-in": signedInPage({ application, continueHref: "https://grafana.example.com/d/1" }),
    launcher: launcherPage({ account, applications: sampleApplications(say), logoutHref: "/logout" }),
    "launcher-empty": launcherPage({ account, applications: [], logoutHref: "/logout" }),
    logout: logoutPage({ purpose: "sign-out", account, ...form, stayHref: "/" }),
    "switch-account": logoutPage({ purpose: "switch", account, ...form }),
    "logout-application": logoutPage({
      purpose: "application",
      account,
      application,
      ...form,
      everythingHref: "https://auth.example.com/logout",
    }),
    "signed-out": signedOutPage({ scope: "session", againHref: "/login" }),
    "signed-out-application": signedOutPage({ scope: "application", application, againHref: "/login" }),
    "cli-confirm": cliConfirmPage({ ...cliRequest(say), account, application }),
    "cli-code": cliCodePage({ action: "/.sallyport/cli", hidden: {} }),
    "cli-code-problem": cliCodePage({
      action: "/.sallyport/cli",
      hidden: {},
      code: say("WDJB-MJH"),
      problem: say("Nothing waits for this code. It may be over."),
    }),
    "cli-allowed": cliDonePage({ decision: "allowed", machine: say("build-7") }),
    "cli-denied": cliDonePage({ decision: "denied", machine: say("build-7") }),
  };
}

function sampleChoices(say: Say) {
  return [
    { label: say("Example single sign-on"), href: "/login?provider=corp", way: "redirect" },
    { label: say("GitHub"), href: "/login?provider=github", way: "redirect" },
    { label: say("Email"), href: "/login?provider=email", way: "pin" },
  ] as const;
}

function sampleApplications(say: Say) {
  return ["grafana", "wiki", "tickets", "build", "files"].map((name) => ({ name: say(name), href: `https://${name}.example.com/` }));
}

function cliRequest(say: Say) {
  const claim = { machine: say("build-7 (Debian 13)"), address: say("203.0.113.24"), requestedAt: AT };
  return { ...claim, code: say("WDJB-MJHT"), action: "/.sallyport/cli", hidden: { token: say("dG9rZW4") } };
}

/** Refusals that people meet on their way in, by name. */
export function sampleRefusals(say: Say = asIs): Readonly<Record<string, RefusalPage>> {
  const common = { requestId: REQUEST_ID, at: AT, hop: "relay", showPath: false, retry: false } as const;
  const again = "https://auth.example.com/login";
  return {
    denied: {
      ...common,
      code: "ERR_ACCESS_DENIED",
      title: "You don't have access",
      meaning: "You reached the right place, but the policies of this application do not let you in.",
      remedy: "Sign in with another account, or ask for access with the request id below.",
      detail: say("None of the policies of this application allows your account."),
      applicationName: say("grafana"),
      signedInAs: say("ann.lee@example.com"),
      loginUrl: "https://auth.example.com/logout?request=1",
      contact: "mailto:help@example.com",
    },
    "login-problem": {
      ...common,
      code: "ERR_LOGIN_STATE",
      title: "Start the sign-in again",
      meaning: "This step of the sign-in belongs to another browser, was used before, or took too long. Nobody was signed in by it.",
      remedy: "Start again. If it happens each time, allow cookies for this site.",
      applicationName: say("grafana"),
      loginUrl: again,
    },
    "provider-refused": {
      ...common,
      code: "ERR_LOGIN_REFUSED",
      title: "You were not signed in",
      meaning: "Your identity provider did not let you sign in, or did not say enough about you.",
      remedy: "Try again, or use another account.",
      detail: say("access_denied: the resource owner cancelled the request"),
      loginUrl: again,
      contact: "mailto:help@example.com",
    },
    offline: {
      ...common,
      code: "ERR_TUNNEL_NOT_CONNECTED",
      hop: "tunnel",
      showPath: true,
      retry: true,
      title: "Application is offline",
      meaning: "No connector of this application is connected right now.",
      remedy: "Try again in a moment. If it stays, give the code and the request id to the people who run this service.",
      applicationName: say("grafana"),
    },
  };
}

/** All of them as they are answered. */
export function renderSamples(look: Look = DEFAULT_LOOK, host: PageHost = "auth", say: Say = asIs): ReadonlyMap<string, RenderedPage> {
  const pages = Object.entries(samplePages(say)).map(([name, parts]) => [name, renderPage(parts, look, host)] as const);
  const refusals = Object.entries(sampleRefusals(say)).map(([name, model]) => {
    return [name, { body: refusalPage(model, look, host), fields: pageHeaders({ look, host }) }] as const;
  });
  return new Map([...pages, ...refusals]);
}
