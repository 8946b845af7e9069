// `sallyport-relay schema`: the JSON Schema of relay.yaml, for editors.

import type { Command } from "commander";
import { publishedSchema } from "../config/json-schema.ts";

export function registerSchemaCommand(program: Command): void {
  program
    .command("schema")
    .summary("print the JSON Schema of relay.yaml for editors")
    .description(
      "Prints the JSON Schema of relay.yaml. Editors with the YAML language server complete and explain options when\nthe file starts with:  # yaml-language-server: $schema=relay.schema.json",
    )
    .addHelpText("after", "\nExample:\n  $ sallyport-relay schema > relay.schema.json\n")
    .action(() => void process.stdout.write(schemaText()));
}

/** The schema as a file; docs/relay.schema.json is this text. */
export function schemaText(): string {
  return `${JSON.stringify(publishedSchema(), null, 2)}\n`;
}
