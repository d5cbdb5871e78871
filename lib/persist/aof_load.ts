/**
 * Loading the AOF at the start: the files of the manifest in order, each an RDB snapshot, commands, or one followed by the other.
 *
 * A file that ends in the middle of a command (or of a transaction) was cut off by a crash: with `aof-load-truncated` the last
 * file is cut back to its last whole command. A single file of older versions, named by `appendfilename`, is moved
 * into the directory and becomes the base.
 *
 * Texts: aof.c of Redis 7.0.
 */

import { latin1, parseInt64 } from "../bytes/ascii.ts";
import { hostPath } from "../bytes/path.ts";
import { Client, NoLink } from "../engine/client.ts";
import { Deny, Flag } from "../engine/command.ts";
import type { Engine } from "../engine/engine.ts";
import { endRun } from "../engine/execute.ts";
import type { File, PlatformError } from "../platform/platform.ts";
import { Args } from "../bytes/args.ts";
import { Manifest, ManifestError } from "./manifest.ts";
import type { Persistence } from "./persistence.ts";

const READ_SIZE = 1024 * 1024;
const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;

/** Loads everything. Rejects with an Error whose message is the last thing to be logged. */
export async function loadAof(engine: Engine, persistence: Persistence): Promise<void> {
  const { aof } = persistence;
  const { files } = engine.platform;
  aof.manifest = readManifest(engine, persistence);
  const old = persistence.path(engine.config.values.appendfilename);
  if (files.stat(old)?.isFile === true && needsUpgrade(engine, persistence)) upgrade(engine, persistence, old);
  const { manifest } = aof;
  const parts = [...manifest.base === null ? [] : [manifest.base], ...manifest.increments];
  if (parts.length === 0) return;
  let total = 0;
  for (const { name } of parts) {
    const info = files.stat(aof.path(name));
    if (info === null) {
      throw new Error(
        `Unable to obtain the AOF file ${name} length. stat: No such file or directory`,
      );
    }
    total += info.size;
  }
  if (total === 0) return;
  const start = engine.platform.clock.monotonic();
  persistence.beginLoading(total);
  try {
    let before = 0;
    for (const [i, { name }] of parts.entries()) {
      const began = engine.platform.clock.monotonic();
      const isBase = manifest.base !== null && i === 0;
      const size = aof.fileSize(name);
      if (size > 0) {
        const truncated = await new AofReader(engine, persistence, name, before).load();
        if (truncated && i < parts.length - 1) throw new Error("Fatal error: the truncated file is not the last file");
      }
      before += size;
      const seconds = (engine.platform.clock.monotonic() - began) / 1000;
      engine.log.notice(`DB loaded from ${isBase ? "base" : "incr"} file ${name}: ${seconds.toFixed(3)} seconds`);
    }
  } finally {
    persistence.endLoading();
  }
  aof.currentSize = parts.reduce((sum, { name }) => sum + aof.fileSize(name), 0);
  aof.baseSize = manifest.base === null ? 0 : aof.fileSize(manifest.base.name);
  const seconds = (engine.platform.clock.monotonic() - start) / 1000;
  engine.log.notice(`DB loaded from append only file: ${seconds.toFixed(3)} seconds`);
}

/** The manifest on disk, an empty one without a file. Throws an Error whose message is the last thing to be logged. */
export function readManifest(engine: Engine, persistence: Persistence): Manifest {
  const { files } = engine.platform;
  const path = persistence.aof.manifestPath;
  if (!files.stat(persistence.aof.path())?.isDirectory || files.stat(path) === null) return new Manifest();
  try {
    const bytes = files.read(path);
    return Manifest.parse(latin1(bytes, 0, bytes.length));
  } catch (error) {
    if (!(error instanceof ManifestError)) {
      throw new Error(
        `Fatal error: can't open the AOF manifest file ${path} for reading: ${(error as PlatformError).message}`,
      );
    }
    engine.log.warning("\n*** FATAL AOF MANIFEST FILE ERROR ***\n");
    if (error.line !== "") {
      engine.log.warning(`Reading the manifest file, at line ${error.lineNumber}\n`);
      engine.log.warning(`>>> '${error.line}'\n`);
    }
    throw new Error(`${error.message}\n`);
  }
}

