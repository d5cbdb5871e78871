/**
 * The manifest of a multi-part AOF (Redis 7.0): which files in `appenddirname` make up the data set, in which order.
 *
 *   file appendonly.aof.2.base.rdb seq 2 type b      at most one: a snapshot
 *   file appendonly.aof.1.incr.aof seq 1 type h      replaced by that base, to be deleted
 *   file appendonly.aof.2.incr.aof seq 2 type i      the commands since, oldest first
 *
 * A manifest is changed as a copy, written under a temporary name, synced, and renamed: the files it names are complete whenever it
 * can be read.
 */

import { quoteIfNeeded, splitWords } from "../bytes/words.ts";

/** One file; `seq` counts bases and increments separately. */
export interface AofFile {
  readonly name: string;
  readonly seq: number;
}

export class Manifest {
  base: AofFile | null = null;
  increments: AofFile[] = [];
  history: AofFile[] = [];
  baseSeq = 0;
  incrementSeq = 0;

  copy(): Manifest {
    const copy = new Manifest();
    copy.base = this.base;
    copy.increments = [...this.increments];
    copy.history = [...this.history];
    copy.baseSeq = this.baseSeq;
    copy.incrementSeq = this.incrementSeq;
    return copy;
  }

  /** A new base takes the place of the old one, which becomes history. `name` is appendfilename. */
  addBase(name: string, isRdb: boolean): string {
    if (this.base !== null) this.history.unshift(this.base);
    this.baseSeq++;
    this.base = { name: `${name}.${this.baseSeq}.base.${isRdb ? "rdb" : "aof"}`, seq: this.baseSeq };
    return this.base.name;
  }

  addIncrement(name: string): string {
    this.incrementSeq++;
    const file = { name: `${name}.${this.incrementSeq}.incr.aof`, seq: this.incrementSeq };
    this.increments.push(file);
    return file.name;
  }

  /** The increments that a new base contains become history: all, or all but the newest, which goes on. */
  retireIncrements(keepNewest: boolean): void {
    const kept = keepNewest ? this.increments.splice(-1) : [];
    for (const file of this.increments) this.history.unshift(file);
    this.increments = kept;
  }

  toString(): string {
    const line = (file: AofFile, type: string) => `file ${quoteIfNeeded(file.name)} seq ${file.seq} type ${type}\n`;
    let text = this.base === null ? "" : line(this.base, "b");
    for (const file of this.history) text += line(file, "h");
    for (const file of this.increments) text += line(file, "i");
    return text;
  }

  /** Reads a manifest's text. Throws a ManifestError. */
  static parse(text: string): Manifest {
    const manifest = new Manifest();
    const lines = text.split("\n");
    if (lines[lines.length - 1] === "") lines.pop();
    else if (text !== "") throw new ManifestError(lines.length, "", "The AOF manifest file contains too long line");
    if (lines.length === 0) throw new ManifestError(0, "", "Found an empty AOF manifest");
    let newest = 0;
    lines.forEach((raw, i) => {
      if (raw.startsWith("#")) return;
      const fail = (reason: string): never => {
        throw new ManifestError(i + 1, line, reason);
      };
      if (raw.length > 1024) throw new ManifestError(i + 1, "", "The AOF manifest file contains too long line");
      const line = raw.trim();
      const words = splitWords(line);
      if (line === "" || words === null || words.length < 6 || words.length % 2 !== 0) {
        return fail("Invalid AOF manifest file format");
      }
      let name = "";
      let seq = 0;
      let type = "";
      for (let w = 0; w < words.length; w += 2) {
        const key = words[w].toLowerCase();
        if (key === "file") name = words[w + 1];
        else if (key === "seq") seq = parseInt(words[w + 1], 10) || 0;
        else if (key === "type") type = words[w + 1].slice(0, 1);
      }
      if (/[/\\]/.test(name)) fail("File can't be a path, just a filename");
      if (name === "" || seq === 0 || type === "") fail("Invalid AOF manifest file format");
      if (type === "b") {
        if (manifest.base !== null) fail("Found duplicate base file information");
        manifest.base = { name, seq };
        manifest.baseSeq = seq;
      } else if (type === "h") manifest.history.push({ name, seq });
      else if (type === "i") {
        if (seq <= newest) fail("Found a non-monotonic sequence number");
        newest = seq;
        manifest.increments.push({ name, seq });
        manifest.incrementSeq = seq;
      } else fail("Unknown AOF file type");
    });
    return manifest;
  }
}

export class ManifestError extends Error {
  constructor(readonly lineNumber: number, readonly line: string, reason: string) {
    super(reason);
  }
}
