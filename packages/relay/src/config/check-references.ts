// Checks across sections: names that exist, names that are given once, host names and paths that are given once.

import { finding, warning } from "@sallyport/shared/config/issues";
import { childOf } from "@sallyport/shared/config/schema-tree";
import { nearest } from "@sallyport/shared/config/nearest";
import { printable, type ConfigPath, type Finding } from "@sallyport/shared/config/problem";
import type { Survey } from "./survey.ts";

export function checkReferences(survey: Survey): Finding[] {
  return [
    ...(["identityProviders", "tunnels", "groups", "policies", "applications"] as const).flatMap((section) =>
      duplicateNames(survey, section),
    ),
    ...survey.rawEntries("applications").flatMap(({ value, path }) => applicationReferences(survey, value, path)),
    ...duplicateRoutes(survey),
    ...unusedTunnels(survey),
  ];
}

/** Works on what is written, so that an application with another mistake in it has its references checked too. */
function applicationReferences(survey: Survey, application: unknown, path: ConfigPath): Finding[] {
  const findings: Finding[] = [];
  const tunnel = childOf(application, "tunnel");
  const tunnels = survey.names("tunnels");
  if (typeof tunnel === "string" && tunnel !== "" && !tunnels.has(tunnel))
    findings.push(unknownName("tunnel", "tunnels", tunnel, tunnels, [...path, "tunnel"]));
  const listed = childOf(application, "policies");
  if (!Array.isArray(listed)) return findings;
  const policies = survey.names("policies");
  for (const [index, name] of listed.entries()) {
    const at = [...path, "policies", index];
    if (typeof name !== "string" || name === "") continue;
    if (listed.indexOf(name) < index)
      findings.push(finding(at, "ERR_CONFIG_DUPLICATE", `policy ${printable(name)} is listed twice`, "remove one of them"));
    else if (!policies.has(name)) findings.push(unknownName("policy", "policies", name, policies, at));
  }
  return findings;
}

function unknownName(what: string, section: string, name: string, known: ReadonlySet<string>, path: ConfigPath): Finding {
  const meant = nearest(name, known);
  const remedy =
    meant !== undefined
      ? `write ${printable(meant)} instead`
      : `add it under \`${section}\`${known.size === 0 ? "" : `, or use one of: ${firstFew(known)}`}`;
  return finding(path, "ERR_CONFIG_REFERENCE", `there is no ${what} ${printable(name)}`, remedy);
}

function firstFew(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, 8).map((name) => printable(name));
  return names.size > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}

function duplicateNames(survey: Survey, section: "identityProviders" | "tunnels" | "groups" | "policies" | "applications"): Finding[] {
  const seen = new Set<string>();
  return survey.entries(section).flatMap(({ value, path }) => {
    if (!seen.has(value.name)) {
      seen.add(value.name);
      return [];
    }
    return [
      finding(
        [...path, "name"],
        "ERR_CONFIG_DUPLICATE",
        `the name ${printable(value.name)} is given twice under ${section}`,
        "give this one another name, or remove it",
      ),
    ];
  });
}

/** Two applications on one hostname and path would leave it open whose policies count (R-N3). */
function duplicateRoutes(survey: Survey): Finding[] {
  const owners = new Map<string, string>();
  return survey.entries("applications").flatMap(({ value, path }) => {
    const route = value.hostname + value.path;
    const owner = owners.get(route);
    if (owner === undefined) {
      owners.set(route, value.name);
      return [];
    }
    return [
      finding(
        [...path, "hostname"],
        "ERR_CONFIG_DUPLICATE",
        `${printable(route)} is published by the application ${printable(owner)} already`,
        "give this application another hostname or path, or put its policies on the other one",
      ),
    ];
  });
}

function unusedTunnels(survey: Survey): Finding[] {
  if (!survey.intact("applications") || !survey.intact("tunnels")) return [];
  const used = new Set(survey.entries("applications").map(({ value }) => value.tunnel));
  // A misspelt reference is an error already; the tunnel that it meant is not unused.
  const declared = survey.names("tunnels");
  if ([...used].some((tunnel) => !declared.has(tunnel))) return [];
  return survey
    .entries("tunnels")
    .filter(({ value }) => !used.has(value.name))
    .map(({ value, path }) =>
      warning(
        [...path, "name"],
        "ERR_CONFIG_REFERENCE",
        `no application uses the tunnel ${printable(value.name)}`,
        "publish an application through it, or remove it",
      ),
    );
}
