/**
 * Keys as such, whatever their values are: deleting, renaming, moving, copying, and looking at them from outside.
 *
 * A value changes its key without being copied (`db.moveTo`): its bytes or its collection stay where they are. COPY is the only
 * command here that duplicates, by `copy` of the collection.
 */

import { type Command, command } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { lower } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import { DB_INDEX, errorReply, NO_SUCH_KEY, NOT_INT32, NOT_INTEGER, SAME_OBJECT, SYNTAX } from "../resp/errors.ts";
import type { Database } from "../store/database.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { type CopyableCollection, Hint, Kind, Type, TYPE_NAMES } from "../store/record.ts";

const STAR = 42;
const DB = lower("db");
const REPLACE = lower("replace");
const RENAME_FROM = keyEvent(EventClass.GENERIC, "rename_from");
const RENAME_TO = keyEvent(EventClass.GENERIC, "rename_to");
const MOVE_FROM = keyEvent(EventClass.GENERIC, "move_from");
const MOVE_TO = keyEvent(EventClass.GENERIC, "move_to");
const COPY_TO = keyEvent(EventClass.GENERIC, "copy_to");
const MOVE_IN_CLUSTER = errorReply("ERR MOVE is not allowed in cluster mode");
const COPY_IN_CLUSTER = errorReply("ERR Copying to another database is not allowed in cluster mode");

const del = command({
  name: "del",
  arity: -2,
  flags: "write",
  keys: "1:-1 RM delete",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity:
    "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
  summary: "Delete a key",
  syntax: "key [key ...]",
  tips: "request_policy:multi_shard response_policy:agg_sum",
  run: deleteKeys,
});

const unlink = command({
  name: "unlink",
  arity: -2,
  flags: "write fast",
  keys: "1:-1 RM delete",
  acl: "keyspace",
  since: "4.0.0",
  group: "generic",
  complexity:
    "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
  summary: "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
  syntax: "key [key ...]",
  tips: "request_policy:multi_shard response_policy:agg_sum",
  run: deleteKeys,
});

/** Memory is given back in slices anyway, so DEL has nothing to do that UNLINK would leave for later. */
function deleteKeys(c: Client): void {
  let deleted = 0;
  for (let i = 1; i < c.args.argc; i++) if (c.deleteKey(i)) deleted++;
  c.reply.int(deleted);
}

const exists = command({
  name: "exists",
  arity: -2,
  flags: "readonly fast",
  keys: "1:-1 RO",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(N) where N is the number of keys to check.",
  summary: "Determine if a key exists",
  syntax: "key [key ...]",
  history: ["3.0.3 Accepts multiple `key` arguments."],
  tips: "request_policy:multi_shard response_policy:agg_sum",
  run(c) {
    const { args: a, db } = c;
    let found = 0;
    for (let i = 1; i < a.argc; i++) if (db.findRead(a, i) !== 0) found++;
    c.reply.int(found);
  },
});

const touch = command({
  name: "touch",
  arity: -2,
  flags: "readonly fast",
  keys: "1:-1 RO",
  acl: "keyspace",
  since: "3.2.1",
  group: "generic",
  complexity: "O(N) where N is the number of keys that will be touched.",
  summary: "Alters the last access time of a key(s). Returns the number of existing keys specified.",
  syntax: "key [key ...]",
  tips: "request_policy:multi_shard response_policy:agg_sum",
  run(c) {
    const { args: a, db } = c;
    let found = 0;
    for (let i = 1; i < a.argc; i++) if (db.lookupRead(a, i) !== 0) found++;
    c.reply.int(found);
  },
});

const type = command({
  name: "type",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Determine the type stored at key",
  syntax: "key",
  run(c) {
    const ref = c.db.findRead(c.args, 1);
    c.reply.simple(ref === 0 ? "none" : TYPE_NAMES[c.db.type(ref)]);
  },
});

const keys = command({
  name: "keys",
  arity: 2,
  flags: "readonly",
  acl: "keyspace dangerous",
  since: "1.0.0",
  group: "generic",
  complexity:
    "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
  summary: "Find all keys matching the given pattern",
  syntax: "pattern",
  tips: "request_policy:all_shards nondeterministic_output_order",
  run: listKeys,
});

/** Keys that have expired are left out, but not deleted. */
function listKeys(c: Client): void {
  const { args: a, db, reply } = c;
  const { dict } = db;
  const pattern = a.off[1];
  const length = a.len[1];
  const all = length === 1 && a.buf[pattern] === STAR;
  const header = reply.defer();
  let found = 0;
  for (let bucket = 0; bucket < dict.buckets; bucket++) {
    for (let ref = dict.first(bucket); ref !== 0; ref = dict.next(ref)) {
      const buf = dict.keyBuffer(ref);
      const off = dict.keyOffset(ref);
      const len = dict.keyLength(ref);
      if (!all && !globMatch(a.buf, pattern, length, buf, off, len, false)) continue;
      if (db.isExpired(ref)) continue;
      if (reply.isFull) return;
      reply.bulk(buf, off, len);
      found++;
    }
  }
  reply.endArray(header, found);
}

