/** Scripts and functions, on a server that has none: their caches are empty, and what would run one is refused. */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { errorReply } from "../resp/errors.ts";

const NO_SCRIPTS = errorReply("ERR this server runs no Lua scripts");
const NO_FUNCTIONS = errorReply("ERR this server runs no functions");
const NOSCRIPT = errorReply("NOSCRIPT No matching script. Please use EVAL.");
const NOTBUSY = errorReply("NOTBUSY No scripts in execution right now.");
const FUNCTION_NOT_FOUND = errorReply("ERR Function not found");
const LIBRARY_NOT_FOUND = errorReply("ERR Library not found");
const FLUSH_OPTION = errorReply("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
const FUNCTION_FLUSH_OPTION = errorReply("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
const ASYNC = lower("async"), SYNC = lower("sync");
const WITHCODE = lower("withcode"), LIBRARYNAME = lower("libraryname");
const LIBRARY_NAME_MISSING = errorReply("ERR library name argument was not given");

const SCRIPT_HELP = [
  "DEBUG (YES|SYNC|NO)",
  "    Set the debug mode for subsequent scripts executed.",
  "EXISTS <sha1> [<sha1> ...]",
  "    Return information about the existence of the scripts in the script cache.",
  "FLUSH [ASYNC|SYNC]",
  "    Flush the Lua scripts cache. Very dangerous on replicas.",
  "    When called without the optional mode argument, the behavior is determined by the",
  "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
  "    * ASYNC: Asynchronously flush the scripts cache.",
  "    * SYNC: Synchronously flush the scripts cache.",
  "KILL",
  "    Kill the currently executing Lua script.",
  "LOAD <script>",
  "    Load a script into the scripts cache without executing it.",
];

const FUNCTION_HELP = [
  "LOAD [REPLACE] <FUNCTION CODE>",
  "    Create a new library with the given library name and code.",
  "DELETE <LIBRARY NAME>",
  "    Delete the given library.",
  "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
  "    Return general information on all the libraries:",
  "    * Library name",
  "    * The engine used to run the Library",
  "    * Library description",
  "    * Functions list",
  "    * Library code (if WITHCODE is given)",
  "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
  "STATS",
  "    Return information about the current function running:",
  "    * Function name",
  "    * Command used to run the function",
  "    * Duration in MS that the function is running",
  "    If no function is running, return nil",
  "    In addition, returns a list of available engines.",
  "KILL",
  "    Kill the current running function.",
  "FLUSH [ASYNC|SYNC]",
  "    Delete all the libraries.",
  "    When called without the optional mode argument, the behavior is determined by the",
  "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
  "    * ASYNC: Asynchronously flush the libraries.",
  "    * SYNC: Synchronously flush the libraries.",
  "DUMP",
  "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
  "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
  "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
  "    control how to handle existing libraries (default APPEND):",
  "    * FLUSH: delete all existing libraries.",
  "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
  "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
  "      libraries with the new libraries (notice that even on this option there is a chance of failure",
  "      in case of functions name collision with another library).",
];

function flush(c: Client, badOption: typeof FLUSH_OPTION): void {
  const { args, reply } = c;
  if (args.argc === 2 || (args.argc === 3 && (args.is(2, SYNC) || args.is(2, ASYNC)))) return reply.ok();
  reply.error(badOption);
}

function exists(c: Client): void {
  c.reply.array(c.args.argc - 2);
  for (let i = 2; i < c.args.argc; i++) c.reply.int(0);
}

function listFunctions(c: Client): void {
  const { args, reply } = c;
  let withCode = false, name = false;
  for (let i = 2; i < args.argc; i++) {
    if (!withCode && args.is(i, WITHCODE)) withCode = true;
    else if (!name && args.is(i, LIBRARYNAME)) {
      if (++i >= args.argc) return reply.error(LIBRARY_NAME_MISSING);
      name = true;
    } else return reply.error(errorReply(`ERR Unknown argument ${args.text(i)}`));
  }
  reply.array(0);
}

function replyStats(c: Client): void {
  const { reply } = c;
  reply.map(2);
  reply.text("running_script");
  reply.null();
  reply.text("engines");
  reply.map(1);
  reply.text("LUA");
  reply.map(2);
  reply.text("libraries_count");
  reply.int(0);
  reply.text("functions_count");
  reply.int(0);
}

const evalCommand = command({
  name: "eval",
  arity: -3,
  flags: "noscript skip_monitor may_replicate no_mandatory_keys stale carries",
  acl: "scripting",
  since: "2.6.0",
  group: "scripting",
  keys: "#2 RW access update; We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
  complexity: "Depends on the script that is executed.",
  summary: "Execute a Lua script server side",
  syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
  run: (c) => c.reply.error(NO_SCRIPTS),
});

const evalRo = command({
  name: "eval_ro",
  arity: -3,
  flags: "noscript skip_monitor no_mandatory_keys stale readonly carries",
  acl: "scripting",
  since: "7.0.0",
  group: "scripting",
  keys: "#2 RO access; We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
  complexity: "Depends on the script that is executed.",
  summary: "Execute a read-only Lua script server side",
  syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
  run: (c) => c.reply.error(NO_SCRIPTS),
});

const evalsha = command({
  name: "evalsha",
  arity: -3,
  flags: "noscript skip_monitor may_replicate no_mandatory_keys stale carries",
  keys: "#2 RW access update",
  acl: "scripting",
  since: "2.6.0",
  group: "scripting",
  complexity: "Depends on the script that is executed.",
  summary: "Execute a Lua script server side",
  syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
  run: (c) => c.reply.error(NOSCRIPT),
});

const evalshaRo = command({
  name: "evalsha_ro",
  arity: -3,
  flags: "noscript skip_monitor no_mandatory_keys stale readonly carries",
  keys: "#2 RO access",
  acl: "scripting",
  since: "7.0.0",
  group: "scripting",
  complexity: "Depends on the script that is executed.",
  summary: "Execute a read-only Lua script server side",
  syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
  run: (c) => c.reply.error(NOSCRIPT),
});

const fcall = command({
  name: "fcall",
  arity: -3,
  flags: "noscript skip_monitor may_replicate no_mandatory_keys stale carries",
  acl: "scripting",
  since: "7.0.0",
  group: "scripting",
  keys: "#2 RW access update; We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
  complexity: "Depends on the function that is executed.",
  summary: "Invoke a function",
  syntax: "function numkeys [key [key ...]] [arg [arg ...]]",
  run: (c) => c.reply.error(FUNCTION_NOT_FOUND),
});

const fcallRo = command({
  name: "fcall_ro",
  arity: -3,
  flags: "noscript skip_monitor no_mandatory_keys stale readonly carries",
  acl: "scripting",
  since: "7.0.0",
  group: "scripting",
  keys: "#2 RO access; We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
  complexity: "Depends on the function that is executed.",
  summary: "Invoke a read-only function",
  syntax: "function numkeys [key [key ...]] [arg [arg ...]]",
  run: (c) => c.reply.error(FUNCTION_NOT_FOUND),
});

const functionCommand = container({
  name: "function",
  arity: -2,
  since: "7.0.0",
  group: "scripting",
  complexity: "Depends on subcommand.",
  summary: "A container for function commands",
  subcommands: [
    command({
      name: "delete",
      arity: 3,
      flags: "noscript write",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Delete a function by name",
      syntax: "library-name",
      tips: "request_policy:all_shards response_policy:all_succeeded",
      run: (c) => c.reply.error(LIBRARY_NOT_FOUND),
    }),
    command({
      name: "dump",
      arity: 2,
      flags: "noscript",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(N) where N is the number of functions",
      summary: "Dump all functions into a serialized binary payload",
      run: (c) => c.reply.error(NO_FUNCTIONS),
    }),
    command({
      name: "flush",
      arity: -2,
      flags: "noscript write",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(N) where N is the number of functions deleted",
      summary: "Deleting all functions",
      syntax: "async=[ASYNC | SYNC]",
      tips: "request_policy:all_shards response_policy:all_succeeded",
      run: (c) => flush(c, FUNCTION_FLUSH_OPTION),
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, FUNCTION_HELP),
    }),
    command({
      name: "kill",
      arity: 2,
      flags: "noscript allow_busy",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Kill the function currently in execution.",
      tips: "request_policy:all_shards response_policy:one_succeeded",
      run: (c) => c.reply.error(NOTBUSY),
    }),
    command({
      name: "list",
      arity: -2,
      flags: "noscript",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(N) where N is the number of functions",
      summary: "List information about all the functions",
      syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
      tips: "nondeterministic_output_order",
      run: listFunctions,
    }),
    command({
      name: "load",
      arity: -3,
      flags: "noscript write denyoom",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(1) (considering compilation time is redundant)",
      summary: "Create a function with the given arguments (name, code, description)",
      syntax: "[REPLACE] function-code",
      tips: "request_policy:all_shards response_policy:all_succeeded",
      run: (c) => c.reply.error(NO_FUNCTIONS),
    }),
    command({
      name: "restore",
      arity: -3,
      flags: "noscript write denyoom",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(N) where N is the number of functions on the payload",
      summary: "Restore all the functions on the given payload",
      syntax: "serialized-value policy=[FLUSH | APPEND | REPLACE]",
      tips: "request_policy:all_shards response_policy:all_succeeded",
      run: (c) => c.reply.error(NO_FUNCTIONS),
    }),
    command({
      name: "stats",
      arity: 2,
      flags: "noscript allow_busy",
      acl: "scripting",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Return information about the function currently running (name, description, duration)",
      tips: "nondeterministic_output request_policy:all_shards response_policy:special",
      run: replyStats,
    }),
  ],
});

const script = container({
  name: "script",
  arity: -2,
  since: "2.6.0",
  group: "scripting",
  complexity: "Depends on subcommand.",
  summary: "A container for Lua scripts management commands",
  subcommands: [
    command({
      name: "debug",
      arity: 3,
      flags: "noscript",
      acl: "scripting",
      since: "3.2.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Set the debug mode for executed scripts.",
      syntax: "mode=<YES | SYNC | NO>",
      run: (c) => c.reply.error(NO_SCRIPTS),
    }),
    command({
      name: "exists",
      arity: -3,
      flags: "noscript",
      acl: "scripting",
      since: "2.6.0",
      group: "scripting",
      complexity:
        "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
      summary: "Check existence of scripts in the script cache.",
      syntax: "sha1 [sha1 ...]",
      tips: "request_policy:all_shards response_policy:agg_logical_and",
      run: exists,
    }),
    command({
      name: "flush",
      arity: -2,
      flags: "noscript",
      acl: "scripting",
      since: "2.6.0",
      group: "scripting",
      complexity: "O(N) with N being the number of scripts in cache",
      summary: "Remove all the scripts from the script cache.",
      syntax: "async=[ASYNC | SYNC]@6.2.0",
      history: ["6.2.0 Added the `ASYNC` and `SYNC` flushing mode modifiers."],
      tips: "request_policy:all_nodes response_policy:all_succeeded",
      run: (c) => flush(c, FLUSH_OPTION),
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      acl: "scripting",
      since: "5.0.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, SCRIPT_HELP),
    }),
    command({
      name: "kill",
      arity: 2,
      flags: "noscript allow_busy",
      acl: "scripting",
      since: "2.6.0",
      group: "scripting",
      complexity: "O(1)",
      summary: "Kill the script currently in execution.",
      tips: "request_policy:all_shards response_policy:one_succeeded",
      run: (c) => c.reply.error(NOTBUSY),
    }),
    command({
      name: "load",
      arity: 3,
      flags: "noscript stale",
      acl: "scripting",
      since: "2.6.0",
      group: "scripting",
      complexity: "O(N) with N being the length in bytes of the script body.",
      summary: "Load the specified Lua script into the script cache.",
      syntax: "script",
      tips: "request_policy:all_nodes response_policy:all_succeeded",
      run: (c) => c.reply.error(NO_SCRIPTS),
    }),
  ],
});

export const commands: Command[] = [evalCommand, evalRo, evalsha, evalshaRo, fcall, fcallRo, functionCommand, script];
