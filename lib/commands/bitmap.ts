/**
 * Bitmaps: commands that see a string as bits, bit 0 being the highest bit of the first byte. The work on the bits is in
 * store/types/bits.ts; BITFIELD has a file of its own. Ranges, errors and their order follow bitops.c of Redis 7.0.
 */

import { lower, parseBigInt64, parseInt64 } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_INTEGER, SYNTAX, WRONGTYPE } from "../resp/errors.ts";
import type { Database } from "../store/database.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Hint, Kind, Type } from "../store/record.ts";
import { BitCombination, BitOperation, countBits, countWord, findBit } from "../store/types/bits.ts";
import { firstIndex, isAfter } from "./indices.ts";

export const SETBIT = keyEvent(EventClass.STRING, "setbit");
const SET = keyEvent(EventClass.STRING, "set");

const BIT_OFFSET = errorReply("ERR bit offset is not an integer or out of range");
const BIT_VALUE = errorReply("ERR bit is not an integer or out of range");
const BIT_ARGUMENT = errorReply("ERR The bit argument must be 1 or 0.");
const NOT_ONE_KEY = errorReply("ERR BITOP NOT must be called with a single source key.");

const BIT = lower("bit"), BYTE = lower("byte");
const OPERATIONS: readonly (readonly [Uint8Array, BitOperation])[] = [
  [lower("and"), BitOperation.AND],
  [lower("or"), BitOperation.OR],
  [lower("xor"), BitOperation.XOR],
  [lower("not"), BitOperation.NOT],
];

/** Records of BITOP's sources, 0 for a key that is not there. */
const sources: number[] = [];
const combination = new BitCombination();
const NO_BYTES = new Uint8Array(0);

const getbit = command({
  name: "getbit",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "bitmap",
  since: "2.2.0",
  group: "bitmap",
  complexity: "O(1)",
  summary: "Returns the bit value at offset in the string value stored at key",
  syntax: "key offset",
  run(c) {
    const offset = bitOffset(c, 2, 0);
    if (offset < 0) return;
    const { db } = c;
    const ref = c.readTyped(1, Type.STRING);
    if (ref < 0) return;
    const byte = Math.floor(offset / 8);
    if (ref === 0 || byte >= db.valueLength(ref)) return c.reply.int(0);
    c.reply.int((db.valueBuffer(ref)[db.valueOffset(ref) + byte] >> (7 - offset % 8)) & 1);
  },
});

const setbit = command({
  name: "setbit",
  arity: 4,
  flags: "write denyoom quick",
  keys: "1 RW access update",
  acl: "bitmap",
  since: "2.2.0",
  group: "bitmap",
  complexity: "O(1)",
  summary: "Sets or clears the bit at offset in the string value stored at key",
  syntax: "key offset value:integer",
  run(c) {
    const { args: a, db } = c;
    const offset = bitOffset(c, 2, 0);
    if (offset < 0) return;
    const bit = a.int(3);
    if (bit !== 0 && bit !== 1) return c.reply.error(BIT_VALUE);
    const found = c.writeTyped(1, Type.STRING);
    if (found < 0) return;
    const byte = Math.floor(offset / 8);
    const grows = lacksBytes(c, found, byte + 1);
    const ref = writableBits(c, found, byte + 1);
    const buf = db.valueBuffer(ref);
    const at = db.valueOffset(ref) + byte;
    const mask = 128 >> (offset % 8);
    const before = buf[at];
    const after = bit === 1 ? before | mask : before & ~mask;
    if (grows || after !== before) {
      db.beforeOverwrite(ref, byte, 1);
      buf[at] = after;
      db.changed(a, 1, SETBIT);
    }
    c.reply.int(before & mask ? 1 : 0);
  },
});

/**
 * Argument i as a bit offset; with `width`, the form "#n" counts in fields of so many bits (BITFIELD). -1: an error has been replied.
 */
