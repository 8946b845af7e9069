import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { schemaText } from "../commands/schema.ts";
import { publishedSchema } from "./json-schema.ts";
import { documentedSections, optionRows, withOptionTables } from "./option-tables.ts";
import { SECTION_NAMES } from "./schema.ts";
import { ConfigFolder, problemsOf } from "./test-support.ts";

const DOCS = new URL("../../../../docs/", import.meta.url);
const GUIDE = new URL("configure.md", DOCS);
const guide = readFileSync(GUIDE, "utf8");

describe("what is generated is current", () => {
  test("docs/relay.schema.json (sallyport-relay schema > docs/relay.schema.json && pnpm format)", () => {
    const committed: unknown = JSON.parse(readFileSync(new URL("relay.schema.json", DOCS), "utf8"));
    expect(committed).toEqual(JSON.parse(schemaText()));
  });

  test("the option tables of docs/configure.md (vitest -u writes them)", async () => {
    await expect(withOptionTables(guide)).toMatchFileSnapshot(GUIDE.pathname);
  });

  test("there is a table for every section", () => {
    expect(documentedSections(guide).toSorted()).toEqual([...SECTION_NAMES].toSorted());
  });
});

describe("options", () => {
  test("each has a description that ends like a sentence", () => {
    const rows = optionRows();
    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter(({ description }) => !/[.)]$/.test(description)).map(({ path }) => path)).toEqual([]);
  });

  test("the published schema holds none of our own keywords, and options are not lost with them", () => {
    const text = JSON.stringify(publishedSchema());
    expect(text).not.toMatch(/"(?:remedy|kind)":"/);
    expect(text).toContain('"additionalProperties":false');
    expect(Object.keys((publishedSchema()["properties"] ?? {}) as object)).toEqual(SECTION_NAMES);
  });
});

describe("every example of docs/configure.md passes check", () => {
  const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  const complete = blocks.find((block) => block.startsWith("authUrl:")) ?? "";
  let folder: ConfigFolder;
  beforeAll(() => {
    folder = new ConfigFolder();
    folder.certificate("tls", ["*.example.com", "*.preview.example.com"]);
    folder.certificate("other", ["other.example.org"]);
    folder.authority("machines-ca");
    folder.revocationList("machines-ca", "machines.crl");
    folder.write("github.secret", "secret");
    folder.write("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
    Object.assign(folder.env, { CORP_SECRET: "secret", SMTP_URL: "smtps://user:password@mail.example.com" });
  });
  afterAll(() => folder[Symbol.dispose]());

  test.each(blocks.map((block, index) => [index + 1, block] as const))("block %i", async (_number, block) => {
    // A block that is no whole file stands for a change of the complete one.
    const yaml = stringify({ ...(parse(complete) as object), ...(parse(block) as object) });
    const problems = problemsOf(await folder.load(yaml)).filter(({ code }) => code !== "ERR_CONFIG_NOT_YET");
    expect(problems).toEqual([]);
  });

  test("there are some", () => expect(blocks.length).toBeGreaterThan(6));
});
