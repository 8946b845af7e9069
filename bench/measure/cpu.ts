// CPU time of processes, from /proc. Must not know whose.

import { readFileSync } from "node:fs";

/** USER_HZ of Linux, the unit of /proc/PID/stat. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process and its threads so far, seconds, in steps of 10 ms. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold spaces: fields count from behind it (proc(5): utime is 14, stime 15).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function cpuSecondsOf(pids: readonly number[]): readonly number[] {
  return pids.map(cpuSeconds);
}
