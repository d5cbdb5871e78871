/**
 * Where configuration meets the machine: the current directory, and error texts. Values are byte strings.
 */
import type { Process } from "../platform/platform.ts";

/** The directory that `dir` shows and changes. An embedding program can give each server its own. */
export type Directory = Pick<Process, "currentDirectory" | "changeDirectory">;

/** What strerror says about a failed file operation: the platform's errors carry its text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
