/**
 * LCS: the longest common subsequence of two strings.
 *
 * The classic table of lengths is needed only to find the way back, and for that one bit a cell is enough: whether the way leads up
 * or to the left. So two rows of lengths are kept, and 1/32 of the memory that Redis takes; the limit on it is Redis's all the same,
 * because clients see it.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { Type } from "../store/record.ts";

const NOT_STRINGS = errorReply("ERR The specified keys must contain string values");
const AMBIGUOUS = errorReply("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LARGE = errorReply("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");

const IDX = lower("idx"), LEN = lower("len"), MINMATCHLEN = lower("minmatchlen"), WITHMATCHLEN = lower("withmatchlen");
/** Bytes of a cell of Redis's table. */
const CELL = 4;

const lcs = command({
  name: "lcs",
  arity: -3,
  flags: "readonly",
  keys: "1:2 RO access",
  acl: "string",
  since: "7.0.0",
  group: "string",
  complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
  summary: "Find longest common substring",
  syntax: "key1:key key2:key#0 [LEN] [IDX] [MINMATCHLEN len:integer] [WITHMATCHLEN]",
  run(c) {
    const { args, db, reply } = c;
    const refA = db.lookupRead(args, 1);
    const refB = db.lookupRead(args, 2);
    if ((refA !== 0 && db.type(refA) !== Type.STRING) || (refB !== 0 && db.type(refB) !== Type.STRING)) {
      return reply.error(NOT_STRINGS);
    }
    let length = false;
    let ranges = false;
    let withLength = false;
    let shortest = 0;
    for (let i = 3; i < args.argc; i++) {
      if (args.is(i, IDX)) ranges = true;
      else if (args.is(i, LEN)) length = true;
      else if (args.is(i, WITHMATCHLEN)) withLength = true;
      else if (args.is(i, MINMATCHLEN) && i + 1 < args.argc) {
        shortest = args.int(++i);
        if (shortest !== shortest) return reply.error(NOT_INTEGER);
      } else return reply.error(SYNTAX);
    }
    if (length && ranges) return reply.error(AMBIGUOUS);
    const a = valueOf(c, refA);
    const b = valueOf(c, refB);
    if ((a.length + 1) * (b.length + 1) * CELL > c.engine.config.values.protoMaxBulkLen) return reply.error(TOO_LARGE);
    const table = new Table(a, b, !length);
    if (ranges) replyRanges(c, table, shortest, withLength);
    else if (length) reply.int(table.length);
    else {
      const common = table.sequence();
      reply.bulk(common, 0, common.length);
    }
  },
});

function valueOf(c: Client, ref: number): Uint8Array {
  const { db } = c;
  const at = ref === 0 ? 0 : db.valueOffset(ref);
  return ref === 0 ? new Uint8Array(0) : db.valueBuffer(ref).subarray(at, at + db.valueLength(ref));
}

/** The table for two strings: row i is about the first i bytes of `a`, column j about the first j of `b`. */
class Table {
  /** Length of the longest common subsequence. */
  readonly length: number;
  readonly #words: number;
  /** A bit for each cell, rows filled up to whole words: set where the row above has the longer subsequence. */
  readonly #up: Int32Array;

  constructor(readonly a: Uint8Array, readonly b: Uint8Array, withWay: boolean) {
    const columns = b.length;
    this.#words = (columns + 31) >> 5;
    this.#up = new Int32Array(withWay ? a.length * this.#words : 0);
    let above = new Int32Array(columns + 1);
    let row = new Int32Array(columns + 1);
    for (let i = 0; i < a.length; i++) {
      const byte = a[i];
      const first = i * this.#words;
      let left = 0;
      let bits = 0;
      for (let j = 0; j < columns; j++) {
        if (b[j] === byte) left = above[j] + 1;
        else if (above[j + 1] > left) {
          left = above[j + 1];
          bits |= 1 << j;
        }
        row[j + 1] = left;
        if ((j & 31) === 31) {
          if (withWay) this.#up[first + (j >> 5)] = bits;
          bits = 0;
        }
      }
      if (withWay && bits !== 0) this.#up[first + this.#words - 1] = bits;
      const spare = above;
      above = row;
      row = spare;
    }
    this.length = above[columns];
  }

  /** Whether the way back from a cell whose bytes differ leads up. */
  leadsUp(i: number, j: number): boolean {
    return (this.#up[(i - 1) * this.#words + ((j - 1) >> 5)] >>> ((j - 1) & 31) & 1) === 1;
  }

  sequence(): Uint8Array {
    const { a, b } = this;
    const common = new Uint8Array(this.length);
    let at = common.length;
    for (let i = a.length, j = b.length; i > 0 && j > 0;) {
      if (a[i - 1] === b[j - 1]) {
        common[--at] = a[--i];
        j--;
      } else if (this.leadsUp(i, j)) i--;
      else j--;
    }
    return common;
  }
}

/** IDX: the stretches that both strings have in common, from the last to the first, of at least `shortest` bytes. */
function replyRanges(c: Client, table: Table, shortest: number, withLength: boolean): void {
  const { reply } = c;
  const { a, b } = table;
  reply.map(2);
  reply.text("matches");
  const mark = reply.defer();
  let count = 0;
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    let matched = 0;
    while (i > 0 && j > 0 && a[i - 1] === b[j - 1]) {
      matched++;
      i--;
      j--;
    }
    if (matched > 0 && matched >= shortest) {
      count++;
      reply.array(withLength ? 3 : 2);
      replyRange(c, i, matched);
      replyRange(c, j, matched);
      if (withLength) reply.int(matched);
    }
    if (i > 0 && j > 0) {
      if (table.leadsUp(i, j)) i--;
      else j--;
    }
  }
  reply.endArray(mark, count);
  reply.text("len");
  reply.int(table.length);
}

function replyRange(c: Client, start: number, length: number): void {
  c.reply.array(2);
  c.reply.int(start);
  c.reply.int(start + length - 1);
}

export const commands: Command[] = [lcs];
