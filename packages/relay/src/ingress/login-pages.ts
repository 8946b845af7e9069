// Between sockets and sign-in: reads what sign-in is told of a request, forms included, and writes what it answers. Knows
// neither providers nor sessions; the flow in authn/login knows no sockets.

import { firstValue, type Fields } from "@sallyport/shared/http/fields";
import type { LoginRoute } from "../authn/login/flow.ts";
import type { LoginAnswer, LoginRefusal, LoginVisit } from "../authn/login/types.ts";
import { renderPage } from "../pages/layout.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import type { InFlight } from "./in-flight.ts";
import { locationOf, type OwnLocation } from "./location.ts";

/** Largest form; a logout token is the largest thing in one. */
export const MAX_FORM_BYTES = 16_384;
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:[ \t]*;|[ \t]*$)/i;
const NO_FORM = new URLSearchParams();

/** Answers a request to one of sign-in's paths. */
export function serveLogin(route: LoginRoute, request: InFlight, canonical: CanonicalRequest): void {
  run(route, request, canonical).catch((error: unknown) => request.fault(error));
}

async function run(route: LoginRoute, request: InFlight, canonical: CanonicalRequest): Promise<void> {
  const known = route.methods.find((one) => one === canonical.method);
  if (known === undefined) return request.answerOwn(405, ["Allow", route.methods.join(", ")]);
  const method = known === "HEAD" ? "GET" : known;
  const form = method === "POST" ? await readForm(request) : NO_FORM;
  if (form === undefined || request.closed) return;
  answerLogin(request, await route.handle(visitOf(request, canonical, method, form)));
}

/** undefined: answered already. */
async function readForm(request: InFlight): Promise<URLSearchParams | undefined> {
  const type = firstValue(request.exchange.request.fields, "content-type") ?? "";
  if (!FORM_TYPE.test(type)) {
    request.exchange.closeConnectionAfter();
    request.answerOwn(415, ["Accept-Post", "application/x-www-form-urlencoded"]);
    return undefined;
  }
  const body = await request.readBody(MAX_FORM_BYTES);
  if (body.kind === "body") return new URLSearchParams(Buffer.from(body.bytes).toString("utf8"));
  if (body.kind === "too-large") {
    request.exchange.closeConnectionAfter();
    request.answerRefusal("own", "ERR_BODY_TOO_LARGE");
  }
  return undefined;
}

function visitOf(request: InFlight, canonical: CanonicalRequest, method: "GET" | "POST", form: URLSearchParams): LoginVisit {
  const { hostname, target } = canonical;
  const { requestId, client, exchange } = request;
  const query = new URLSearchParams(target.query);
  return { method, hostname, query, form, fields: exchange.request.fields, clientAddress: client.address, requestId };
}

/** Puts an answer of sign-in on the wire. @param decision for the record: `login` where a request to an application was sent away */
export function answerLogin(request: InFlight, answer: LoginAnswer, decision: "own" | "login" = "own"): void {
  if (request.closed) return;
  switch (answer.kind) {
    case "own-redirect":
      return request.answerRedirect(decision, "sign-in", answer.to, answer.fields);
    case "provider-redirect":
      return request.answerRedirect(decision, "sign-in", answer.url, answer.fields);
    case "json":
      return request.answerOwn(
        answer.status,
        ["Content-Type", "application/json", ...answer.fields],
        Buffer.from(`${JSON.stringify(answer.body)}\n`),
      );
    case "nothing":
      return request.answerOwn(204, answer.fields);
    case "page":
      return answerPage(request, answer);
    case "refusal":
      return answerRefusal(request, answer, decision);
  }
}

function answerPage(request: InFlight, { status, fields, continueTo, ...parts }: Extract<LoginAnswer, { kind: "page" }>): void {
  const { look, config } = request.runtime;
  const page = renderPage(parts, look, request.canonical?.hostname === config.authUrl.hostname ? "auth" : "elsewhere");
  request.answerOwn(status, [...page.fields, ...refresh(continueTo), ...fields], Buffer.from(page.body));
}

function answerRefusal(request: InFlight, refusal: LoginRefusal, decision: "own" | "login"): void {
  const { code, reason, detail, application, identity, startAgain, continueTo, fields = [], retryAfterS } = refusal;
  if (identity !== undefined) request.identity = identity;
  request.answerRefusal(code === "ERR_ACCESS_DENIED" ? "deny" : decision, code, reason, {
    detail,
    retryAfterS,
    applicationName: application,
    signedInAs: identity === undefined ? undefined : (identity.email ?? identity.name ?? identity.subject),
    loginUrl: startAgain === undefined ? undefined : locationOf(startAgain),
    fields: [...refresh(continueTo), ...fields],
  });
}

/** Goes on at once, without script; the same check as for Location (R-E3). */
function refresh(to: OwnLocation | undefined): Fields {
  return to === undefined ? [] : ["Refresh", `0;url=${locationOf(to)}`];
}
