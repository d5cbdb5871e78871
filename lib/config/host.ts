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

/** The bytes as a string with one character per byte. */
export function bytesToText(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return pieces.join("");
}

/** The bytes of a string with one character per byte. */
export function textToBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
