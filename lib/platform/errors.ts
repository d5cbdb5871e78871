/**
 * The one shape of failure that leaves this folder. Deno, Bun and node's modules each throw errors of their own; all
 * that the rest of the program looks at is the POSIX name in `code`.
 */

import type { PlatformError } from "./platform.ts";

class NamedError extends Error implements PlatformError {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "PlatformError";
    this.code = code;
  }
}

/** What strerror() says, for the codes that reach a user through a reply or the log. */
const TEXTS: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EAFNOSUPPORT: "Address family not supported by protocol",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EEXIST: "File exists",
  EHOSTUNREACH: "No route to host",
  EINVAL: "Invalid argument",
  EIO: "Input/output error",
  EISDIR: "Is a directory",
  EMFILE: "Too many open files",
  ENETUNREACH: "Network is unreachable",
  ENOENT: "No such file or directory",
  ENOSPC: "No space left on device",
  ENOTDIR: "Not a directory",
  ENOTEMPTY: "Directory not empty",
  ENOTFOUND: "Name or service not known",
  EPERM: "Operation not permitted",
  EPIPE: "Broken pipe",
  EROFS: "Read-only file system",
  ETIMEDOUT: "Connection timed out",
};

/** A `PlatformError` with the text of strerror(), or `message` where it is given. */
export function platformError(code: string, message?: string): PlatformError {
  return new NamedError(code, message ?? TEXTS[code] ?? code);
}

/** Turns whatever a runtime threw into a `PlatformError`; `fallback` is its code when the error names none. */
export function toPlatformError(thrown: unknown, fallback = "EIO"): PlatformError {
  if (thrown instanceof NamedError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const named = (thrown as { code?: unknown } | null)?.code;
  if (typeof named === "string" && /^E[A-Z0-9]+$/.test(named)) return platformError(named);
  const inText = /\b(E[A-Z]{3,}[A-Z0-9]*)\b/.exec(message);
  if (inText !== null && inText[1] in TEXTS) return platformError(inText[1]);
  if (/lookup|resolve|getaddrinfo|Name or service/i.test(message)) return platformError("ENOTFOUND");
  return platformError(fallback, message);
}

/** What `closed` is told when a handler itself threw, which only a bug does: the stack is worth more than the text. */
export function handlerFailure(thrown: unknown): string {
  return thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
}
