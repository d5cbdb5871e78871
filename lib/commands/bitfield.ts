/**
 * BITFIELD: integers of 1 to 64 bits at any bit of a string.
 *
 * The arguments are read twice: first all of them are checked (nothing may be done if one is wrong), then the operations run. So
 * nothing has to be kept in between but the operation at hand. A field of up to 48 bits is a number, and so is its sum with
 * an argument of up to 2^52; anything wider is done with BigInts.
 */

import { lower, MAX_INT64, parseBigInt64, parseInt64 } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { bitfieldKeys } from "../engine/keys.ts";
import { type ErrorReply, errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { Type } from "../store/record.ts";
import { readField, readWideField, writeField, writeWideField } from "../store/types/bits.ts";
import { bitOffset, lacksBytes, SETBIT, writableBits } from "./bitmap.ts";

const FIELD_TYPE = errorReply(
  "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const OVERFLOW_TYPE = errorReply("ERR Invalid OVERFLOW type specified");
const ONLY_GET = errorReply("ERR BITFIELD_RO only supports the GET subcommand");

const GET = lower("get"), SET = lower("set"), INCRBY = lower("incrby"), OVERFLOW = lower("overflow");
const WRAP = lower("wrap"), SAT = lower("sat"), FAIL = lower("fail");
const LETTER_I = 105, LETTER_U = 117;
const NO_BYTES = new Uint8Array(0);

/** Widest field and largest argument for which sums of numbers are exact. */
const WIDEST_NUMBER = 48, LARGEST_NUMBER = 2 ** 52;

const bitfield = command({
  name: "bitfield",
  arity: -2,
  flags: "write denyoom quick",
  acl: "bitmap",
  since: "3.2.0",
  group: "bitmap",
  keys: "1 RW update access variable_flags; This command allows both access and modification of the key",
  getKeys: bitfieldKeys,
  complexity: "O(1) for each subcommand specified",
  summary: "Perform arbitrary bitfield integer operations on strings",
  syntax:
    "key [operation=<GET (encoding offset) | write=([OVERFLOW <WRAP | SAT | FAIL>] write_operation=<SET (encoding offset value:integer) | INCRBY (encoding offset increment:integer)>)> [operation ...]]",
  run: (c) => runFields(c, false),
});

const bitfieldRo = command({
  name: "bitfield_ro",
  arity: -2,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "bitmap",
  since: "6.0.0",
  group: "bitmap",
  complexity: "O(1) for each subcommand specified",
  summary: "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
  syntax: "key [GET (encoding offset) [GET encoding offset ...]]",
  run: (c) => runFields(c, true),
});

/** The operation that `nextOperation` has read. */
let operation = GET;
let signed = false;
let width = 0;
let offset = 0;
/** Index of the argument of SET or INCRBY. */
let operand = 0;
/** What happens on overflow: WRAP, SAT or FAIL. It holds until the next OVERFLOW. */
let overflow = WRAP;

/** What an operation did to the string. */
const Outcome = { NOTHING: 0, SAME: 1, CHANGED: 2 } as const;
type Outcome = typeof Outcome[keyof typeof Outcome];

function runFields(c: Client, readOnly: boolean): void {
  const { args: a, db, reply } = c;
  let operations = 0;
  let lastBit = -1;
  overflow = WRAP;
  for (let i = nextOperation(c, 2); i !== 0; i = nextOperation(c, i)) {
    if (i < 0) return;
    operations++;
    if (operation !== GET) lastBit = Math.max(lastBit, offset + width - 1);
  }
  const writes = lastBit >= 0;
  if (writes && readOnly) return reply.error(ONLY_GET);
  let ref = writes ? c.writeTyped(1, Type.STRING) : c.readTyped(1, Type.STRING);
  if (ref < 0) return;
  const length = Math.floor(lastBit / 8) + 1;
  const grows = writes && lacksBytes(c, ref, length);
  if (writes) ref = writableBits(c, ref, length);
  const buf = ref === 0 ? NO_BYTES : db.valueBuffer(ref);
  const at = ref === 0 ? 0 : db.valueOffset(ref);
  const end = ref === 0 ? 0 : at + db.valueLength(ref);
  reply.array(operations);
  let changes = 0;
  overflow = WRAP;
  for (let i = nextOperation(c, 2); i !== 0; i = nextOperation(c, i)) {
    const argument = operation === GET ? 0 : a.int(operand);
    const narrow = width <= WIDEST_NUMBER && Math.abs(argument) <= LARGEST_NUMBER;
    const outcome = narrow ? runNarrow(c, buf, at, end, argument) : runWide(c, buf, at, end);
    // Where the string grew, writing the zeros that are there already counts too.
    if (outcome === Outcome.CHANGED || (outcome === Outcome.SAME && grows)) changes++;
  }
  if (changes > 0) db.changed(a, 1, SETBIT, changes);
}

/** Tells a snapshot that may be reading the string, if it has an array of its own, of the bytes that the operation writes. */
function beforeWrite(c: Client, buf: Uint8Array): void {
  const { barrier } = c.db.keyspace;
  const first = Math.floor(offset / 8);
  if (barrier !== null) barrier.beforeOverwrite(buf, first, Math.floor((offset + width - 1) / 8) - first + 1);
}

/**
 * Reads the operation at argument i, and what OVERFLOW says before it. Returns the index after it; 0 at the end of the arguments, -1
 * when an error has been replied.
 */
function nextOperation(c: Client, i: number): number {
  const { args: a } = c;
  while (i < a.argc && a.is(i, OVERFLOW) && i + 1 < a.argc) {
    if (a.is(i + 1, WRAP)) overflow = WRAP;
    else if (a.is(i + 1, SAT)) overflow = SAT;
    else if (a.is(i + 1, FAIL)) overflow = FAIL;
    else return failed(c, OVERFLOW_TYPE);
    i += 2;
  }
  if (i === a.argc) return 0;
  const following = a.argc - i - 1;
  if (a.is(i, GET) && following >= 2) operation = GET;
  else if (a.is(i, SET) && following >= 3) operation = SET;
  else if (a.is(i, INCRBY) && following >= 3) operation = INCRBY;
  else return failed(c, SYNTAX);
  const letter = a.len[i + 1] > 1 ? a.buf[a.off[i + 1]] : 0;
  if (letter !== LETTER_I && letter !== LETTER_U) return failed(c, FIELD_TYPE);
  signed = letter === LETTER_I;
  width = parseInt64(a.buf, a.off[i + 1] + 1, a.len[i + 1] - 1);
  if (!(width >= 1 && width <= (signed ? 64 : 63))) return failed(c, FIELD_TYPE);
  offset = bitOffset(c, i + 2, width);
  if (offset < 0) return -1;
  if (operation === GET) return i + 3;
  operand = i + 3;
  return Number.isNaN(a.int(operand)) ? failed(c, NOT_INTEGER) : i + 4;
}

function failed(c: Client, error: ErrorReply): -1 {
  c.reply.error(error);
  return -1;
}

/** Runs the operation on a field of at most 48 bits with an argument of at most 2^52. */
function runNarrow(c: Client, buf: Uint8Array, at: number, end: number, argument: number): Outcome {
  const range = 2 ** width;
  const min = signed ? -range / 2 : 0;
  const max = min + range - 1;
  let before = readField(buf, at, end, offset, width);
  if (before > max) before -= range;
  if (operation === GET) {
    c.reply.int(before);
    return Outcome.NOTHING;
  }
  let after = operation === SET ? argument : before + argument;
  if (after < min || after > max) {
    if (overflow === FAIL) {
      c.reply.null();
      return Outcome.NOTHING;
    }
    // SET takes a negative argument of an unsigned field for a very large one.
    if (overflow === SAT) after = after > max || (operation === SET && !signed) ? max : min;
    else after = ((after - min) % range + range) % range + min;
  }
  c.reply.int(operation === SET ? before : after);
  beforeWrite(c, buf);
  writeField(buf, at, offset, width, after < 0 ? after + range : after);
  return after === before ? Outcome.SAME : Outcome.CHANGED;
}

/** The same for any field and argument. */
function runWide(c: Client, buf: Uint8Array, at: number, end: number): Outcome {
  const { args: a } = c;
  const before = inField(readWideField(buf, at, end, offset, width));
  if (operation === GET) {
    c.reply.bigint(before);
    return Outcome.NOTHING;
  }
  const range = 1n << BigInt(width);
  const min = signed ? -range / 2n : 0n;
  const max = min + range - 1n;
  const argument = parseBigInt64(a.buf, a.off[operand], a.len[operand])!;
  let after = operation === SET ? argument : before + argument;
  if (after < min || after > max) {
    if (overflow === FAIL) {
      c.reply.null();
      return Outcome.NOTHING;
    }
    if (overflow === SAT) after = after > max || (operation === SET && seemsLarge(argument, max)) ? max : min;
    else after = inField(after);
  }
  if (operation === SET) c.reply.bigint(before);
  else c.reply.bigint(after);
  beforeWrite(c, buf);
  writeWideField(buf, at, offset, width, BigInt.asUintN(width, after));
  return after === before ? Outcome.SAME : Outcome.CHANGED;
}

/** The low bits of a value as the field's kind of integer. */
function inField(value: bigint): bigint {
  return signed ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
}

/**
 * Whether Redis takes the negative argument of SET for one above the field's maximum: always when the field is unsigned, and when its
 * distance to the maximum overflows 64 bits.
 */
function seemsLarge(argument: bigint, max: bigint): boolean {
  return !signed || max - argument > MAX_INT64;
}

export const commands: Command[] = [bitfield, bitfieldRo];
