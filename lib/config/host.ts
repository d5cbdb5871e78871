/**
 * Where configuration meets the machine: the current directory, paths, and the operating system's error texts.
 * Values are byte strings; the platform wants text, so paths are converted here (UTF-8) and nowhere else.
 */
import type { PlatformError, Process } from "../platform/platform.ts";

/** The directory that `dir` shows and changes. An embedding program can give each server its own. */
export type Directory = Pick<Process, "currentDirectory" | "changeDirectory">;

const ERROR_TEXTS = new Map([
  ["EPERM", "Operation not permitted"],
  ["ENOENT", "No such file or directory"],
  ["EIO", "Input/output error"],
  ["EACCES", "Permission denied"],
  ["EBUSY", "Device or resource busy"],
  ["EEXIST", "File exists"],
  ["ENOTDIR", "Not a directory"],
  ["EISDIR", "Is a directory"],
  ["EINVAL", "Invalid argument"],
  ["EMFILE", "Too many open files"],
  ["ENFILE", "Too many open files in system"],
  ["ENOSPC", "No space left on device"],
  ["EROFS", "Read-only file system"],
  ["ENAMETOOLONG", "File name too long"],
  ["ELOOP", "Too many levels of symbolic links"],
]);

/** What strerror says about a failed file operation. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as PlatformError).code;
  return ERROR_TEXTS.get(code) ?? error.message;
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

/** A value's bytes as a path for `Files`: every user of `dir`, `dbfilename`, `logfile`, … opens it through this. */
export function hostPath(value: string): string {
  return new TextDecoder().decode(textToBytes(value));
}

/** A path or argument of the host as a byte string. */
export function fromHost(text: string): string {
  return bytesToText(new TextEncoder().encode(text));
}
