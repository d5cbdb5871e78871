/**
 * The command table: finds a command by the bytes of its name, in any case of letters, without allocating.
 *
 * An open-addressed hash table with at least twice as many slots as names, so that a look-up is one pass over the name's
 * bytes for the hash, usually one slot, and one pass for the comparison. Bytes are folded by `| 0x20` for the hash only,
 * which also maps a few other bytes onto each other; the comparison is exact. The table is made when a server
 * starts and hardly changes (rename-command), so removing a name simply builds the slots anew.
 *
 * A command may stand here under another name than its own (rename-command); it keeps its name in everything that it reports.
 */

import type { Args } from "../bytes/args.ts";
import { fromLatin1 } from "../bytes/ascii.ts";
import type { Command } from "./command.ts";

interface Entry {
  readonly name: string;
  /** The name in lower case. */
  readonly bytes: Uint8Array;
  readonly hash: number;
  readonly command: Command;
}

const LETTER_A = 97, LETTER_Z = 122, CASE = 0x20;

export class CommandTable {
  #entries: Entry[] = [];
  #slots: (Entry | null)[] = new Array<Entry | null>(8).fill(null);
  #mask = 7;

  /** A server's own table: copies of `commands` with fresh statistics. */
  static from(commands: readonly Command[]): CommandTable {
    const table = new CommandTable();
    for (const command of commands) table.add(command.copy());
    return table;
  }

  /** The number of names. */
  get size(): number {
    return this.#entries.length;
  }

  /** The commands in the order in which they were added. */
  *[Symbol.iterator](): IterableIterator<Command> {
    for (const entry of this.#entries) yield entry.command;
  }

  /** The names under which the commands can be called, in the same order. */
  names(): string[] {
    return this.#entries.map((entry) => entry.name);
  }

  /** Adds a command under its name or another one. Throws an Error if the name is taken. */
  add(command: Command, name: string = command.name): void {
    const lowered = name.toLowerCase();
    if (this.findName(lowered) !== null) throw new Error(`two commands named '${lowered}'`);
    const bytes = fromLatin1(lowered);
    this.#entries.push({ name: lowered, bytes, hash: hashName(bytes, 0, bytes.length), command });
    this.#build();
  }

  /** Removes a name; false if there is no such name. */
  remove(name: string): boolean {
    const command = this.findName(name);
    if (command === null) return false;
    this.#entries = this.#entries.filter((entry) => entry.name !== name.toLowerCase());
    this.#build();
    return true;
  }

  /**
   * Gives the command named `from` another name; an empty one removes it. False if there is no command `from`; throws an
   * Error if the new name is taken.
   */
  rename(from: string, to: string): boolean {
    const command = this.findName(from);
    if (command === null) return false;
    if (to !== "") this.add(command, to);
    return this.remove(from);
  }

  /** The command with this name: `len` bytes of `buf` from `off` on, in any case of letters. */
  find(buf: Uint8Array, off: number, len: number): Command | null {
    const hash = hashName(buf, off, len);
    for (let at = hash & this.#mask;; at = (at + 1) & this.#mask) {
      const entry = this.#slots[at];
      if (entry === null) return null;
      if (entry.hash === hash && sameName(entry.bytes, buf, off, len)) return entry.command;
    }
  }

  /** The command with this name, in any case of letters. */
  findName(name: string): Command | null {
    const bytes = fromLatin1(name);
    return this.find(bytes, 0, bytes.length);
  }

  /**
   * The command that `args` call, if its name is argument `first`: for a container the subcommand named by the next argument,
   * or the container itself if that is missing.
   */
  lookup(args: Args, first: number): Command | null {
    const command = this.find(args.buf, args.off[first], args.len[first]);
    if (command === null || command.subcommands === null || first + 1 >= args.argc) return command;
    return command.subcommands.find(args.buf, args.off[first + 1], args.len[first + 1]);
  }

  /** The command with a full name: "get" or "config|get". */
  findFullName(name: string): Command | null {
    const [container, sub, ...rest] = name.split("|");
    const command = this.findName(container);
    if (sub === undefined || command === null) return command;
    return rest.length > 0 || command.subcommands === null ? null : command.subcommands.findName(sub);
  }

  #build(): void {
    let size = 8;
    while (size < this.#entries.length * 2) size *= 2;
    this.#slots = new Array<Entry | null>(size).fill(null);
    this.#mask = size - 1;
    for (const entry of this.#entries) {
      let at = entry.hash & this.#mask;
      while (this.#slots[at] !== null) at = (at + 1) & this.#mask;
      this.#slots[at] = entry;
    }
  }
}

function hashName(buf: Uint8Array, off: number, len: number): number {
  let hash = len;
  for (let i = off, end = off + len; i < end; i++) hash = (Math.imul(hash, 31) + (buf[i] | CASE)) | 0;
  return hash ^ (hash >>> 15);
}

function sameName(name: Uint8Array, buf: Uint8Array, off: number, len: number): boolean {
  if (name.length !== len) return false;
  for (let i = 0; i < len; i++) {
    const byte = buf[off + i];
    const wanted = name[i];
    if (byte === wanted) continue;
    if ((byte | CASE) !== wanted || wanted < LETTER_A || wanted > LETTER_Z) return false;
  }
  return true;
}