export function bitOffset(c: Client, i: number, width: number): number {
  const { args: a } = c;
  const counted = width > 0 && a.len[i] > 0 && a.buf[a.off[i]] === 35;
  const off = counted ? a.off[i] + 1 : a.off[i];
  const len = counted ? a.len[i] - 1 : a.len[i];
  let offset = parseInt64(a.buf, off, len);
  if (counted) {
    if (Math.abs(offset) < 2 ** 47) offset *= width;
    // Redis multiplies in 64 bits and does not notice when the result has more.
    else if (offset === offset) offset = Number(BigInt.asIntN(64, parseBigInt64(a.buf, off, len)! * BigInt(width)));
  }
  const limit = c.engine.config.values.protoMaxBulkLen;
  if (offset >= 0 && (Math.floor(offset / 8) < limit || c.isTrusted || c.isMaster)) return offset;
  c.reply.error(BIT_OFFSET);
  return -1;
}

/** Whether the string at `ref` (0: there is none) is shorter than `length` bytes. */
export function lacksBytes(c: Client, ref: number, length: number): boolean {
  return ref === 0 || c.db.valueLength(ref) < length;
}

/** The string of argument 1, now at `ref` or nowhere (0), for writing bits into its first `length` bytes: zeros are added. */
export function writableBits(c: Client, ref: number, length: number): number {
  const { db } = c;
  const before = ref === 0 ? 0 : db.valueLength(ref);
  if (ref === 0) {
    ref = db.add(c.args, 1, Type.STRING, length);
    // An array of its own comes from the system as zeros: a huge sparse bitmap need not be touched.
    if (db.kind(ref) === Kind.INLINE) db.valueBuffer(ref).fill(0, db.valueOffset(ref), db.valueOffset(ref) + length);
  } else if (before < length) {
    ref = db.resize(ref, length, before);
    db.valueBuffer(ref).fill(0, db.valueOffset(ref) + before, db.valueOffset(ref) + length);
  }
  db.setHint(ref, Hint.RAW);
  return ref;
}

const bitcount = command({
  name: "bitcount",
  arity: -2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "bitmap",
  since: "2.6.0",
  group: "bitmap",
  complexity: "O(N)",
  summary: "Count set bits in a string",
  syntax: "key index=[start:integer end:integer index_unit=[BYTE | BIT]@7.0.0]",
  history: ["7.0.0 Added the `BYTE|BIT` option."],
  run(c) {
    const { args: a, db, reply } = c;
    const ref = c.readTyped(1, Type.STRING);
    if (ref < 0) return;
    if (ref === 0) return reply.int(0);
    const buf = db.valueBuffer(ref);
    const words = db.valueWords(ref);
    const at = db.valueOffset(ref);
    const length = db.valueLength(ref);
    if (a.argc === 2) return reply.int(countBits(buf, words, at, at + length));
    if (a.argc > 5 || a.argc === 3) return reply.error(SYNTAX);
    let start = a.int(2);
    let end = a.int(3);
    if (start !== start || end !== end) return reply.error(NOT_INTEGER);
    if (end < 0 && isAfter(a, 2, 3)) return reply.int(0);
    const inBits = a.argc === 5 && a.is(4, BIT);
    if (a.argc === 5 && !inBits && !a.is(4, BYTE)) return reply.error(SYNTAX);
    const total = inBits ? length * 8 : length;
    start = firstIndex(start, total);
    end = Math.min(firstIndex(end, total), total - 1);
    if (start > end) return reply.int(0);
    if (!inBits) return reply.int(countBits(buf, words, at + start, at + end + 1));
    const first = at + Math.floor(start / 8);
    const last = at + Math.floor(end / 8);
    const before = buf[first] & ~(255 >> (start % 8));
    const after = buf[last] & (127 >> (end % 8));
    reply.int(countBits(buf, words, first, last + 1) - countWord(before) - countWord(after));
  },
});

