// JSON Schema of relay.yaml: for editors (completion, hover texts) and for finding what is allowed at a place.
// Generated from schema.ts, so that it cannot disagree with what the relay accepts.

import type { ConfigSchema } from "@sallyport/shared/config/issues";
import { type SchemaNode, withoutInternals } from "@sallyport/shared/config/schema-tree";
import { notYet } from "./not-yet.ts";
import { rawJsonSchema } from "./schema.ts";

let cached: SchemaNode | undefined;

/** The schema with internal metadata, built once. */
export function schemaRoot(): SchemaNode {
  cached ??= rawJsonSchema() as SchemaNode;
  return cached;
}

/** For messages about relay.yaml. */
export const RELAY_SCHEMA: ConfigSchema = { root: schemaRoot, later: notYet, described: "docs/configure.md" };

/** The schema as published: printed by `sallyport-relay schema`, committed as docs/relay.schema.json. */
export function publishedSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = withoutInternals(schemaRoot()) as Record<string, unknown>;
  return { $schema, title: "Sallyport relay configuration (relay.yaml)", ...rest };
}
