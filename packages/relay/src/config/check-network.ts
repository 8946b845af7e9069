// Checks of where the relay can be reached and whom it believes: the auth origin, listeners, proxies, host names.

import { finding, warning } from "@sallyport/shared/config/issues";
import type { Finding } from "@sallyport/shared/config/problem";
import type { Survey } from "./survey.ts";
import type { PublicOrigin, SocketAddress } from "./types.ts";

export function checkNetwork(survey: Survey): Finding[] {
  const authUrl = survey.section("authUrl");
  const scheme = authUrl === undefined ? [] : checkAuthUrl(authUrl);
  // With a scheme that has to change anyway, what depends on the scheme is not worth reporting.
  const dependent =
    authUrl === undefined || scheme.length > 0 ? [] : [...checkHostnames(survey, authUrl), ...checkListeners(survey, authUrl)];
  return [...scheme, ...dependent, ...checkAddresses(survey), ...checkProxies(survey)];
}

/** `localhost`, names below it, 127.0.0.0/8 and ::1: addresses that never leave the machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || /^127(?:\.\d{1,3}){3}$/.test(host) || host === "[::1]" || host === "::1";
}

function checkAuthUrl(authUrl: PublicOrigin): Finding[] {
  if (authUrl.scheme === "https" || isLoopback(authUrl.hostname)) return [];
  return [
    finding(
      ["authUrl"],
      "ERR_CONFIG_INSECURE",
      "an http authUrl outside of loopback would send sessions and credentials in the clear",
      "write https, or a host below .localhost to try things out on this machine",
    ),
  ];
}

function checkHostnames(survey: Survey, authUrl: PublicOrigin): Finding[] {
  return survey.entries("applications").flatMap(({ value, path }) => {
    const at = [...path, "hostname"];
    if (value.hostname === authUrl.hostname) {
      return [
        finding(
          at,
          "ERR_CONFIG_CONFLICT",
          "this is the host of authUrl, where people sign in",
          "publish the application under a host name of its own",
        ),
      ];
    }
    if (authUrl.scheme === "http" && !isLoopback(value.hostname)) {
      return [
        finding(
          at,
          "ERR_CONFIG_INSECURE",
          "applications have the scheme of authUrl: this one would be served over http",
          "use a host name below .localhost, or an https authUrl",
        ),
      ];
    }
    return [];
  });
}

function checkListeners(survey: Survey, authUrl: PublicOrigin): Finding[] {
  const proxied = (survey.section("trustedProxies")?.length ?? 0) > 0;
  return survey.entries("listen").flatMap(({ value, path }) => {
    const at = [...path, "redirectToHttps"];
    if (value.redirectToHttps && value.tls !== undefined) {
      return [
        finding(
          at,
          "ERR_CONFIG_CONFLICT",
          "redirectToHttps is for a plain port, and this one has tls",
          "remove redirectToHttps here, and add a listener for port 80 with it",
        ),
      ];
    }
    if (value.redirectToHttps && authUrl.scheme === "http") {
      return [
        finding(
          at,
          "ERR_CONFIG_CONFLICT",
          "redirectToHttps would lead to https, and authUrl is http",
          "remove redirectToHttps, or make authUrl https",
        ),
      ];
    }
    if (value.tls !== undefined && authUrl.scheme === "http") {
      return [
        finding([...path, "tls"], "ERR_CONFIG_CONFLICT", "this listener has tls, and authUrl is http", "make authUrl https, or remove tls"),
      ];
    }
    const exposed = value.tls === undefined && !value.redirectToHttps && authUrl.scheme === "https";
    if (!exposed || proxied || isLoopback(value.address.host)) return [];
    return [
      warning(
        [...path, "address"],
        "ERR_CONFIG_INSECURE",
        "this listener serves applications over plain HTTP, although authUrl is https",
        "add tls, or redirectToHttps, or name the TLS proxy in front of it under trustedProxies",
      ),
    ];
  });
}

/** Two listeners cannot share an address; the system would say so only at start. */
function checkAddresses(survey: Survey): Finding[] {
  const seen = new Set<string>();
  const twice = survey.entries("listen").flatMap(({ value, path }) => {
    const key = addressKey(value.address);
    const again = value.address.port !== 0 && seen.has(key);
    seen.add(key);
    return again
      ? [
          finding(
            [...path, "address"],
            "ERR_CONFIG_DUPLICATE",
            "another listener has this address already",
            "give it another port, or remove it",
          ),
        ]
      : [];
  });
  const admin = survey.section("admin")?.address;
  if (admin === undefined) return twice;
  const at = ["admin", "address"];
  if (admin.port !== 0 && seen.has(addressKey(admin))) {
    return [
      ...twice,
      finding(
        at,
        "ERR_CONFIG_CONFLICT",
        "metrics and health would share the address of a public listener",
        'give admin an address of its own, for example "127.0.0.1:9090"',
      ),
    ];
  }
  if (isLoopback(admin.host)) return twice;
  return [
    ...twice,
    warning(
      at,
      "ERR_CONFIG_INSECURE",
      "metrics and health are reachable from outside this machine, without sign-in",
      'use "127.0.0.1:9090", or make sure that only your monitoring reaches this address',
    ),
  ];
}

function addressKey(address: SocketAddress): string {
  return `${address.host.toLowerCase()} ${address.port}`;
}

function checkProxies(survey: Survey): Finding[] {
  return survey
    .entries("trustedProxies")
    .filter(({ value }) => value.endsWith("/0"))
    .map(({ path }) =>
      warning(
        path,
        "ERR_CONFIG_INSECURE",
        "every address is trusted: any visitor can claim any source address",
        "list only the proxies that you run",
      ),
    );
}
