/**
 * Error replies. An error is made once, as bytes, and written as often as needed: replying with one costs a copy, not an
 * exception. `prefix` (the first word) is what INFO errorstats counts.
 */

import { fromLatin1 } from "../bytes/ascii.ts";

export class ErrorReply {
  readonly bytes: Uint8Array;
  readonly prefix: string;

  /**
   * `text` without the leading '-': "ERR syntax error". Line breaks, which would break the protocol, go at the end and become
   * blanks elsewhere.
   */
  constructor(readonly text: string) {
    const line = text.replace(/[\r\n]+$/, "").replace(/[\r\n]/g, " ");
    this.prefix = line.split(" ", 1)[0];
    this.bytes = fromLatin1(`-${line}\r\n`);
  }
}

/** An error reply with a text of its own; `text` is latin1 and begins with the error's prefix. */
export function errorReply(text: string): ErrorReply {
  return new ErrorReply(text);
}

export function wrongArity(command: string): ErrorReply {
  return new ErrorReply(`ERR wrong number of arguments for '${command}' command`);
}

export function invalidExpire(command: string): ErrorReply {
  return new ErrorReply(`ERR invalid expire time in '${command}' command`);
}

export const SYNTAX = new ErrorReply("ERR syntax error");
export const WRONGTYPE = new ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value");
export const NOT_INTEGER = new ErrorReply("ERR value is not an integer or out of range");
export const NOT_INT32 = new ErrorReply(
  "ERR value is out of range, value must between -2147483648 and 2147483647",
);
export const NOT_POSITIVE = new ErrorReply("ERR value is out of range, must be positive");
export const NOT_FLOAT = new ErrorReply("ERR value is not a valid float");
export const OUT_OF_RANGE = new ErrorReply("ERR index out of range");
export const NO_SUCH_KEY = new ErrorReply("ERR no such key");
export const SAME_OBJECT = new ErrorReply("ERR source and destination objects are the same");
export const NOAUTH = new ErrorReply("NOAUTH Authentication required.");
export const LOADING = new ErrorReply("LOADING Redis is loading the dataset in memory");
export const MASTERDOWN = new ErrorReply(
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
);
export const READONLY = new ErrorReply("READONLY You can't write against a read only replica.");
export const NOREPLICAS = new ErrorReply("NOREPLICAS Not enough good replicas to write.");
export const MISCONF_RDB = new ErrorReply(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
);
export const OOM = new ErrorReply("OOM command not allowed when used memory > 'maxmemory'.");
export const EXECABORT = new ErrorReply("EXECABORT Transaction discarded because of previous errors.");
export const BUSYKEY = new ErrorReply("BUSYKEY Target key name already exists.");
export const DB_INDEX = new ErrorReply("ERR DB index is out of range");
export const INCREMENT_OVERFLOW = new ErrorReply("ERR increment or decrement would overflow");
export const INCREMENT_NOT_FINITE = new ErrorReply("ERR increment would produce NaN or Infinity");
export const NUMKEYS_NOT_POSITIVE = new ErrorReply("ERR numkeys should be greater than 0");
export const COUNT_NOT_POSITIVE = new ErrorReply("ERR count should be greater than 0");
export const LIMIT_NEGATIVE = new ErrorReply("ERR LIMIT can't be negative");
export const TIMEOUT_NOT_INTEGER = new ErrorReply("ERR timeout is not an integer or out of range");
export const TIMEOUT_NOT_FLOAT = new ErrorReply("ERR timeout is not a float or out of range");
export const TIMEOUT_NEGATIVE = new ErrorReply("ERR timeout is negative");
export const UNBLOCKED = new ErrorReply("UNBLOCKED client unblocked via CLIENT UNBLOCK");
export const STRING_TOO_LONG = new ErrorReply("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
