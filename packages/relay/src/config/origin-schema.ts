// What an application tells its origin about who is asking, beyond the assertion that every origin gets: headers in the
// clear, a password of the origin's own, the contract of Cloudflare Access. Must not know how they are written.

import { classifyField, FieldClass, normaliseFieldName } from "@sallyport/shared/http/field-names";
import { forwardingFields } from "@sallyport/shared/http/forwarding-fields";
import { z } from "zod";
import type { IdentityHeader, IdentityValue } from "./types.ts";
import { secretReference, type SecretReference } from "./values.ts";

/** `user` is what an origin may take as the name of an account; the others are one claim each. */
const VALUES = ["user", "email", "name", "subject", "provider", "groups", "serviceToken"] as const satisfies readonly IdentityValue[];

/** Sets of headers that programs are known to read. */
const PRESETS = {
  "x-forwarded": { "X-Forwarded-User": "user", "X-Forwarded-Email": "email", "X-Forwarded-Groups": "groups" },
  remote: { "Remote-User": "user", "Remote-Email": "email", "Remote-Name": "name", "Remote-Groups": "groups" },
} as const satisfies Readonly<Record<string, Readonly<Record<string, IdentityValue>>>>;

const MAX_HEADERS = 20;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
/** Says where the visitor is, which the relay tells every origin (I4). */
const ADDRESS_NAMES: ReadonlySet<string> = new Set(
  forwardingFields({ chain: ["192.0.2.1"], scheme: "https", hostname: "example.com", port: 443, requestId: "" }).flatMap((name, index) =>
    index % 2 === 0 ? [name.toLowerCase()] : [],
  ),
);

const headerName = z.string().regex(FIELD_NAME, "is not a header name").refine(isFree, "has another meaning already: take another name");

/** Neither framing nor cookies nor addresses nor Sallyport's own: nothing that an identity could break. */
function isFree(name: string): boolean {
  const kind = classifyField(name);
  if (/^cf-access-/i.test(name) || ADDRESS_NAMES.has(name.toLowerCase())) return false;
  return kind === FieldClass.PLAIN || kind === FieldClass.CLIENT_IDENTITY;
}

export const identityHeadersSchema: z.ZodType<readonly IdentityHeader[]> = z
  .strictObject({
    preset: z.enum(["x-forwarded", "remote"]).optional().meta({
      description:
        "`x-forwarded`: X-Forwarded-User (user), X-Forwarded-Email (email), X-Forwarded-Groups (groups). `remote`: Remote-User (user), Remote-Email (email), Remote-Name (name), Remote-Groups (groups).",
    }),
    headers: z
      .record(headerName, z.enum(VALUES))
      .prefault({})
      .meta({
        description:
          "Header names with what they hold: `user` (a person's verified email, a service token's name), `email`, `name`, `subject` (the provider's, or the id of a service token), `provider`, `groups` (separated by commas), `serviceToken` (its name).",
        examples: [{ "X-WebAuth-User": "user" }],
      }),
  })
  .transform(({ preset, headers }, context) => {
    const all = new Map<string, IdentityHeader>();
    for (const [name, value] of Object.entries({ ...(preset === undefined ? {} : PRESETS[preset]), ...headers })) {
      const key = normaliseFieldName(name);
      const before = all.get(key);
      if (before !== undefined && before.name !== name && Object.hasOwn(headers, before.name)) {
        context.issues.push({ code: "custom", message: `names the header ${name} twice`, path: ["headers", name], input: headers });
      }
      all.set(key, { name, value });
    }
    if (all.size === 0) context.issues.push({ code: "custom", message: "names no header: set preset or headers", input: headers });
    if (all.size > MAX_HEADERS) context.issues.push({ code: "custom", message: `names more than ${MAX_HEADERS} headers`, input: headers });
    return [...all.values()];
  });

/** As {@link BasicAuthConfig}, with the password where it is kept. */
export interface BasicAuthDocument {
  readonly user: string;
  readonly password: SecretReference;
}

export const originBasicAuthSchema: z.ZodType<BasicAuthDocument> = z.strictObject({
  user: z
    .string()
    .regex(/^[^:\p{C}]{1,255}$/u, "is not a user name: 1 to 255 characters without colon and controls")
    .meta({ description: "User name at the origin.", examples: ["sallyport"] }),
  password: secretReference.meta({ description: "Password at the origin.", examples: [{ env: "ORIGIN_PASSWORD" }] }),
});

/** The AUD tag of an Access application. */
export const accessAudience: z.ZodType<string> = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "is not an AUD tag: 64 hexadecimal digits in lower case");
