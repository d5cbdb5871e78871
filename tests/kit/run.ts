/** Runs a program to its end, for tests about what programs print and their exit status. */

import { spawnSync } from "node:child_process";

export interface RunResult {
  /** Null when a signal (or the time limit) ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  /** Text for standard input; nothing (end of file) without it. */
  readonly stdin?: string;
  readonly timeoutMs?: number;
}

export function run(program: string, args: readonly string[], options: RunOptions = {}): RunResult {
  const { status, stdout, stderr } = spawnSync(program, [...args], {
    cwd: options.cwd,
    input: options.stdin ?? "",
    timeout: options.timeoutMs ?? 10_000,
    killSignal: "SIGKILL",
    encoding: "utf8",
  });
  return { status, stdout: stdout ?? "", stderr: stderr ?? "" };
}
