// JSON Schema of connector.yaml: for editors, and for the words of messages. Generated from schema.ts, so that it cannot
// disagree with what the connector accepts.

import type { ConfigSchema } from "@sallyport/shared/config/issues";
import { type SchemaNode, withoutInternals } from "@sallyport/shared/config/schema-tree";
import { z } from "zod";
import { configSchema } from "./schema.ts";

let cached: SchemaNode | undefined;

/** The schema with the annotations for messages, built once. */
function schemaRoot(): SchemaNode {
  cached ??= z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as SchemaNode;
  return cached;
}

/** For messages about connector.yaml. */
export const CONNECTOR_SCHEMA: ConfigSchema = { root: schemaRoot, described: "docs/connect.md" };

/** The schema as published: docs/connector.schema.json. */
export function publishedSchema(): Readonly<Record<string, unknown>> {
  return { ...(withoutInternals(schemaRoot()) as object), title: "Sallyport connector configuration (connector.yaml)" };
}
