/**
 * MIGRATE: keys go to another server by RESTORE, and are deleted here as far as they have arrived.
 *
 * Redis stands still meanwhile. Here only the client that asked waits, and with it everybody who wants to write: a key that
 * changed between its leaving and its deletion would lose the change. Reading goes on.
 *
 * As nobody can wait inside a transaction or a script, MIGRATE is refused there, which Redis does not do.
 */

import { Args } from "../bytes/args.ts";
import { lower } from "../bytes/ascii.ts";
import type { Blocked } from "../engine/blocking.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { migrateKeys } from "../engine/keys.ts";
import type { LinkUser, MigrationLink } from "../engine/migration_links.ts";
import { writePayload } from "../persist/payload.ts";
import { type ErrorReply, errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { frameOf } from "../resp/frame.ts";
import type { TimerHandle } from "../platform/platform.ts";
import { DEL } from "../store/events.ts";

const COPY = lower("copy");
const REPLACE = lower("replace");
const AUTH = lower("auth");
const AUTH2 = lower("auth2");
const KEYS = lower("keys");
const KEY_AND_KEYS = errorReply(
  "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
);
const NOT_HERE = errorReply("ERR MIGRATE is not allowed in transactions and scripts");
const NOT_CONNECTED = errorReply("IOERR error or timeout connecting to the client");
const NOT_READ = errorReply("IOERR error or timeout reading to target instance");
const NOT_WRITTEN = errorReply("IOERR error or timeout writing to target instance");
const DEFAULT_TIMEOUT = 1000;

const migrate = command({
  name: "migrate",
  arity: -6,
  flags: "write",
  keys: ["3 RW access delete", "KEYS(-2):-1 RW access delete incomplete"],
  getKeys: migrateKeys,
  acl: "keyspace dangerous",
  since: "2.6.0",
  group: "generic",
  complexity:
    "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
  summary: "Atomically transfer a key from a Redis instance to another one.",
  syntax:
    "host port key_or_empty_string=<key | empty_string=''> destination-db:integer timeout:integer [COPY@3.0.0] [REPLACE@3.0.0] authentication=[[AUTH password@4.0.7] | [AUTH2 (username password)@6.0.0]] [KEYS key@3.0.6 [key ...]]",
  history: [
    "3.0.0 Added the `COPY` and `REPLACE` options.",
    "3.0.6 Added the `KEYS` option.",
    "4.0.7 Added the `AUTH` option.",
    "6.0.0 Added the `AUTH2` option.",
  ],
  tips: "nondeterministic_output",
  run: migrateSome,
});

interface Options {
  copy: boolean;
  replace: boolean;
  /** Arguments of AUTH: from `credentials`, 0 for none, so many. */
  credentials: number;
  credentialCount: number;
  /** Arguments that are keys. */
  firstKey: number;
  keyCount: number;
  timeout: number;
  database: number;
}

function migrateSome(c: Client): void {
  const { args: a, db, engine } = c;
  const options: Options = {
    copy: false,
    replace: false,
    credentials: 0,
    credentialCount: 0,
    firstKey: 3,
    keyCount: 1,
    timeout: 0,
    database: 0,
  };
  if (!parseOptions(c, options)) return;
  options.timeout = a.int(5);
  options.database = a.int(4);
  if (Number.isNaN(options.timeout) || Number.isNaN(options.database)) return c.reply.error(NOT_INTEGER);
  if (options.timeout <= 0) options.timeout = DEFAULT_TIMEOUT;
  const keys: number[] = [];
  for (let i = options.firstKey; i < options.firstKey + options.keyCount; i++) {
    if (db.lookupRead(a, i) !== 0) keys.push(i);
  }
  if (keys.length === 0) return c.reply.simple("NOKEY");
  if (c.mayNotBlock) return c.reply.error(NOT_HERE);
  new Migration(c, engine.blocking.hold(c), options, keys).begin();
}

function parseOptions(c: Client, options: Options): boolean {
  const { args: a } = c;
  for (let i = 6; i < a.argc; i++) {
    const following = a.argc - 1 - i;
    if (a.is(i, COPY)) options.copy = true;
    else if (a.is(i, REPLACE)) options.replace = true;
    else if (a.is(i, AUTH) || a.is(i, AUTH2)) {
      const count = a.is(i, AUTH) ? 1 : 2;
      if (following < count) return c.fail(SYNTAX);
      options.credentials = i + 1;
      options.credentialCount = count;
      for (let k = 0; k < count; k++) c.engine.observation.redact(c, ++i);
    } else if (a.is(i, KEYS)) {
      if (a.len[3] > 0) return c.fail(KEY_AND_KEYS);
      options.firstKey = i + 1;
      options.keyCount = following;
      return true;
    } else return c.fail(SYNTAX);
  }
  return true;
}

/** What a reply is expected for: a key's argument, or what comes before the keys. */
const PREPARATION = -1;

/** One MIGRATE under way. */
class Migration implements LinkUser {
  readonly #host: string;
  readonly #port: number;
  #link: MigrationLink | null = null;
  /** The link was there already, so that the other server may have closed it: then a second attempt makes sense. */
  #reused = false;
  #timer: TimerHandle = null;
  #expected: number[] = [];
  #replies = 0;
  /** AUTH or SELECT has failed. */
  #unprepared = false;
  #error: ErrorReply | null = null;
  /** Arguments that have arrived. */
  #arrived: number[] = [];

  constructor(
    readonly client: Client,
    readonly blocked: Blocked,
    readonly options: Options,
    readonly keys: readonly number[],
  ) {
    this.#host = blocked.args.text(1);
    this.#port = Number.parseInt(blocked.args.text(2), 10) || 0;
  }

  get #engine() {
    return this.client.engine;
  }

  begin(): void {
    const { migrationLinks } = this.#engine;
    this.#engine.holdWrites();
    const link = migrationLinks.find(this.#host, this.#port);
    if (link === null) return this.#connect();
    this.#reused = true;
    this.#use(link);
  }

  #connect(): void {
    this.#reused = false;
    this.#engine.migrationLinks.open(this.#host, this.#port, this.options.timeout).then(
      (link) => this.#use(link),
      () => this.#finish(NOT_CONNECTED),
    );
  }

  #use(link: MigrationLink): void {
    const pieces = this.#commands(link.database !== this.options.database);
    if (this.#expected.length === 0) return this.#finish(null);
    this.#link = link;
    link.user = this;
    this.#watch();
    link.send(pieces);
  }

  /** Everything to be sent, and in `#expected` what will be answered. */
  #commands(select: boolean): Uint8Array[] {
    const { args, db } = this.blocked;
    const { credentials, credentialCount, database, replace } = this.options;
    const pieces: Uint8Array[] = [];
    this.#expected = [];
    const now = this.#engine.platform.clock.now();
    for (const i of this.keys) {
      const ref = db.findRead(args, i);
      if (ref === 0) continue;
      const deadline = db.expireAt(ref);
      const ttl = deadline < 0 ? 0 : Math.max(1, deadline - now);
      const payload = writePayload(db, ref, this.#engine.config.values.rdbcompression);
      const parts = ["RESTORE", args.bytes(i), ttl, payload.buf.subarray(0, payload.at)];
      pieces.push(frameOf(replace ? Args.of(...parts, "REPLACE") : Args.of(...parts)));
      this.#expected.push(i);
    }
    if (pieces.length === 0) return pieces;
    if (select) {
      pieces.unshift(frameOf(Args.of("SELECT", database)));
      this.#expected.unshift(PREPARATION);
    }
    if (credentials > 0) {
      const words = Array.from({ length: credentialCount }, (_, k) => args.bytes(credentials + k));
      pieces.unshift(frameOf(Args.of("AUTH", ...words)));
      this.#expected.unshift(PREPARATION);
    }
    return pieces;
  }

  /** The time that is allowed for the next sign of life begins now. */
  #watch(): void {
    const { clock } = this.#engine.platform;
    if (this.#timer !== null) clock.cancel(this.#timer);
    this.#timer = clock.after(this.options.timeout, () => {
      this.#reused = false;
      this.#link?.close();
    });
  }

  progress(): void {
    this.#watch();
  }

  line(text: string): void {
    this.#watch();
    const key = this.#expected[this.#replies++];
    if (text.startsWith("-")) {
      this.#error ??= errorReply(`ERR Target instance replied with error: ${text.slice(1)}`);
      if (key === PREPARATION) this.#unprepared = true;
    } else if (key !== PREPARATION && !this.#unprepared) this.#arrived.push(key);
    if (this.#replies < this.#expected.length) return;
    const link = this.#link!;
    link.user = null;
    link.database = this.#error === null ? this.options.database : -1;
    this.#finish(this.#error);
  }

  lost(): void {
    const unsent = this.#link?.isSent === false;
    this.#link = null;
    if (this.#reused && this.#replies === 0) return this.#connect();
    this.#finish(this.#error ?? (unsent ? NOT_WRITTEN : NOT_READ));
  }

  #finish(error: ErrorReply | null): void {
    const engine = this.#engine;
    const { client, blocked } = this;
    if (this.#timer !== null) engine.platform.clock.cancel(this.#timer);
    engine.refreshTime();
    // The client may be gone, or its wait be over because the server has become a replica.
    if (client.blocked !== blocked) engine.serveAs(client, () => this.#deleteArrived());
    else {
      engine.blocking.release(client, (c) => {
        this.#deleteArrived();
        if (error === null) c.reply.ok();
        else c.reply.error(error);
      });
    }
    engine.releaseWrites();
    if (engine.blocking.anyReady) engine.blocking.serve();
  }

  /** For the AOF and for replicas this is a DEL. */
  #deleteArrived(): void {
    if (this.options.copy) return;
    const { args, db } = this.blocked;
    const { propagation } = this.#engine;
    const deleted: Uint8Array[] = [];
    for (const i of this.#arrived) {
      if (!db.delete(args, i)) continue;
      db.changed(args, i, DEL);
      deleted.push(args.bytes(i));
    }
    if (deleted.length === 0) return;
    propagation.also(db.index, "DEL", ...deleted);
    propagation.flush();
    this.client.writeOffset = propagation.offset;
  }
}

export const commands: Command[] = [migrate];
