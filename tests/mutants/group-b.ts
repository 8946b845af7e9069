// Mutants of group B, hosts: each switches one guard off (mutant.ts), and a test that names its id has to notice.

import type { Mutant } from "./mutant.ts";

const HTTP = "packages/shared/src/http/";
const INGRESS = "packages/relay/src/ingress/";
const CASES = "tests/conformance/";

export const GROUP_B: readonly Mutant[] = [
  {
    id: "R-B1",
    off: "the last of several Host fields counts",
    file: `${HTTP}authority.ts`,
    find: "if (host !== undefined) return SEVERAL;",
    replace: "",
    tests: [`${HTTP}authority.test.ts`, `${CASES}r-b01-one-host.test.ts`],
  },
  {
    id: "R-B1",
    off: "Host need not agree with :authority",
    file: `${HTTP}authority.ts`,
    find: "if (host !== undefined && host !== named && !sameAuthority(picked, readAuthority(host, options))) return MISMATCH;",
    replace: "",
    tests: [`${CASES}r-b01-one-host.test.ts`],
  },
  {
    id: "R-B2",
    off: "any character may stand in a host",
    file: `${HTTP}authority.ts`,
    find: "} else if (LDH_OCTETS[code] !== 1 && !(allowUnderscore && code === UNDERSCORE)) return false;",
    replace: "} else if (LDH_OCTETS[code] === 2 && !(allowUnderscore && code === UNDERSCORE)) return false;",
    tests: [`${HTTP}authority.test.ts`, `${CASES}r-b02-host-grammar.test.ts`],
  },
  {
    id: "R-B2",
    off: "addresses are hosts",
    file: `${HTTP}authority.ts`,
    find: "if (NUMERIC_LAST_LABEL.test(lastLabel)) return options.allowIp === true && isIPv4(raw) ? raw : undefined;",
    replace: "if (NUMERIC_LAST_LABEL.test(lastLabel)) return raw;",
    tests: [`${HTTP}authority.test.ts`, `${CASES}r-b02-host-grammar.test.ts`],
  },
  {
    id: "R-B3",
    off: "upper and lower case are different hosts",
    file: `${HTTP}authority.ts`,
    find: 'const hostname = (raw.endsWith(".") ? raw.slice(0, -1) : raw).toLowerCase();',
    replace: 'const hostname = raw.endsWith(".") ? raw.slice(0, -1) : raw;',
    tests: [`${CASES}r-b03-canonical-host.test.ts`],
  },
  {
    id: "R-B3",
    off: "a trailing dot makes another host",
    file: `${HTTP}authority.ts`,
    find: 'const hostname = (raw.endsWith(".") ? raw.slice(0, -1) : raw).toLowerCase();',
    replace: "const hostname = raw.toLowerCase();",
    tests: [`${CASES}r-b03-canonical-host.test.ts`],
  },
  {
    id: "R-B3",
    off: "a wildcard covers any number of labels",
    file: `${INGRESS}route.ts`,
    find: "return dot < 0 ? undefined : this.#wildcard.get(hostname.slice(dot + 1));",
    replace: 'return dot < 0 ? undefined : this.#wildcard.get(hostname.split(".").slice(-3).join("."));',
    tests: [`${CASES}r-b03-canonical-host.test.ts`],
  },
  {
    id: "R-B4",
    off: "any port is the public one",
    file: `${INGRESS}pipeline.ts`,
    find: "if (canonical.port !== runtime.publicPort)",
    replace: "if (canonical.port === 0 && runtime.publicPort > 0)",
    tests: [`${CASES}r-b04-public-origin.test.ts`],
  },
  {
    id: "R-B5",
    off: "the TLS server name decides which application is asked for",
    file: `${INGRESS}canonicalise.ts`,
    find: "hostname: authority.hostname,",
    replace: "hostname: request.serverName ?? authority.hostname,",
    tests: [`${CASES}r-b05-server-name.test.ts`],
  },
  {
    id: "R-B5",
    off: "a host with client certificates may be asked for on any connection",
    file: `${INGRESS}client-certificate.ts`,
    find: 'return scheme === "http" || clientCheck?.authorityId === wanted?.id;',
    replace: "return true;",
    tests: [`${CASES}a23-client-certificates.test.ts`],
  },
  {
    id: "R-B5",
    off: "TLS sessions with a client certificate are resumed",
    file: `${INGRESS}tls.ts`,
    find: "{ ...COMMON, secureOptions: constants.SSL_OP_NO_TICKET }",
    replace: "{ ...COMMON, secureOptions: constants.SSL_OP_ALL & 0 }",
    tests: [`${CASES}a23-client-certificates.test.ts`],
  },
  {
    id: "R-B5",
    off: "a certificate that does not verify is taken for one that does",
    file: `${INGRESS}client-certificate.ts`,
    find: "socket.authorized ? undefined : problemOf(socket.authorizationError)",
    replace: "undefined",
    tests: [`${CASES}a23-client-certificates.test.ts`],
  },
  {
    id: "R-B6",
    off: "the answer repeats the unknown host",
    file: `${INGRESS}pipeline.ts`,
    find: 'case "unknown-host":\n      return request.answerRefusal("refused", "ERR_HOST_UNKNOWN");',
    replace:
      'case "unknown-host":\n      return request.answerRefusal("refused", "ERR_HOST_UNKNOWN", undefined, { detail: canonical.hostname });',
    tests: [`${CASES}r-b06-unknown-host.test.ts`],
  },
  {
    id: "R-B7",
    off: "discovery is built from the request",
    file: `${INGRESS}auth-host.ts`,
    find: "return serveJson(request, describe(options.authUrl));",
    replace:
      'return serveJson(request, describe(`https://${firstValue(request.exchange.request.fields, "x-forwarded-host") ?? "auth.example.test"}`));',
    tests: [`${CASES}r-b07-configured-urls.test.ts`],
  },
  {
    id: "R-B8",
    off: "X-Forwarded-For of anybody is believed",
    file: `${INGRESS}client-address.ts`,
    find: "if (!peer.trusted) return peer.own;",
    replace: "",
    tests: [`${INGRESS}client-address.test.ts`, `${CASES}r-b08-forwarding-fields.test.ts`],
  },
  {
    id: "R-B8",
    off: "entries left of an untrusted hop are believed",
    file: `${INGRESS}client-address.ts`,
    find: 'if (!isTrusted(address)) return clientAddress("x-forwarded-for", chain);',
    replace: "",
    tests: [`${INGRESS}client-address.test.ts`, `${CASES}r-b08-forwarding-fields.test.ts`],
  },
  {
    id: "R-B8",
    off: "a visitor's own forwarding fields reach the origin",
    file: `${HTTP}field-names.ts`,
    find: '["x-forwarded-", FieldClass.CLIENT_IDENTITY],',
    replace: "",
    tests: [`${CASES}r-b08-forwarding-fields.test.ts`],
  },
];
