/**
 * Streams as bytes: the blocks as they are, the counters, then the groups with what is pending. Bytes from outside are only taken if all
 * of it fits together, because nothing looks at it again: every block is walked, and the counters must be those of the entries.
 *
 *   blocks      n, then for each: ID (string of 16 bytes, big-endian), listpack (string)
 *   counters    entries; last ID; and since STREAM_LISTPACKS_2: first ID, greatest deleted ID, entries ever added
 *   groups      n, then for each: name, last ID, (since STREAM_LISTPACKS_2:) entries read, pending entries, consumers
 *   pending     n, then for each: ID (16 bytes), time (int64 LE), number of deliveries
 *   consumers   n, then for each: name, time seen (int64 LE), with STREAM_LISTPACKS_3: time active (int64 LE), IDs that are
 *               pending: n, then 16 bytes each
 *
 * A small stream that is loaded or restored stays in its record as these bytes (stream_check.ts) until a command needs it, and is written as
 * they are. Who never asks for most of a million streams never pays for them.
 *
 * All other numbers and IDs are lengths in RDB notation, of 64 bits. STREAM_LISTPACKS_3 is of RDB version 11; when a consumer was
 * last active is not kept, as Redis 7.0 does not know it.
 */

import { fromLatin1, latin1 } from "../bytes/ascii.ts";
import { readI32BE, writeU32BE } from "../bytes/binary.ts";
import type { Database } from "../store/database.ts";
import type { Keyspace } from "../store/keyspace.ts";
import { Kind, Type } from "../store/record.ts";
import { Int64 } from "../store/types/int64.ts";
import { Stream } from "../store/types/stream.ts";
import { BlockAudit } from "../store/types/stream_audit.ts";
import { type Consumer, type Counter, type Group } from "../store/types/stream_group.ts";
import { Block } from "../store/types/stream_block.ts";
import { StreamId } from "../store/types/stream_id.ts";
import { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { isPlainStream } from "./stream_check.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";

const ID_BYTES = 16;
/** Pending entries that are written in one step. */
const PENDING_AT_ONCE = 256;

const idBytes = new Uint8Array(ID_BYTES);
const sleeper = new RdbReader(idBytes, 0, 0);
const id = new StreamId();
const wide = new Int64();
const audit = new BlockAudit();
const block = new Block();

export const streamCodec: ValueCodec = {
  type: Type.STREAM,
  rdbTypes: [RdbType.STREAM_LISTPACKS, RdbType.STREAM_LISTPACKS_2, RdbType.STREAM_LISTPACKS_3],

  rdbType(): number {
    return RdbType.STREAM_LISTPACKS_2;
  },

  write(db: Database, ref: number, out: RdbWriter): void {
    if (db.kind(ref) !== Kind.OBJECT) return out.raw(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
    const stream = db.object(ref) as Stream;
    out.length(stream.blocks.length);
    for (let i = 0; i < stream.blocks.length; i++) writeBlock(out, stream, i);
    writeCounters(out, stream);
    const steps = writeGroups(out, stream);
    while (steps !== null && steps.next().done !== true);
  },

  read(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean {
    if (rdbType === RdbType.STREAM_LISTPACKS_2) {
      input.keep();
      if (isPlainStream(input)) {
        input.takeKept();
        value.setBytes(Type.STREAM, input.bytes, input.bytesOff, input.bytesLen);
        context.keyspace.wake = wake;
        return true;
      }
      input.rewind();
    }
    value.setObject(Type.STREAM, readStream(context.keyspace, rdbType, input));
    return true;
  },
};

/** The stream of a record that has it as bytes. */
function wake(db: Database, ref: number): Stream {
  const at = db.valueOffset(ref);
  sleeper.open(db.valueBuffer(ref), at, at + db.valueLength(ref));
  return readStream(db.keyspace, RdbType.STREAM_LISTPACKS_2, sleeper);
}

function readStream({ slab }: Keyspace, rdbType: number, input: RdbReader): Stream {
  const stream = new Stream(slab);
  try {
    readEntries(stream, input, rdbType !== RdbType.STREAM_LISTPACKS);
    for (let left = input.length(); left > 0; left--) {
      readGroup(stream, input, rdbType);
    }
  } catch (error) {
    stream.release();
    throw error;
  }
  return stream;
}

/** Writes a stream that does not change meanwhile, from behind the number of its blocks on, in steps. */
export function* writeStream(out: RdbWriter, stream: Stream): Generator<void, void, void> {
  for (let i = 0; i < stream.blocks.length; i++) {
    writeBlock(out, stream, i);
    yield;
  }
  writeCounters(out, stream);
  const steps = writeGroups(out, stream);
  if (steps !== null) yield* steps;
}

function writeBlock(out: RdbWriter, { blocks }: Stream, index: number): void {
  block.open(blocks, index);
  packId(block.id);
  out.length(ID_BYTES);
  out.raw(idBytes, 0, ID_BYTES);
  out.steadyString(block.buf, block.off, block.len);
}

function writeCounters(out: RdbWriter, stream: Stream): void {
  out.length(stream.count);
  writeId(out, stream.lastId);
  writeId(out, stream.firstId);
  writeId(out, stream.maxDeletedId);
  writeCounter(out, stream.entriesAdded);
  out.length(stream.groups.size);
}

/** The steps of writing the groups; null where there are none, as in most streams. */
function writeGroups(out: RdbWriter, stream: Stream): Generator<void, void, void> | null {
  return stream.groups.size === 0 ? null : groupSteps(out, stream);
}

function* groupSteps(out: RdbWriter, stream: Stream): Generator<void, void, void> {
  for (const group of stream.groupsInOrder()) yield* writeGroup(out, group);
}

function* writeGroup(out: RdbWriter, group: Group): Generator<void, void, void> {
  const { pending } = group;
  writeName(out, group.name);
  writeId(out, group.lastId);
  writeCounter(out, group.entriesRead);
  out.length(pending.count);
  let left = PENDING_AT_ONCE;
  for (pending.first(); !pending.atEnd; pending.next()) {
    pending.readId(id);
    packId(id);
    out.raw(idBytes, 0, ID_BYTES);
    out.int64(group.deliveryTime);
    writeCounter(out, group.deliveries);
    if (--left > 0) continue;
    left = PENDING_AT_ONCE;
    yield;
  }
  out.length(group.consumers);
  for (const consumer of group.consumersInOrder()) {
    const own = consumer.pending;
    writeName(out, consumer.name);
    out.int64(consumer.seenTime);
    out.length(own.count);
    for (own.first(); !own.atEnd; own.next()) {
      own.readId(id);
      packId(id);
      out.raw(idBytes, 0, ID_BYTES);
      if (--left > 0) continue;
      left = PENDING_AT_ONCE;
      yield;
    }
  }
}

function readEntries(stream: Stream, input: RdbReader, isNew: boolean): void {
  let entries = 0;
  for (let left = input.length(); left > 0; left--) {
    input.string();
    if (input.bytesLen !== ID_BYTES) input.fail("block of a stream without an ID");
    unpackId(input);
    input.string();
    const { bytes, bytesOff, bytesLen } = input;
    if (!audit.check(bytes, bytesOff, bytesLen, id)) input.fail("Stream listpack integrity check failed");
    const block = stream.addBlock(id, bytes, bytesOff, bytesLen);
    if (block === null) return input.fail("stream with a repeated block");
    if (audit.goesBack) block.setGoesBack();
    entries += audit.live;
  }
  stream.count = input.length();
  if (stream.count !== entries) input.fail("stream with a wrong number of entries");
  readId(input, stream.lastId);
  if (isNew) {
    readId(input, stream.firstId);
    readId(input, stream.maxDeletedId);
    stream.entriesAdded = readUnsigned(input);
  } else {
    stream.entriesAdded = stream.count;
    stream.refreshFirst();
  }
}

function readGroup(stream: Stream, input: RdbReader, rdbType: number): void {
  const name = readName(input);
  if (stream.groups.has(name)) input.fail("Duplicated consumer group name");
  const group = stream.addGroup(name);
  readId(input, group.lastId);
  group.entriesRead = rdbType === RdbType.STREAM_LISTPACKS ? stream.entriesUpTo(group.lastId) : readSigned(input);
  for (let left = input.length(); left > 0; left--) {
    input.raw(ID_BYTES);
    unpackId(input);
    if (!group.addPending(id)) input.fail("repeated pending entry of a group");
    input.wide(wide);
    group.setDeliveryTime(wide);
    input.wideLength(wide);
    group.setDeliveries(wide);
  }
  let owned = 0;
  for (let left = input.length(); left > 0; left--) {
    const consumerName = readName(input);
    if (group.consumer(consumerName) !== null) input.fail("Duplicate stream consumer detected");
    input.wide(wide);
    const consumer = group.addConsumer(consumerName, wide.counter);
    if (rdbType === RdbType.STREAM_LISTPACKS_3) input.int64();
    owned += readOwned(group, consumer, input);
  }
  if (owned !== group.pending.count) input.fail("pending entry without a consumer");
}

/** Reads what is pending for a consumer; returns the number of entries. */
function readOwned(group: Group, consumer: Consumer, input: RdbReader): number {
  const count = input.length();
  for (let left = count; left > 0; left--) {
    input.raw(ID_BYTES);
    unpackId(input);
    if (!group.pending.seek(id)) input.fail("pending entry of a consumer that is not one of its group");
    if (group.owner !== null) input.fail("pending entry of two consumers");
    group.assign(id, consumer);
  }
  return count;
}

/** Writes an ID into `idBytes`. */
function packId({ msHi, msLo, seqHi, seqLo }: StreamId): void {
  writeU32BE(idBytes, 0, msHi);
  writeU32BE(idBytes, 4, msLo);
  writeU32BE(idBytes, 8, seqHi);
  writeU32BE(idBytes, 12, seqLo);
}

/** Puts the bytes that were read last into `id`. */
function unpackId({ bytes, bytesOff: at }: RdbReader): void {
  id.set(readI32BE(bytes, at), readI32BE(bytes, at + 4), readI32BE(bytes, at + 8), readI32BE(bytes, at + 12));
}

function writeId(out: RdbWriter, { msHi, msLo, seqHi, seqLo }: StreamId): void {
  out.length64(msHi >>> 0, msLo >>> 0);
  out.length64(seqHi >>> 0, seqLo >>> 0);
}

function readId(input: RdbReader, into: StreamId): void {
  input.wideLength(wide);
  const { hi, lo } = wide;
  input.wideLength(wide);
  into.set(hi, lo, wide.hi, wide.lo);
}

function writeCounter(out: RdbWriter, counter: Counter): void {
  wide.set(counter);
  out.length64(wide.hi >>> 0, wide.lo >>> 0);
}

function readUnsigned(input: RdbReader): Counter {
  input.wideLength(wide);
  return wide.hi >= 0 ? wide.counter : BigInt.asUintN(64, wide.big);
}

function readSigned(input: RdbReader): Counter {
  input.wideLength(wide);
  return wide.counter;
}

function writeName(out: RdbWriter, name: string): void {
  out.string(fromLatin1(name), 0, name.length);
}

function readName(input: RdbReader): string {
  input.string();
  return latin1(input.bytes, input.bytesOff, input.bytesLen);
}
