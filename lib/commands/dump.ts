/**
 * DUMP and RESTORE: a value as a string of bytes that another server, Redis too, can make a key of.
 *
 * The serialised value itself is the business of lib/persist (payload.ts); here are the keys and the options.
 */

import type { Part } from "../bytes/args.ts";
import { type Command, command } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { lower, parseBigInt64 } from "../bytes/ascii.ts";
import { readPayload, writePayload } from "../persist/payload.ts";
import { LooseValue } from "../persist/value_codec.ts";
import { BUSYKEY, errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { DEL, EventClass, keyEvent } from "../store/events.ts";
import { hasPassed } from "./expire.ts";

const REPLACE = lower("replace");
const ABSTTL = lower("absttl");
const IDLETIME = lower("idletime");
const FREQ = lower("freq");
const RESTORE = keyEvent(EventClass.GENERIC, "restore");
const INVALID_IDLE = errorReply("ERR Invalid IDLETIME value, must be >= 0");
const INVALID_FREQ = errorReply("ERR Invalid FREQ value, must be >= 0 and <= 255");
const INVALID_TTL = errorReply("ERR Invalid TTL value, must be >= 0");
const INVALID_PAYLOAD = errorReply("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT = errorReply("ERR Bad data format");
/** LRU clocks count seconds in 24 bits. */
const LRU_CLOCKS = 1 << 24;

const dump = command({
  name: "dump",
  arity: 2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "keyspace",
  since: "2.6.0",
  group: "generic",
  complexity:
    "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
  summary: "Return a serialized version of the value stored at the specified key.",
  syntax: "key",
  tips: "nondeterministic_output",
  run(c) {
    const ref = c.db.lookupRead(c.args, 1);
    if (ref === 0) return c.reply.null();
    const out = writePayload(c.db, ref, c.engine.config.values.rdbcompression);
    c.reply.bulk(out.buf, 0, out.at);
  },
});

const restore = command({
  name: "restore",
  arity: -4,
  flags: "write denyoom",
  keys: "1 OW update",
  acl: "keyspace dangerous",
  since: "2.6.0",
  group: "generic",
  complexity:
    "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
  summary: "Create a key using the provided serialized value, previously obtained using DUMP.",
  syntax:
    "key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds@5.0.0] [FREQ frequency:integer@5.0.0]",
  history: [
    "3.0.0 Added the `REPLACE` modifier.",
    "5.0.0 Added the `ABSTTL` modifier.",
    "5.0.0 Added the `IDLETIME` and `FREQ` options.",
  ],
  run: restoreKey,
});

/** The options of the command that is being run. */
interface RestoreOptions {
  replace: boolean;
  /** The TTL is a time, not a duration. */
  absolute: boolean;
  /** Seconds since the last access, -1 when not given. */
  idle: number;
  /** Access counter, -1 when not given. */
  frequency: number;
}

const value = new LooseValue();
const options: RestoreOptions = { replace: false, absolute: false, idle: -1, frequency: -1 };

function restoreKey(c: Client): void {
  const { args: a, db, engine, reply } = c;
  if (!parseOptions(c)) return;
  if (!options.replace && db.lookupWrite(a, 1) !== 0) return reply.error(BUSYKEY);
  const ttl = a.int(2);
  if (ttl !== ttl) return reply.error(NOT_INTEGER);
  if (ttl < 0) return reply.error(INVALID_TTL);
  const outcome = readPayload(engine, a.buf, a.off[3], a.len[3], value, engine.persistence.skipChecksum);
  if (outcome !== "ok") return reply.error(outcome === "refused" ? INVALID_PAYLOAD : BAD_FORMAT);

  const deleted = options.replace && db.delete(a, 1);
  const deadline = ttl === 0 ? null : deadlineOf(c);
  if (deadline !== null && hasPassed(c, deadline)) {
    value.discard(engine.keyspace);
    if (deleted) {
      engine.propagation.rewrite("DEL", a.bytes(1));
      db.changed(a, 1, DEL);
    }
    return reply.ok();
  }
  let ref = value.addTo(db, a, 1);
  if (deadline !== null) {
    ref = db.setExpire(ref, deadline);
    if (!options.absolute && engine.propagation.active) propagateAbsolute(c, deadline);
  }
  setAccess(c, ref);
  db.changed(a, 1, RESTORE);
  reply.ok();
}

/** When a key with the TTL that is argument 2 expires: milliseconds since 1970, with the overflow that Redis has. */
function deadlineOf({ args: a, engine }: Client): bigint {
  const ttl = parseBigInt64(a.buf, a.off[2], a.len[2])!;
  return options.absolute ? ttl : BigInt.asIntN(64, ttl + BigInt(engine.keyspace.now));
}

function parseOptions(c: Client): boolean {
  const { args: a } = c;
  options.replace = false;
  options.absolute = false;
  options.idle = -1;
  options.frequency = -1;
  for (let i = 4; i < a.argc; i++) {
    const hasNext = i + 1 < a.argc;
    if (a.is(i, REPLACE)) options.replace = true;
    else if (a.is(i, ABSTTL)) options.absolute = true;
    else if (a.is(i, IDLETIME) && hasNext && options.frequency === -1) {
      options.idle = a.int(++i);
      if (Number.isNaN(options.idle)) return c.fail(NOT_INTEGER);
      if (options.idle < 0) return c.fail(INVALID_IDLE);
    } else if (a.is(i, FREQ) && hasNext && options.idle === -1) {
      options.frequency = a.int(++i);
      if (Number.isNaN(options.frequency)) return c.fail(NOT_INTEGER);
      if (options.frequency < 0 || options.frequency > 255) return c.fail(INVALID_FREQ);
    } else return c.fail(SYNTAX);
  }
  return true;
}

/** Only what the policy in force makes use of is set. */
function setAccess(c: Client, ref: number): void {
  const { keyspace } = c.engine;
  if (keyspace.lfu) {
    if (options.frequency >= 0) c.db.setFrequency(ref, options.frequency);
  } else if (options.idle >= 0) {
    // Longer ago than the clock can tell is as long ago as it can be.
    const clock = keyspace.lruClock - options.idle;
    c.db.setAccess(ref, clock >= 0 ? clock : (keyspace.lruClock + LRU_CLOCKS / 2) % LRU_CLOCKS);
  }
}

function propagateAbsolute(c: Client, deadline: bigint): void {
  const { args: a } = c;
  const parts: Part[] = [a.bytes(0), a.bytes(1), deadline];
  for (let i = 3; i < a.argc; i++) parts.push(a.bytes(i));
  c.engine.propagation.rewrite(...parts, "ABSTTL");
}

export const commands: Command[] = [dump, restore];
