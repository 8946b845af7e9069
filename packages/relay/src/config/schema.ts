// relay.yaml as a whole: the one description from which checking, types, JSON Schema and the option tables of
// docs/configure.md come. Sections stand in files of their own. Must not touch files or the environment.

import { z } from "zod";
import { type ApplicationDocument, applicationsSchema, tunnelsSchema } from "./application-schema.ts";
import { limitsSchema, recordsSchema, type RecordsDocument } from "./limits-schema.ts";
import { adminSchema, listenSchema, trustedProxiesSchema, type AdminDocument, type ListenDocument } from "./listen-schema.ts";
import { pagesSchema, type PagesDocument } from "./pages-schema.ts";
import { groupsSchema, policiesSchema } from "./policy-schema.ts";
import { sessionsSchema } from "./session-schema.ts";
import { policyTestsSchema } from "./policy-test-schema.ts";
import type { GroupConfig, PolicyConfig, PolicyTestConfig } from "./policy-types.ts";
import { identityProvidersSchema, type IdentityProviderDocument } from "./provider-schema.ts";
import type { LimitsConfig, PublicOrigin, SessionsConfig, TunnelConfig } from "./types.ts";
import { fileReference, publicOrigin, type FileReference } from "./values.ts";

/** The file after checking, with its references to files and secrets still unread. */
export interface RelayDocument {
  readonly authUrl: PublicOrigin;
  readonly listen: readonly ListenDocument[];
  readonly admin: AdminDocument;
  readonly state: string;
  readonly trustedProxies: readonly string[];
  readonly geoip?: FileReference | undefined;
  readonly identityProviders: readonly IdentityProviderDocument[];
  readonly tunnels: readonly TunnelConfig[];
  readonly groups: readonly GroupConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly applications: readonly ApplicationDocument[];
  readonly tests: readonly PolicyTestConfig[];
  readonly limits: LimitsConfig;
  readonly sessions: SessionsConfig;
  readonly pages: PagesDocument;
  readonly records: RecordsDocument;
}

export type SectionName = keyof RelayDocument;

const sections = {
  authUrl: publicOrigin.meta({
    description:
      "Public origin of the relay: where people sign in and where connectors connect. Its scheme and port are those of every application. `http` only on loopback (`localhost`, `*.localhost`, 127.0.0.0/8).",
    examples: ["https://auth.example.com"],
  }),
  listen: listenSchema,
  admin: adminSchema,
  state: z
    .string()
    .min(1)
    .max(4096)
    .meta({
      description: "Folder of the relay's state (keys, credentials, sessions), relative to the configuration file; created with mode 0700.",
      examples: ["./data"],
    }),
  trustedProxies: trustedProxiesSchema,
  geoip: fileReference.optional().meta({
    description: "MaxMind country database (`.mmdb`) for `country` selectors. Read again when it changes.",
    examples: [{ file: "country.mmdb" }],
  }),
  identityProviders: identityProvidersSchema,
  tunnels: tunnelsSchema,
  groups: groupsSchema.prefault([]),
  policies: policiesSchema.prefault([]),
  applications: applicationsSchema,
  tests: policyTestsSchema.prefault([]),
  limits: limitsSchema,
  sessions: sessionsSchema,
  pages: pagesSchema,
  records: recordsSchema,
} satisfies Readonly<Record<SectionName, z.ZodType>>;

const relaySchema: z.ZodType<RelayDocument> = z.strictObject(sections);

export const SECTION_NAMES: readonly SectionName[] = Object.keys(sections) as SectionName[];

export type ParsedDocument =
  | { readonly ok: true; readonly document: RelayDocument }
  | { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] };

/** Checks a whole file; all issues at once. */
export function parseDocument(value: unknown): ParsedDocument {
  const result = relaySchema.safeParse(value);
  return result.success ? { ok: true, document: result.data } : { ok: false, issues: result.error.issues };
}

/** Checks one section by itself; undefined when it has any issue. Lets checks across sections go on beside a broken one. */
export function parseSection<Name extends SectionName>(name: Name, value: unknown): RelayDocument[Name] | undefined {
  const result = (sections[name] as z.ZodType<RelayDocument[Name]>).safeParse(value);
  return result.success ? result.data : undefined;
}

/** The description of what people write (defaults not applied), as JSON Schema draft 2020-12 with our own metadata still in it. */
export function rawJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(relaySchema, { io: "input", target: "draft-2020-12", reused: "inline" });
}