function needsUpgrade(engine: Engine, { aof }: Persistence): boolean {
  const { manifest } = aof;
  const { appendfilename } = engine.config.values;
  if (engine.platform.files.stat(aof.path()) === null) return true;
  if (manifest.base === null && manifest.increments.length === 0) return true;
  // A move that a crash interrupted after the manifest was written.
  return manifest.base?.name === appendfilename && manifest.increments.length === 0 &&
    engine.platform.files.stat(aof.path(appendfilename)) === null;
}

function upgrade(engine: Engine, { aof }: Persistence, old: string): void {
  const { files } = engine.platform;
  const { appendfilename, appenddirname } = engine.config.values;
  aof.makeDirectory();
  const manifest = new Manifest();
  manifest.base = { name: appendfilename, seq: 1 };
  manifest.baseSeq = 1;
  aof.saveManifest(manifest);
  try {
    files.rename(old, aof.path(appendfilename));
  } catch (error) {
    throw new Error(
      `Error trying to move the old AOF file ${appendfilename} into dir ${appenddirname}: ${
        (error as PlatformError).message
      }`,
    );
  }
  files.syncDirectory(aof.path());
  engine.log.notice(
    `Successfully migrated an old-style AOF file (${appendfilename}) into the AOF directory (${appenddirname}).`,
  );
}

/** The file ended in the middle of something. */
class UnexpectedEnd extends Error {}
/** The bytes at `at` are no command. */
class BadFormat extends Error {}

/** One file. */
class AofReader {
  readonly #file: File;
  readonly #path: string;
  readonly #client: Client;
  readonly #args = new Args();
  #buf = new Uint8Array(READ_SIZE);
  /** `#buf[#at, #end)` is read and not consumed; `#base` is the file's offset of `#buf[0]`. */
  #at = 0;
  #end = 0;
  #base = 0;

  constructor(
    readonly engine: Engine,
    readonly persistence: Persistence,
    readonly name: string,
    readonly before: number,
  ) {
    this.#path = persistence.aof.path(name);
    try {
      this.#file = engine.platform.files.open(this.#path, "r");
    } catch (error) {
      throw new Error(
        `Fatal error: can't open the append log file ${hostPath(name)} for reading: ${
          (error as PlatformError).message
        }`,
      );
    }
    const client = new Client(engine, new NoLink("aof", ""));
    client.isTrusted = true;
    client.authenticated = true;
    client.args = this.#args;
    this.#client = client;
  }

