/**
 * HyperLogLogs: strings of a certain form, which PFADD makes and counts elements in. The form is explained in
 * store/types/hyperloglog.ts; keys, events and errors follow hyperloglog.c of Redis 7.0.
 */

import { fromLatin1, lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply } from "../resp/errors.ts";
import { EventClass, keyEvent, NO_EVENT } from "../store/events.ts";
import { Hint, Type } from "../store/record.ts";
import { RecordBlob } from "../store/record_blob.ts";
import { HeapBlob } from "../store/types/blob.ts";
import * as hyperloglog from "../store/types/hyperloglog.ts";
import { CORRUPT, DENSE, DENSE_SIZE, EMPTY_SIZE, HEADER, REGISTERS } from "../store/types/hyperloglog.ts";

const PFADD = keyEvent(EventClass.STRING, "pfadd");

const NOT_HYPERLOGLOG = errorReply("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPTED = errorReply("INVALIDOBJ Corrupted HLL object detected");
const NO_KEY = errorReply("ERR The specified key does not exist");
const NOT_SPARSE = errorReply("ERR HLL encoding is not sparse");
const SPARSE_NOT_USED = errorReply("ERR TESTFAILED sparse encoding not used");
const DISAGREE = errorReply("ERR TESTFAILED dense/sparse disagree");

const GETREG = lower("getreg");
const DECODE = lower("decode");
const ENCODING = lower("encoding");
const TODENSE = lower("todense");

const blob = new RecordBlob();
/** The greatest of each register over several keys. */
const most = new hyperloglog.Registers();

/** Binds `blob` to the HyperLogLog at `ref`; false when it is none, which has been replied. */
function bind(c: Client, ref: number): boolean {
  blob.bind(c.db, ref);
  if (hyperloglog.isHyperloglog(blob.buf, blob.off, blob.len)) return true;
  return c.fail(NOT_HYPERLOGLOG);
}

/** Makes argument 1, which is no key yet, a HyperLogLog that has seen nothing. */
function create(c: Client): void {
  const ref = c.db.add(c.args, 1, Type.STRING, EMPTY_SIZE);
  hyperloglog.writeEmpty(c.db.valueBuffer(ref), c.db.valueOffset(ref));
  c.db.setHint(ref, Hint.RAW);
  blob.bind(c.db, ref);
}

const pfadd = command({
  name: "pfadd",
  arity: -2,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "hyperloglog",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "O(1) to add every element.",
  summary: "Adds the specified elements to the specified HyperLogLog.",
  syntax: "key [element [element ...]]",
  run(c) {
    const { args: a, db } = c;
    const ref = c.writeTyped(1, Type.STRING);
    if (ref < 0) return;
    let changes = 0;
    if (ref === 0) {
      create(c);
      changes++;
    } else {
      if (!bind(c, ref)) return;
      db.setHint(ref, Hint.RAW);
    }
    const { hllSparseMaxBytes } = c.engine.config.values;
    for (let i = 2; i < a.argc; i++) {
      const outcome = hyperloglog.add(blob, a.buf, a.off[i], a.len[i], hllSparseMaxBytes);
      if (outcome === CORRUPT) return c.reply.error(CORRUPTED);
      changes += outcome;
    }
    if (changes > 0) {
      hyperloglog.invalidateCount(blob);
      db.changed(a, 1, PFADD, changes);
    }
    c.reply.int(changes > 0 ? 1 : 0);
  },
});

const pfcount = command({
  name: "pfcount",
  arity: -2,
  flags: "readonly may_replicate quick",
  acl: "hyperloglog",
  since: "2.8.9",
  group: "hyperloglog",
  keys: "1:-1 RW access; RW because it may change the internal representation of the key, and propagate to replicas",
  complexity:
    "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
  summary: "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
  syntax: "key [key ...]",
  run(c) {
    if (c.args.argc === 2) return countOne(c);
    if (mergeKeys(c) < 0) return;
    replyCount(c, most.count());
  },
});

/** Reads the count from the header; one that is outdated is written anew, which makes this command a write. */
function countOne(c: Client): void {
  const { args: a, db } = c;
  const ref = c.readTyped(1, Type.STRING);
  if (ref < 0) return;
  if (ref === 0) return c.reply.int(0);
  if (!bind(c, ref)) return;
  db.setHint(ref, Hint.RAW);
  const cached = hyperloglog.cachedCount(blob);
  if (cached >= 0) return replyCount(c, cached);
  const elements = hyperloglog.count(blob);
  if (elements === null) return c.reply.error(CORRUPTED);
  db.keyspace.barrier?.beforeChange(db, ref);
  hyperloglog.cacheCount(blob, elements);
  db.changed(a, 1, NO_EVENT);
  replyCount(c, elements);
}

function replyCount(c: Client, count: number | bigint): void {
  if (typeof count === "bigint") c.reply.bigint(count);
  else c.reply.int(count);
}

/** Gathers the registers of all keys in `most`. 1 if one of them is dense, 0 if none is, -1 after an error. */
function mergeKeys(c: Client): number {
  let anyDense = 0;
  most.clear();
  for (let i = 1; i < c.args.argc; i++) {
    const ref = c.readTyped(i, Type.STRING);
    if (ref < 0) return -1;
    if (ref === 0) continue;
    if (!bind(c, ref)) return -1;
    if (hyperloglog.encodingOf(blob) === DENSE) anyDense = 1;
    if (!most.merge(blob)) {
      c.reply.error(CORRUPTED);
      return -1;
    }
  }
  return anyDense;
}

const pfmerge = command({
  name: "pfmerge",
  arity: -2,
  flags: "write denyoom",
  acl: "hyperloglog",
  since: "2.8.9",
  group: "hyperloglog",
  keys: ["1 RW access insert", "2:-1 RO access"],
  complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
  summary: "Merge N different HyperLogLogs into a single one.",
  syntax: "destkey sourcekey:key [sourcekey ...]",
  run(c) {
    const { args: a, db } = c;
    const anyDense = mergeKeys(c);
    if (anyDense < 0) return;
    const ref = db.lookupWrite(a, 1);
    if (ref === 0) create(c);
    else {
      blob.bind(db, ref);
      db.setHint(ref, Hint.RAW);
    }
    if (anyDense === 1 && !hyperloglog.toDense(blob)) return c.reply.error(CORRUPTED);
    most.raise(blob, c.engine.config.values.hllSparseMaxBytes);
    hyperloglog.invalidateCount(blob);
    db.changed(a, 1, PFADD);
    c.reply.ok();
  },
});

const pfdebug = command({
  name: "pfdebug",
  arity: 3,
  flags: "write denyoom admin",
  keys: "2 RW access",
  acl: "hyperloglog",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "N/A",
  summary: "Internal commands for debugging HyperLogLog values",
  syntax: "subcommand key",
  docFlags: "syscmd",
  run(c) {
    const { args: a, db, reply } = c;
    const ref = c.writeTyped(2, Type.STRING);
    if (ref < 0) return;
    if (ref === 0) return reply.error(NO_KEY);
    if (!bind(c, ref)) return;
    db.setHint(ref, Hint.RAW);
    const isDense = hyperloglog.encodingOf(blob) === DENSE;
    if (a.is(1, GETREG)) {
      if (!makeDense(c)) return;
      reply.array(REGISTERS);
      for (let i = 0; i < REGISTERS; i++) reply.int(hyperloglog.readRegister(blob.buf, blob.off + HEADER, i));
    } else if (a.is(1, DECODE)) {
      if (isDense) return reply.error(NOT_SPARSE);
      const text = fromLatin1(hyperloglog.decode(blob));
      reply.bulk(text, 0, text.length);
    } else if (a.is(1, ENCODING)) reply.simple(isDense ? "dense" : "sparse");
    else if (a.is(1, TODENSE)) {
      if (makeDense(c)) reply.int(isDense ? 0 : 1);
    } else reply.error(errorReply(`ERR Unknown PFDEBUG subcommand '${a.shown(1)}'`));
  },
});

/** Converts what `blob` is bound to; that is propagated, so that replicas and the AOF do not differ. False after an error. */
function makeDense(c: Client): boolean {
  if (hyperloglog.encodingOf(blob) === DENSE) return true;
  if (!hyperloglog.toDense(blob)) return c.fail(CORRUPTED);
  c.db.keyspace.dirty++;
  return true;
}

const pfselftest = command({
  name: "pfselftest",
  arity: 1,
  flags: "admin",
  acl: "hyperloglog",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "N/A",
  summary: "An internal command for testing HyperLogLog values",
  docFlags: "syscmd",
  run(c) {
    if (testRegisters(c) && testEstimates(c)) c.reply.ok();
  },
});

const REGISTER_ROUNDS = 1000;
const MOST_ELEMENTS = 10_000_000;

/** Writes random values into all registers and reads them again. */
function testRegisters(c: Client): boolean {
  const { random } = c.engine.keyspace;
  const registers = new Uint8Array(DENSE_SIZE - HEADER);
  const expected = new Uint8Array(REGISTERS);
  for (let round = 0; round < REGISTER_ROUNDS; round++) {
    for (let i = 0; i < REGISTERS; i++) {
      expected[i] = Math.floor(random.unit() * (hyperloglog.REGISTER_MAX + 1));
      hyperloglog.writeRegister(registers, 0, i, expected[i]);
    }
    for (let i = 0; i < REGISTERS; i++) {
      const value = hyperloglog.readRegister(registers, 0, i);
      if (value === expected[i]) continue;
      return c.fail(errorReply(`ERR TESTFAILED Register ${i} should be ${expected[i]} but is ${value}`));
    }
  }
  return true;
}

/** Adds elements to a dense and to a sparse one: at each power of ten both must agree, and be near the truth. */
function testEstimates(c: Client): boolean {
  const { random } = c.engine.keyspace;
  const { hllSparseMaxBytes } = c.engine.config.values;
  const sparse = emptyBlob();
  const dense = emptyBlob();
  hyperloglog.toDense(dense);
  const element = new Uint8Array(8);
  const view = new DataView(element.buffer);
  const seed = Math.floor(random.unit() * 2 ** 32);
  view.setUint32(4, Math.floor(random.unit() * 2 ** 32), true);
  const standardError = 1.04 / Math.sqrt(REGISTERS);
  for (let added = 1, checkpoint = 1; added <= MOST_ELEMENTS; added++) {
    view.setUint32(0, (added ^ seed) >>> 0, true);
    hyperloglog.add(dense, element, 0, 8, hllSparseMaxBytes);
    hyperloglog.add(sparse, element, 0, 8, hllSparseMaxBytes);
    if (added !== checkpoint) continue;
    if (added < hllSparseMaxBytes / 2 && hyperloglog.encodingOf(sparse) === DENSE) return c.fail(SPARSE_NOT_USED);
    const estimate = hyperloglog.count(dense);
    if (estimate === null || estimate !== hyperloglog.count(sparse)) return c.fail(DISAGREE);
    const error = Math.abs(checkpoint - Number(estimate));
    // Six standard errors, so that it hardly ever fails by chance; for ten elements one collision may be forgiven.
    const allowed = added === 10 ? 1 : Math.ceil(standardError * 6 * checkpoint);
    if (error > allowed) {
      return c.fail(errorReply(`ERR TESTFAILED Too big error. card:${checkpoint} abserr:${error}`));
    }
    checkpoint *= 10;
  }
  return true;
}

function emptyBlob(): HeapBlob {
  const blob = new HeapBlob(EMPTY_SIZE);
  blob.len = EMPTY_SIZE;
  hyperloglog.writeEmpty(blob.buf, 0);
  return blob;
}

export const commands: Command[] = [pfadd, pfcount, pfdebug, pfmerge, pfselftest];
