// From test titles to the table in docs/threat-model.md: each requirement with the tests whose titles name it.
// Pure; must not know where titles come from or where the table goes.

import { GROUPS, type Requirement } from "./list.ts";
import type { TestTitle } from "./titles.ts";

/** Tests of one file below one describe (or one test) whose title names the id. */
interface Proof {
  readonly file: string;
  readonly title: string;
  tests: number;
}

export interface Coverage {
  readonly table: string;
  /** What is wrong, one sentence each; empty when every requirement is proven. */
  readonly problems: string[];
}

export const BEGIN = "<!-- requirements: written by `pnpm requirements --write` -->";
export const END = "<!-- /requirements -->";

const IDS = /\bR-([A-Z])(\d+)\b(?: to R-\1(\d+)\b)?/g;

/** Ids that a title names, `R-A3 to R-A6` as four. */
export function idsOf(title: string): readonly string[] {
  return [...title.matchAll(IDS)].flatMap(([, letter, first, last]) => {
    const from = Number(first);
    return Array.from({ length: Math.max(1, Number(last ?? first) - from + 1) }, (_, i) => `R-${letter}${from + i}`);
  });
}

export function coverage(requirements: readonly Requirement[], titles: readonly TestTitle[]): Coverage {
  const proofs = proofsById(titles);
  const known = new Set(requirements.map(({ id }) => id));
  const problems: string[] = [];
  for (const [id, found] of proofs) if (!known.has(id)) problems.push(`${id} is no requirement, but ${found[0]?.file} names it`);
  for (const { id, absent } of requirements) {
    const proven = proofs.has(id);
    if (!proven && absent === undefined) problems.push(`${id} has no test: name it in the title of one that proves it`);
    if (proven && absent !== undefined) problems.push(`${id} is said to be absent ("${absent}"), but has tests`);
  }
  return { table: render(requirements, proofs), problems };
}

/** The text between the markers of a document; undefined without markers. */
export function tableIn(document: string): string | undefined {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  return begin < 0 || end < begin ? undefined : document.slice(begin + BEGIN.length, end).trim();
}

/** @throws Error without markers */
export function withTable(document: string, table: string): string {
  if (tableIn(document) === undefined) throw new Error(`the markers ${BEGIN} and ${END} are missing`);
  return `${document.slice(0, document.indexOf(BEGIN) + BEGIN.length)}\n\n${table}\n\n${document.slice(document.indexOf(END))}`;
}

function proofsById(titles: readonly TestTitle[]): ReadonlyMap<string, readonly Proof[]> {
  const proofs = new Map<string, Proof[]>();
  for (const { file, path } of titles) {
    for (const id of new Set(path.flatMap(idsOf))) {
      // The outermost title that names it stands for all tests below it.
      const title = path.find((part) => idsOf(part).includes(id)) as string;
      let ofId = proofs.get(id);
      if (ofId === undefined) proofs.set(id, (ofId = []));
      const known = ofId.find((proof) => proof.file === file && proof.title === title);
      if (known === undefined) ofId.push({ file, title, tests: 1 });
      else known.tests++;
    }
  }
  return proofs;
}

function render(requirements: readonly Requirement[], proofs: ReadonlyMap<string, readonly Proof[]>): string {
  const lines: string[] = [];
  let group = "";
  for (const { id, what, absent } of requirements) {
    const letter = id.charAt(2);
    if (letter !== group) {
      group = letter;
      lines.push(
        ...(lines.length === 0 ? [] : [""]),
        `### ${letter}: ${GROUPS[letter] ?? ""}`,
        "",
        "| id | what must hold | proven by |",
        "| --- | --- | --- |",
      );
    }
    const found = proofs.get(id) ?? [];
    lines.push(`| ${id} | ${what} | ${found.length === 0 ? (absent ?? "**nothing**") : proofsCell(found)} |`);
  }
  return lines.join("\n");
}

function proofsCell(proofs: readonly Proof[]): string {
  const files = new Map<string, Proof[]>();
  for (const proof of proofs) files.set(proof.file, [...(files.get(proof.file) ?? []), proof]);
  return [...files]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, ofFile]) => {
      const name = file.slice(file.lastIndexOf("/") + 1).replace(".test.ts", "");
      return `[${name}](../${file}): ${ofFile.map(({ title, tests }) => `${code(title)}${tests > 1 ? ` (${tests})` : ""}`).join(", ")}`;
    })
    .join("<br>");
}

/** A code span that holds any title, in a table: bars are escaped even there. */
function code(title: string): string {
  const fence = title.includes("`") ? "``" : "`";
  const pad = fence.length > 1 ? " " : "";
  return `${fence}${pad}${title.replaceAll("|", "\\|").replaceAll("\n", " ")}${pad}${fence}`;
}
