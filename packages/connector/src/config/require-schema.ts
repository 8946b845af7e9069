// `require` in connector.yaml: what whoever runs a service demands beside the relay's decision (T16). The same keys for one
// service and for all; names in the one spelling in which they are compared.

import { normaliseDomain, normaliseEmail, normaliseName } from "@sallyport/shared/names";
import { z } from "zod";
import type { Requirement } from "../gate/require.ts";
import type { AssertionKind } from "../gate/verify.ts";
import { fits, textValue } from "./values.ts";

const MAX_VALUES = 1_024;

const KINDS: readonly AssertionKind[] = ["person", "service", "bypass"];

const kind = textValue(
  fits((text) => KINDS.find((known) => known === text), "not a kind of caller"),
  { remedy: "write person, service (a service token) or bypass (anybody, where the relay asks for nothing)" },
);
const application = textValue(fits(readApplication, "expected the public URL of an application"), {
  remedy: "write it as the relay publishes it, such as https://grafana.example.com or https://example.com/wiki",
});
const group = textValue(fits(normaliseName, "expected the name of a group"), { remedy: "write 1 to 320 visible characters" });
const email = textValue(fits(normaliseEmail, "expected a mail address"), { remedy: "write an address such as ann@example.com" });
const emailDomain = textValue(fits(normaliseDomain, "expected a mail domain"), {
  remedy: "write the domain alone, without @ or *, such as example.com",
});

export interface WrittenRequirement {
  readonly kinds?: readonly AssertionKind[] | undefined;
  readonly applications?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly emails?: readonly string[] | undefined;
  readonly emailDomains?: readonly string[] | undefined;
}

/** Not empty: nothing could ever meet that, and removing the service says so more clearly. */
function listOf<Value>(value: z.ZodType<Value, string | number>): z.ZodOptional<z.ZodArray<z.ZodType<Value, string | number>>> {
  return z.array(value).min(1).max(MAX_VALUES).optional();
}

export const requireSchema: z.ZodType<WrittenRequirement, unknown> = z
  .strictObject({
    kinds: listOf(kind).meta({ description: "Who may ask: person, service (a service token), bypass (anybody)." }),
    applications: listOf(application).meta({ description: "Public URLs of the applications through which it may be reached." }),
    groups: listOf(group).meta({ description: "Groups; a person has to be in one of them." }),
    emails: listOf(email).meta({ description: "Verified addresses; a person has to have one of them." }),
    emailDomains: listOf(emailDomain).meta({ description: "Domains of verified addresses." }),
  })
  .refine((written) => Object.values(written).some((value) => value !== undefined), {
    error: "demands nothing",
    params: { remedy: "write kinds, applications, groups, emails or emailDomains, or remove require" },
  })
  .meta({ remedy: "write a mapping such as { groups: [eng] }" });

export function requirementOf(written: WrittenRequirement): Requirement {
  const { kinds, applications, groups, emails, emailDomains } = written;
  return {
    kinds: setOf(kinds),
    applications: setOf(applications),
    groups: setOf(groups),
    emails: setOf(emails),
    emailDomains: setOf(emailDomains),
  };
}

function setOf<Value>(values: readonly Value[] | undefined): ReadonlySet<Value> | undefined {
  return values === undefined ? undefined : new Set(values);
}

/** As `aud` has it: no slash at the end, no default port. */
function readApplication(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.host === "") return undefined;
  if (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "") return undefined;
  return url.origin + (url.pathname.endsWith("/") ? url.pathname.slice(0, -1) : url.pathname);
}
