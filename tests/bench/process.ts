/** What Linux says about a running server: the CPU time it has used and the memory it occupies. */

import { readFileSync } from "node:fs";

/** /proc counts CPU time in ticks of a hundredth of a second on every Linux this runs on. */
const TICKS_PER_SECOND = 100;

/** User and system CPU time of a process with all its threads, in seconds (to a hundredth). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name in parentheses may contain spaces; utime and stime are the 12th and 13th fields after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return match === null ? 0 : Number(match[1]) * 1024;
}

/**
 * Memory of a process and its children in bytes, where each page that several share counts in parts: a fork costs what it has come to
 * own alone.
 */
export function proportionalBytes(pid: number): number {
  let children = "";
  let rollup = "";
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
    rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  } catch {
    // The child has ended since its parent was asked for it.
  }
  const match = /^Pss:\s+(\d+) kB/m.exec(rollup);
  const own = match === null ? 0 : Number(match[1]) * 1024;
  return children.split(" ").filter(Boolean).reduce((sum, child) => sum + proportionalBytes(Number(child)), own);
}