const bitpos = command({
  name: "bitpos",
  arity: -3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "bitmap",
  since: "2.8.7",
  group: "bitmap",
  complexity: "O(N)",
  summary: "Find first bit set or clear in a string",
  syntax: "key bit:integer index=[start:integer end_index=[end:integer index_unit=[BYTE | BIT]@7.0.0]]",
  history: ["7.0.0 Added the `BYTE|BIT` option."],
  run(c) {
    const { args: a, db, reply } = c;
    const bit = a.int(2);
    if (bit !== bit) return reply.error(NOT_INTEGER);
    if (bit !== 0 && bit !== 1) return reply.error(BIT_ARGUMENT);
    const ref = db.lookupRead(a, 1);
    // A key that does not exist is zeros without end.
    if (ref === 0) return reply.int(bit === 1 ? -1 : 0);
    if (db.type(ref) !== Type.STRING) return reply.error(WRONGTYPE);
    const length = db.valueLength(ref);
    let start = 0;
    let end = length - 1;
    let inBits = false;
    if (a.argc > 6) return reply.error(SYNTAX);
    if (a.argc > 3) {
      start = a.int(3);
      if (start !== start) return reply.error(NOT_INTEGER);
      inBits = a.argc === 6 && a.is(5, BIT);
      if (a.argc === 6 && !inBits && !a.is(5, BYTE)) return reply.error(SYNTAX);
      if (a.argc > 4) end = a.int(4);
      if (end !== end) return reply.error(NOT_INTEGER);
      const total = inBits ? length * 8 : length;
      start = firstIndex(start, total);
      end = Math.min(firstIndex(end, total), total - 1);
    }
    if (start > end) return reply.int(-1);
    if (!inBits) {
      start *= 8;
      end = end * 8 + 7;
    }
    const found = findBit(db.valueBuffer(ref), db.valueWords(ref), db.valueOffset(ref), start, end, bit);
    if (found >= 0) return reply.int(found);
    // Zeros follow the string, unless the caller said where to stop.
    reply.int(bit === 0 && a.argc < 5 ? end + 1 : -1);
  },
});

const bitop = command({
  name: "bitop",
  arity: -4,
  flags: "write denyoom",
  acl: "bitmap",
  since: "2.6.0",
  group: "bitmap",
  keys: ["2 OW update", "3:-1 RO access"],
  complexity: "O(N)",
  summary: "Perform bitwise operations between strings",
  syntax: "operation destkey key [key ...]",
  run(c) {
    const { args: a, db, reply } = c;
    const operation = operationIn(c);
    if (operation < 0) return reply.error(SYNTAX);
    if (operation === BitOperation.NOT && a.argc !== 4) return reply.error(NOT_ONE_KEY);
    sources.length = 0;
    let length = 0;
    for (let i = 3; i < a.argc; i++) {
      const ref = c.readTyped(i, Type.STRING);
      if (ref < 0) return;
      sources.push(ref);
      if (ref !== 0 && db.valueLength(ref) > length) length = db.valueLength(ref);
    }
    if (length > 0) {
      combine(db, operation as BitOperation, length);
      const ref = db.set(a, 2, combination.bytes, 0, length);
      db.setHint(ref, Hint.RAW);
      db.changed(a, 2, SET);
    } else c.deleteKey(2);
    reply.int(length);
  },
});

/** The operation that argument 1 names, -1 if none. */
function operationIn(c: Client): number {
  for (let i = 0; i < OPERATIONS.length; i++) if (c.args.is(1, OPERATIONS[i][0])) return OPERATIONS[i][1];
  return -1;
}

/** Combines `sources`, the longest of which has `length` bytes. */
function combine(db: Database, operation: BitOperation, length: number): void {
  for (let i = 0; i < sources.length; i++) {
    const ref = sources[i];
    const buf = ref === 0 ? NO_BYTES : db.valueBuffer(ref);
    const at = ref === 0 ? 0 : db.valueOffset(ref);
    const len = ref === 0 ? 0 : db.valueLength(ref);
    if (i === 0) combination.begin(length, buf, at, len);
    else combination.add(operation, buf, at, len);
  }
  if (operation === BitOperation.NOT) combination.invert();
}

export const commands: Command[] = [getbit, setbit, bitcount, bitpos, bitop];
