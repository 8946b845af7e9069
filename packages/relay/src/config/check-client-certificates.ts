// Whether `clientCertificates` and the policies that look at certificates fit together: a selector that nothing answers
// would be unknown for everybody, and one handshake cannot verify with two bundles (R-B5, R-J5).

import { selectorsOf } from "../authz/lint-input.ts";
import { groupsWith } from "../authz/lint-selectors.ts";
import type { ApplicationDocument } from "./application-schema.ts";
import { finding, warning } from "@sallyport/shared/config/issues";
import { printable, type Finding } from "@sallyport/shared/config/problem";
import type { Entry, Survey } from "./survey.ts";

export function checkClientCertificates(survey: Survey): Finding[] {
  const applications = survey.entries("applications");
  const looking = policiesThatLook(survey);
  return [
    ...applications.flatMap((application) => unanswered(application, looking)),
    ...differentRules(applications),
    ...(survey.intact("listen") ? withoutTls(survey, applications) : []),
    // A policy with a mistake in it may be one that looks.
    ...(survey.intact("policies") && survey.intact("groups") ? applications.flatMap((one) => unused(one, looking)) : []),
  ];
}

/** Names of the policies that look at a certificate, themselves or through groups. */
function policiesThatLook(survey: Survey): ReadonlySet<string> {
  const groups = groupsWith(survey.entries("groups"), (kind) => kind === "clientCertificate");
  const looks = survey
    .entries("policies")
    .filter((policy) =>
      selectorsOf(policy).some(({ entry }) => entry.kind === "clientCertificate" || (entry.kind === "group" && groups.has(entry.value))),
    );
  return new Set(looks.map(({ value }) => value.name));
}

function unanswered({ value, path }: Entry<ApplicationDocument>, looking: ReadonlySet<string>): Finding[] {
  if (value.clientCertificates !== undefined) return [];
  return value.policies.flatMap((policy, index) =>
    looking.has(policy)
      ? [
          finding(
            [...path, "policies", index],
            "ERR_CONFIG_POLICY",
            `policy ${printable(policy)} looks at client certificates, and ${printable(value.name)} asks for none`,
            "add `clientCertificates: { ca: { file: ... } }` to the application",
          ),
        ]
      : [],
  );
}

function unused({ value, path }: Entry<ApplicationDocument>, looking: ReadonlySet<string>): Finding[] {
  if (value.clientCertificates === undefined || value.policies.some((policy) => looking.has(policy))) return [];
  return [
    warning(
      [...path, "clientCertificates"],
      "ERR_CONFIG_POLICY",
      `no policy of ${printable(value.name)} looks at client certificates: they are asked for, and change nothing`,
      "add a policy with `clientCertificate`, for example under `require`",
    ),
  ];
}

/** The handshake knows the host name and no path. */
function differentRules(applications: readonly Entry<ApplicationDocument>[]): Finding[] {
  const first = new Map<string, Entry<ApplicationDocument>>();
  return applications.flatMap((entry) => {
    const { hostname, clientCertificates } = entry.value;
    if (clientCertificates === undefined) return [];
    const before = first.get(hostname);
    if (before === undefined) first.set(hostname, entry);
    if (before === undefined || JSON.stringify(before.value.clientCertificates) === JSON.stringify(clientCertificates)) return [];
    return [
      finding(
        [...entry.path, "clientCertificates"],
        "ERR_CONFIG_CONFLICT",
        `${printable(before.value.name)} on the same host name has other clientCertificates`,
        "give both the same, or publish this one on another host name: one connection carries both",
      ),
    ];
  });
}

function withoutTls(survey: Survey, applications: readonly Entry<ApplicationDocument>[]): Finding[] {
  if (survey.entries("listen").some(({ value }) => value.tls !== undefined)) return [];
  return applications.flatMap(({ value, path }) =>
    value.clientCertificates === undefined
      ? []
      : [
          finding(
            [...path, "clientCertificates"],
            "ERR_CONFIG_CONFLICT",
            "no listener has `tls`, so nobody can be asked for a certificate",
            "let the relay end TLS itself: what a proxy in front saw of a certificate is not believed",
          ),
        ],
  );
}
