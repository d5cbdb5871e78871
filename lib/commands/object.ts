/**
 * OBJECT: what can be learnt of a value's representation. Nothing here counts as an access to the key.
 *
 * No value is shared between keys here, but Redis has the integers up to 9999 made in advance unless it must keep an access
 * clock for each key, and says so in REFCOUNT.
 */

import { type Command, command, container } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { replyHelp } from "../engine/help.ts";
import { errorReply } from "../resp/errors.ts";
import { encodingName } from "../store/encoding.ts";
import { Hint, Type } from "../store/record.ts";

/** What REFCOUNT says of a shared value. */
const SHARED = 0x7fffffff;
const MAX_SHARED_DIGITS = 4;
const MINUS = 45;
const SWITCHING =
  "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
const IS_LFU = errorReply(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${SWITCHING}`);
const NOT_LFU = errorReply(`ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${SWITCHING}`);

const HELP = [
  "ENCODING <key>",
  "    Return the kind of internal representation used in order to store the value",
  "    associated with a <key>.",
  "FREQ <key>",
  "    Return the access frequency index of the <key>. The returned integer is",
  "    proportional to the logarithm of the recent access frequency of the key.",
  "IDLETIME <key>",
  "    Return the idle time of the <key>, that is the approximated number of",
  "    seconds elapsed since the last access to the key.",
  "REFCOUNT <key>",
  "    Return the number of references of the value associated with the specified",
  "    <key>.",
];

const object = container({
  name: "object",
  arity: -2,
  since: "2.2.3",
  group: "generic",
  complexity: "Depends on subcommand.",
  summary: "A container for object introspection commands",
  subcommands: [
    command({
      name: "encoding",
      arity: 3,
      flags: "readonly quick",
      keys: "2 RO",
      acl: "keyspace",
      since: "2.2.3",
      group: "generic",
      complexity: "O(1)",
      summary: "Inspect the internal encoding of a Redis object",
      syntax: "key",
      tips: "nondeterministic_output",
      run(c) {
        const ref = findUntouched(c);
        if (ref !== 0) c.reply.text(encodingName(c.db, ref));
      },
    }),
    command({
      name: "freq",
      arity: 3,
      flags: "readonly",
      keys: "2 RO",
      acl: "keyspace",
      since: "4.0.0",
      group: "generic",
      complexity: "O(1)",
      summary: "Get the logarithmic access frequency counter of a Redis object",
      syntax: "key",
      tips: "nondeterministic_output",
      run(c) {
        const ref = findUntouched(c);
        if (ref === 0) return;
        if (c.engine.keyspace.lfu) c.reply.int(c.db.frequency(ref));
        else c.reply.error(NOT_LFU);
      },
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      acl: "keyspace",
      since: "6.2.0",
      group: "generic",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run(c) {
        replyHelp(c, HELP);
      },
    }),
    command({
      name: "idletime",
      arity: 3,
      flags: "readonly",
      keys: "2 RO",
      acl: "keyspace",
      since: "2.2.3",
      group: "generic",
      complexity: "O(1)",
      summary: "Get the time since a Redis object was last accessed",
      syntax: "key",
      tips: "nondeterministic_output",
      run(c) {
        const ref = findUntouched(c);
        if (ref === 0) return;
        if (c.engine.keyspace.lfu) c.reply.error(IS_LFU);
        else c.reply.int(c.db.idleSeconds(ref));
      },
    }),
    command({
      name: "refcount",
      arity: 3,
      flags: "readonly",
      keys: "2 RO",
      acl: "keyspace",
      since: "2.2.3",
      group: "generic",
      complexity: "O(1)",
      summary: "Get the number of references to the value of the key",
      syntax: "key",
      tips: "nondeterministic_output",
      run(c) {
        const ref = findUntouched(c);
        if (ref !== 0) c.reply.int(isShared(c, ref) ? SHARED : 1);
      },
    }),
  ],
});

/** The record of the key in argument 2; 0 if there is none, which has been replied. */
function findUntouched(c: Client): number {
  const { keyspace } = c.engine;
  const ref = c.db.find(c.args, 2);
  if (ref !== 0) keyspace.hits++;
  else {
    keyspace.misses++;
    c.reply.null();
  }
  return ref;
}

function isShared(c: Client, ref: number): boolean {
  const { db } = c;
  if (db.type(ref) !== Type.STRING || db.valueLength(ref) > MAX_SHARED_DIGITS) return false;
  if (db.hint(ref) === Hint.UNSHARED) return false;
  if (db.valueBuffer(ref)[db.valueOffset(ref)] === MINUS) return false;
  const { maxmemory, maxmemoryPolicy } = c.engine.config.values;
  if (maxmemory !== 0 && /lru|lfu/.test(maxmemoryPolicy)) return false;
  return encodingName(db, ref) === "int";
}

export const commands: Command[] = [object];
