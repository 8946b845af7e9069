import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigFolder, problemsOf } from "./test-support.ts";

const BASE = `authUrl: http://auth.relay.localhost:8080
listen: [ { address: "127.0.0.1:8080" } ]
state: ./data
tunnels: []
applications: []
`;

let folder: ConfigFolder;
beforeAll(() => {
  folder = new ConfigFolder();
});
afterAll(() => folder[Symbol.dispose]());

async function problemOf(section: string): Promise<string> {
  const problems = problemsOf(await folder.load(`${BASE}pages: ${section}\n`));
  return problems.map(({ path, message, remedy }) => `${path}: ${message}; ${remedy}`).join("\n");
}

describe("a logo", () => {
  it.each([
    ["PNG", "a.png", Buffer.from("89504e470d0a1a0a0000000d", "hex"), "image/png"],
    ["SVG", "a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"],
    [
      "SVG with declaration, comment and doctype",
      "b.svg",
      '\uFEFF<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE svg PUBLIC "a" "b">\n<svg>',
      "image/svg+xml",
    ],
  ])("may be %s", async (_name, file, content, type) => {
    folder.write(file, content);
    const result = await folder.load(`${BASE}pages: { logo: { file: ${file} } }\n`);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(result.config.pages.logo?.type).toBe(type);
    expect(Buffer.from(result.config.pages.logo?.base64 ?? "", "base64")).toEqual(Buffer.from(content));
    expect(result.watchedFiles.some((path) => path.endsWith(file))).toBe(true);
  });

  it.each([
    ["a page", "x.svg", "<!doctype html><svg></svg><script>alert(1)</script>", "neither PNG nor SVG"],
    ["a page that begins with a comment", "y.svg", "<!-- <svg> --><html>", "neither PNG nor SVG"],
    ["too large", "z.svg", `<svg>${" ".repeat(65_536)}`, "larger than 65536 bytes"],
  ])("may not be %s", async (_name, file, content, message) => {
    folder.write(file, content);
    expect(await problemOf(`{ logo: { file: ${file} } }`)).toContain(message);
  });

  it("that is missing is reported with its place", async () => {
    expect(await problemOf("{ logo: { file: none.svg } }")).toMatch(/^pages\.logo\.file: .*does not exist/);
  });
});

describe("an accent", () => {
  it("that people cannot read is refused, with the nearest that they can", async () => {
    expect(await problemOf('{ accent: "#ffcc00" }')).toMatch(
      /^pages\.accent: has a contrast of 1\.5 .*text needs 4\.5; write "#[0-9a-f]{6}"/,
    );
    const nearest = /write "(#[0-9a-f]{6})"/.exec(await problemOf('{ accent: "#ffcc00" }'))?.[1] ?? "";
    expect(await problemOf(`{ accent: "${nearest}" }`)).toBe("");
  });

  it.each(["red", "#fff", "#0f5c55;}", "url(x)"])("%s is no colour", async (text) => {
    expect(await problemOf(`{ accent: "${text}" }`)).toContain("expected a colour");
  });
});

it.each(["javascript:alert(1)", "http://example.com", "mailto:", "//example.com", "help@example.com"])(
  "the contact %s is refused",
  async (text) => {
    expect(await problemOf(`{ contact: "${text}" }`)).toContain("expected an address");
  },
);

it("texts are bounded", async () => {
  expect(await problemOf(`{ name: ${"x".repeat(41)} }`)).toContain("pages.name");
  expect(await problemOf(`{ texts: { footer: ${"x".repeat(401)} } }`)).toContain("pages.texts.footer");
});