  /** True if the file was cut short and has been repaired. */
  async load(): Promise<boolean> {
    const { log } = this.engine;
    /** Offset behind the last command that may stay. */
    let valid = 0;
    try {
      if (this.#fill(5) && latin1(this.#buf, 0, 5) === "REDIS") {
        const single = this.name === this.engine.config.values.appendfilename;
        log.notice(single ? "Reading RDB preamble from AOF file..." : "Reading RDB base file on AOF loading...");
        const { end } = await this.persistence.loadOpenFile(this.#file, { keepExpired: true });
        this.#at = 0;
        this.#end = 0;
        this.#base = end;
        if (single) log.notice("Reading the remaining AOF tail...");
      }
      valid = this.#base + this.#at;
      const progress = this.persistence.progress(this.before);
      while (this.#fill(1)) {
        const waiting = progress(this.#base + this.#at);
        if (waiting !== null) await waiting;
        if (this.#buf[this.#at] === 35) {
          this.#line();
          continue;
        }
        this.#readCommand();
        this.#run();
        if (this.#client.transaction === null) valid = this.#base + this.#at;
      }
      if (this.#client.transaction !== null) {
        log.warning(`Revert incomplete MULTI/EXEC transaction in AOF file ${this.name}`);
        throw new UnexpectedEnd();
      }
      return false;
    } catch (error) {
      if (error instanceof UnexpectedEnd) return this.#truncate(valid);
      if (!(error instanceof BadFormat)) throw error;
      throw new Error(
        `Bad file format reading the append only file ${this.name}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest> (offset ${
          this.#base + this.#at
        })`,
      );
    } finally {
      this.#file.close();
      endRun(this.#client);
      this.engine.reply.clear();
    }
  }

  #truncate(valid: number): boolean {
    const { engine, name } = this;
    const { log } = engine;
    if (engine.config.values.aofLoadTruncated) {
      log.warning(`!!! Warning: short read while loading the AOF file ${name}!!!`);
      log.warning(`!!! Truncating the AOF ${name} at offset ${valid} !!!`);
      try {
        const file = engine.platform.files.open(this.#path, "r+");
        try {
          file.truncate(valid);
          file.sync();
        } finally {
          file.close();
        }
        log.warning(`AOF ${name} loaded anyway because aof-load-truncated is enabled`);
        return true;
      } catch (error) {
        log.warning(`Error truncating the AOF file ${name}: ${(error as PlatformError).message}`);
      }
    }
    throw new Error(
      `Unexpected end of file reading the append only file ${name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.`,
    );
  }

  /** Gets at least `count` bytes at `#at`; false at the end of the file. */
  #fill(count: number): boolean {
    if (this.#end - this.#at >= count) return true;
    // Arguments of the command being read are places in the buffer, so it moves as a whole from the command's start.
    const keep = this.#args.argc > 0 ? this.#args.begin : this.#at;
    const left = this.#end - keep;
    if (keep > 0) {
      this.#buf.copyWithin(0, keep, this.#end);
      for (let i = 0; i < this.#args.argc; i++) this.#args.off[i] -= keep;
      this.#args.begin = 0;
      this.#base += keep;
      this.#at -= keep;
    }
    while (this.#at + count > this.#buf.length) {
      // A declared length costs memory only as far as the file reaches.
      if (this.#base + this.#at + count > this.#file.size()) return false;
      const grown = new Uint8Array(this.#buf.length * 2);
      grown.set(this.#buf.subarray(0, left));
      this.#buf = grown;
      this.#args.buf = grown;
    }
    this.#end = left + this.#file.read(this.#buf, left, this.#buf.length, this.#base + left);
    return this.#end - this.#at >= count;
  }

  /** Offset and length of the line at `#at`, which is consumed. */
  #line(): { off: number; len: number } {
    for (let length = 0;; length++) {
      if (!this.#fill(length + 1)) throw new UnexpectedEnd();
      if (this.#buf[this.#at + length] !== LF) {
        if (length > 1024) throw new BadFormat();
        continue;
      }
      const off = this.#at;
      this.#at += length + 1;
      return { off, len: length > 0 && this.#buf[off + length - 1] === 13 ? length - 1 : length };
    }
  }

  /** The number in the line that `type` begins. */
  #number(type: number): number {
    if (!this.#fill(1)) throw new UnexpectedEnd();
    if (this.#buf[this.#at] !== type) throw new BadFormat();
    const buf = this.#buf, end = this.#end;
    let at = this.#at + 1;
    let value = 0;
    for (; at < end && buf[at] >= ZERO && buf[at] <= NINE; at++) value = value * 10 + buf[at] - ZERO;
    // A whole line in the buffer, as nearly always.
    if (at + 1 < end && buf[at] === CR && buf[at + 1] === LF && at > this.#at + 1 && value <= Number.MAX_SAFE_INTEGER) {
      this.#at = at + 2;
      return value;
    }
    const { off, len } = this.#line();
    value = parseInt64(this.#buf, off + 1, len - 1);
    if (!(value >= 0)) throw new BadFormat();
    return value;
  }

  #readCommand(): void {
    const args = this.#args;
    args.argc = 0;
    args.begin = this.#at;
    args.buf = this.#buf;
    const start = this.#at;
    const base = this.#base;
    const argc = this.#number(42);
    if (argc < 1) throw new BadFormat();
    for (let i = 0; i < argc; i++) {
      // Before the first argument nothing else remembers where the command begins.
      if (i === 0) args.begin = start - (this.#base - base);
      const length = this.#number(36);
      if (!this.#fill(length + 2)) throw new UnexpectedEnd();
      args.reserve(i + 1);
      args.off[i] = this.#at;
      args.len[i] = length;
      args.argc = i + 1;
      args.buf = this.#buf;
      this.#at += length + 2;
    }
    args.begin = -1;
  }

  #run(): void {
    const { engine } = this;
    const client = this.#client;
    const args = this.#args;
    const command = engine.table.lookup(args, 0);
    if (command === null) {
      throw new Error(`Unknown command '${args.text(0)}' reading the append only file ${this.name}`);
    }
    client.command = command;
    engine.beginServing(client);
    if (client.transaction !== null && (command.flags & Flag.UNQUEUED) === 0) client.transaction.add(command, args);
    else {
      // Not by `execute`: a file is obeyed whatever state the server is in, and does not count as commands served.
      engine.depth++;
      command.run(client);
      engine.depth--;
    }
    client.deny &= ~Deny.MULTI;
    engine.reply.clear();
    engine.serving = null;
    args.argc = 0;
  }
}
