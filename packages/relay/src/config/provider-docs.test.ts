import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { OIDC_PRESETS } from "./provider-presets.ts";
import { ConfigFolder, minimal, problemsOf } from "./test-support.ts";

const guide = readFileSync(new URL("../../../../docs/identity-providers.md", import.meta.url), "utf8");
const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] as string);

let folder: ConfigFolder;
beforeAll(() => {
  folder = new ConfigFolder();
  for (const name of guide.matchAll(/env: ([A-Z0-9_]+)/g)) folder.env[name[1] as string] = "smtps://user:secret@mail.example.com";
});
afterAll(() => folder[Symbol.dispose]());

test.each(blocks.map((block, index) => [index + 1, block] as const))(
  "example %i of docs/identity-providers.md passes check",
  async (_index, block) => {
    const yaml = stringify({ ...(parse(minimal()) as object), ...(parse(block) as object) });
    const problems = problemsOf(await folder.load(yaml)).filter(({ code }) => code !== "ERR_CONFIG_NOT_YET");
    expect(problems).toEqual([]);
  },
);

test("every preset has an example there", () => {
  for (const preset of Object.keys(OIDC_PRESETS))
    expect(
      blocks.some((block) => block.includes(`preset: ${preset}`)),
      preset,
    ).toBe(true);
});
