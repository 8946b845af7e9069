// The result of a run for people and for programs. Must not know how a row is measured.

import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { isMet } from "./rows/row.ts";
import type { Goal, Result, Row } from "./rows/row.ts";

const GIB = 2 ** 30;

export interface Measurement {
  readonly row: Row;
  readonly result: Result;
}

function number(value: number | undefined): string {
  if (value === undefined) return "-";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function goalText({ of, atLeast, atMost }: Goal, unit: string): string {
  const limit = atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`;
  return of === "ratio" ? `${limit} x` : `${limit} ${of === "ours" ? unit : of}`;
}

function verdict(row: Row, result: Result): string {
  return row.goals.map((goal) => `${goalText(goal, result.unit)} ${isMet(goal, result) ? "met" : "MISSED"}`).join(", ");
}

const COLUMNS = [20, 11, 11, 8, 18] as const;

function columns(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index === 0 || index >= 4 ? cell.padEnd(COLUMNS[index] ?? 0) : cell.padStart(COLUMNS[index] ?? 0)))
    .join("  ")
    .trimEnd();
}

export const HEADING: string = columns(["row", "ours", "reference", "ratio", "unit", "goals"]);

/** One line per row, one more per variant and note. */
export function lines({ row, result }: Measurement): string {
  const main = columns([row.id, number(result.ours), number(result.reference), number(result.ratio), result.unit, verdict(row, result)]);
  const variants = (result.variants ?? []).map((one) =>
    columns([`  ${one.name}`, number(one.ours), number(one.reference), number(one.ratio), result.unit]),
  );
  const figures = Object.entries(result.figures ?? {}).map(([unit, value]) => columns(["", number(value), "", "", unit]));
  return [main, ...variants, ...figures, ...(result.notes ?? []).map((note) => `  ${note}`)].join("\n");
}

export function machine(): Readonly<Record<string, unknown>> {
  return {
    cpu: cpus()[0]?.model.trim(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / GIB),
    platform: `${process.platform} ${process.arch}`,
    /** Load of the last minute when the run began: above 0.5 somebody else was working too. */
    loadAverage: loadavg()[0],
  };
}

export function commit(root: string): string {
  const git = (...args: readonly string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  try {
    return (
      git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain", "--untracked-files=no", "packages") === "" ? "" : "-modified")
    );
  } catch {
    return "unknown";
  }
}

export function toJson(measurements: readonly Measurement[], run: Readonly<Record<string, unknown>>): string {
  const rows = measurements.map(({ row, result }) => ({
    id: row.id,
    title: row.title,
    ...result,
    goals: row.goals.map((goal) => ({ ...goal, met: isMet(goal, result) })),
  }));
  return `${JSON.stringify({ ...run, rows }, null, 2)}\n`;
}
