/**
 * The slow log: the last commands that took longer than `slowlog-log-slower-than`, as SLOWLOG GET shows them.
 *
 * Entries are rare and few (`slowlog-max-len`), so they are plain objects, the newest first. Arguments are copied, because
 * the buffers they lie in are used again at once, and cut to a size that cannot hurt.
 */

import type { Args } from "../bytes/args.ts";
import { fromLatin1 } from "../bytes/ascii.ts";

/** An entry keeps so many arguments, the last of them telling how many more there were. */
const MOST_ARGUMENTS = 32;
/** Bytes kept of an argument. */
const MOST_BYTES = 128;
const REDACTED = fromLatin1("(redacted)");

export interface SlowLogEntry {
  readonly id: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** Microseconds, whole. */
  readonly duration: number;
  readonly args: readonly Uint8Array[];
  /** Address of the client, and the name it has given itself. */
  readonly client: string;
  readonly name: string;
}

export class SlowLog {
  /** Newest first. */
  entries: SlowLogEntry[] = [];
  #nextId = 0;

  /** Adds an entry and drops those beyond `most`. `duration` is in microseconds. */
  add(
    call: { args: readonly Uint8Array[]; client: string; name: string },
    duration: number,
    time: number,
    most: number,
  ): void {
    this.entries.unshift({ id: this.#nextId++, time, duration: Math.floor(duration), ...call });
    this.trim(most);
  }

  trim(most: number): void {
    if (this.entries.length > most) this.entries.length = most;
  }

  reset(): void {
    this.entries = [];
  }
}

/** Copies of a command's arguments for the log; those whose index is in `redacted` are not shown. */
export function loggedArguments(a: Args, redacted: readonly number[]): Uint8Array[] {
  const kept = Math.min(a.argc, MOST_ARGUMENTS);
  const logged: Uint8Array[] = [];
  for (let i = 0; i < kept; i++) {
    if (i === MOST_ARGUMENTS - 1 && a.argc > MOST_ARGUMENTS) {
      logged.push(fromLatin1(`... (${a.argc - MOST_ARGUMENTS + 1} more arguments)`));
    } else if (redacted.includes(i)) logged.push(REDACTED);
    else logged.push(cut(a, i));
  }
  return logged;
}

function cut(a: Args, i: number): Uint8Array {
  const off = a.off[i];
  const len = a.len[i];
  if (len <= MOST_BYTES) return a.buf.slice(off, off + len);
  const note = fromLatin1(`... (${len - MOST_BYTES} more bytes)`);
  const bytes = new Uint8Array(MOST_BYTES + note.length);
  bytes.set(a.buf.subarray(off, off + MOST_BYTES));
  bytes.set(note, MOST_BYTES);
  return bytes;
}