const randomkey = command({
  name: "randomkey",
  arity: 1,
  flags: "readonly touches_arbitrary_keys",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Return a random key from the keyspace",
  tips: "request_policy:all_shards nondeterministic_output",
  run(c) {
    const { dict } = c.db;
    const ref = c.db.random();
    if (ref === 0) c.reply.null();
    else c.reply.bulk(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
  },
});

const rename = command({
  name: "rename",
  arity: 3,
  flags: "write",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  keys: ["1 RW access delete", "2 OW update"],
  complexity: "O(1)",
  summary: "Rename a key",
  syntax: "key newkey",
  run(c) {
    if (renameKey(c, false)) c.reply.ok();
  },
});

const renamenx = command({
  name: "renamenx",
  arity: 3,
  flags: "write fast",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  keys: ["1 RW access delete", "2 OW insert"],
  complexity: "O(1)",
  summary: "Rename a key, only if the new key does not exist",
  syntax: "key newkey",
  history: ["3.2.0 The command no longer returns an error when source and destination names are the same."],
  run(c) {
    if (renameKey(c, true)) c.reply.int(1);
  },
});

/** True if the key has been renamed; otherwise the reply has been written. */
function renameKey(c: Client, onlyToNew: boolean): boolean {
  const { args: a, db } = c;
  const ref = db.lookupWrite(a, 1);
  if (ref === 0) return c.fail(NO_SUCH_KEY);
  if (a.equal(1, 2)) {
    if (onlyToNew) c.reply.int(0);
    else c.reply.ok();
    return false;
  }
  const old = db.lookupWrite(a, 2);
  if (old !== 0) {
    if (onlyToNew) {
      c.reply.int(0);
      return false;
    }
    db.remove(old);
  }
  db.moveTo(ref, db, a, 2);
  db.changed(a, 1, RENAME_FROM);
  db.changed(a, 2, RENAME_TO, 0);
  return true;
}

const move = command({
  name: "move",
  arity: 3,
  flags: "write fast",
  keys: "1 RW access update",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Move a key to another database",
  syntax: "key db:integer",
  run: moveKey,
});

function moveKey(c: Client): void {
  const { args: a, db } = c;
  if (c.engine.config.values.clusterEnabled) return c.reply.error(MOVE_IN_CLUSTER);
  const target = databaseArgument(c, 2);
  if (target === null) return;
  if (target === db) return c.reply.error(SAME_OBJECT);
  const ref = db.lookupWrite(a, 1);
  if (ref === 0 || target.lookupWrite(a, 1) !== 0) return c.reply.int(0);
  db.moveTo(ref, target, a, 1);
  db.changed(a, 1, MOVE_FROM);
  target.changed(a, 1, MOVE_TO, 0);
  c.reply.int(1);
}

/** The database that argument i names; null if it does not, which has been replied. */
function databaseArgument(c: Client, i: number): Database | null {
  const index = c.args.int(i);
  const { databases } = c.engine.keyspace;
  if (Number.isNaN(index)) c.reply.error(NOT_INTEGER);
  else if (index < -0x80000000 || index > 0x7fffffff) c.reply.error(NOT_INT32);
  else if (index < 0 || index >= databases.length) c.reply.error(DB_INDEX);
  else return databases[index];
  return null;
}

const copy = command({
  name: "copy",
  arity: -3,
  flags: "write denyoom",
  acl: "keyspace",
  since: "6.2.0",
  group: "generic",
  keys: ["1 RO access", "2 OW update"],
  complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
  summary: "Copy a key",
  syntax: "source destination [DB destination-db:integer] [REPLACE]",
  run: copyKey,
});

function copyKey(c: Client): void {
  const { args: a, db } = c;
  let target = db;
  let replace = false;
  for (let i = 3; i < a.argc; i++) {
    if (a.is(i, REPLACE)) replace = true;
    else if (a.is(i, DB) && i + 1 < a.argc) {
      const named = databaseArgument(c, ++i);
      if (named === null) return;
      target = named;
    } else return c.reply.error(SYNTAX);
  }
  if (c.engine.config.values.clusterEnabled && (db.index !== 0 || target.index !== 0)) {
    return c.reply.error(COPY_IN_CLUSTER);
  }
  if (target === db && a.equal(1, 2)) return c.reply.error(SAME_OBJECT);
  const ref = db.lookupRead(a, 1);
  if (ref === 0) return c.reply.int(0);
  const old = target.lookupWrite(a, 2);
  if (old !== 0) {
    if (!replace) return c.reply.int(0);
    target.remove(old);
  }
  const copied = copyValue(c, ref, target);
  const deadline = db.expireAtExact(ref);
  if (deadline !== -1n) target.setExpire(copied, deadline);
  target.changed(a, 2, COPY_TO);
  c.reply.int(1);
}

/** Gives argument 2's key in `target` a copy of the value of `ref`; returns its record. */
function copyValue(c: Client, ref: number, target: Database): number {
  const { args: a, db } = c;
  const type = db.type(ref);
  if (db.kind(ref) === Kind.OBJECT) {
    return target.addObject(a, 2, type, (db.object(ref) as CopyableCollection).copy());
  }
  const length = db.valueLength(ref);
  const copied = target.add(a, 2, type, length);
  target.writeValue(copied, db.valueBuffer(ref), db.valueOffset(ref), length);
  const hint = db.hint(ref);
  if (type === Type.STRING) target.setHint(copied, hint === Hint.AUTO ? Hint.UNSHARED : hint);
  return copied;
}

export const commands: Command[] = [del, unlink, exists, touch, type, keys, randomkey, rename, renamenx, move, copy];
