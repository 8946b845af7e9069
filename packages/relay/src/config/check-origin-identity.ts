// Applications that tell their origin in the clear who is asking, and let people in whom nobody asked: an origin that
// keeps a login of its own, or takes a missing header for somebody, would mistake one for the other.

import { warning } from "@sallyport/shared/config/issues";
import { printable, type Finding } from "@sallyport/shared/config/problem";
import type { Survey } from "./survey.ts";

export function checkOriginIdentity(survey: Survey): Finding[] {
  const actions = new Map(survey.entries("policies").map(({ value }) => [value.name, value.action]));
  return survey.entries("applications").flatMap(({ value, path }) => {
    const option =
      value.identityHeaders.length > 0 ? "identityHeaders" : value.originBasicAuth === undefined ? undefined : "originBasicAuth";
    const bypass = value.policies.findIndex((name) => actions.get(name) === "bypass");
    if (option === undefined || bypass < 0) return [];
    return [
      warning(
        [...path, "policies", bypass],
        "ERR_CONFIG_POLICY",
        `policy ${printable(value.policies[bypass] ?? "")} lets anonymous visitors in, of whom \`${option}\` tells the origin nothing: it could take them for somebody`,
        "publish what is public as an application of its own, with a path and without that option",
      ),
    ];
  });
}
