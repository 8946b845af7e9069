// Keeps the table of docs/errors.md that visitors' codes stand in equal to the table the relay answers from.
// After a change: UPDATE_DOCS=1 pnpm vitest run --project unit packages/relay/src/ingress/refusals.docs.test.ts

import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { REFUSALS, type Refusal } from "./refusals.ts";

const DOCUMENT = new URL("../../../../docs/errors.md", import.meta.url);
const BEGIN = "<!-- begin generated: refusals -->\n";
const END = "<!-- end generated: refusals -->";

function table(): string {
  const lines = ["| code | status | hop | what it means | the visitor can | the operator can |", "| --- | --- | --- | --- | --- | --- |"];
  for (const [code, refusal] of Object.entries(REFUSALS) as [string, Refusal][]) {
    const retry = refusal.retryAfterS === undefined ? "" : `, Retry-After ${refusal.retryAfterS} s`;
    lines.push(
      `| \`${code}\` | ${refusal.status}${retry} | ${refusal.hop} | ${refusal.meaning} | ${refusal.visitorRemedy} | ${refusal.operatorRemedy} |`,
    );
  }
  return `${lines.join("\n")}\n`;
}

it("docs/errors.md holds every refusal as the relay gives it", () => {
  const before = readFileSync(DOCUMENT, "utf8");
  const start = before.indexOf(BEGIN) + BEGIN.length;
  const end = before.indexOf(END);
  expect(start).toBeGreaterThan(BEGIN.length);
  expect(end).toBeGreaterThan(start - 1);
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(DOCUMENT, before.slice(0, start) + table() + before.slice(end));
  else expect(before.slice(start, end)).toBe(table());
});
