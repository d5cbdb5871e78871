/**
 * Requests: from the bytes of a connection to the arguments of a command.
 *
 * `Parser` reads one command at a time out of a buffer and leaves the places of its arguments in `args`. A command that has
 * not arrived whole is not parsed again from its start: the parser remembers how many arguments it has and how long the
 * current one is (`parse` may be called again with the same bytes and more, at the same place; `shift` moves its places when the
 * bytes move). `need` is how far the buffer has to reach before it makes sense to call again, so that a bulk of 512 MB is
 * looked at once, not at each packet; a declared length reserves nothing.
 *
 *   *<argc>\r\n ($<length>\r\n<bytes>\r\n)…       and inline:  word "quoted word" 'and this'\r\n
 *
 * Limits and texts of errors are those of Redis 7.0 (processMultibulkBuffer, processInlineBuffer in networking.c).
 */

import { isSpace, parseInt64 } from "../bytes/ascii.ts";
import { Args } from "../bytes/args.ts";

/** Longest inline command, and longest line with a count, in bytes. */
const MAX_LINE = 64 * 1024;
const MAX_ARGUMENTS = 0x7fffffff;
const MAX_ARGUMENTS_UNAUTHENTICATED = 10;
const MAX_BULK_UNAUTHENTICATED = 16384;

const CR = 13;
const LF = 10;

/** What `parse` found. */
export const Parsed = {
  /** `args` has a command. */
  COMMAND: 0,
  /** Something without a meaning was consumed: an empty line, an empty array. */
  NOTHING: 1,
  INCOMPLETE: 2,
  /** `error` says what; the connection cannot go on. */
  ERROR: 3,
} as const;

export class Parser {
  args = new Args();
  /** Where the next command begins, or where the parser has come to in an incomplete one. */
  pos = 0;
  /** Without the "ERR Protocol error: " in front. */
  error = "";
  /** The buffer must be at least so long before `parse` can get any further. */
  need = 0;
  /** A copy of the inline command being read, in which quotes and escapes are undone. */
  #inline = new Uint8Array(256);
  /** Arguments declared by the current command; 0 before its header is read. */
  #declared = 0;
  /** Length of the argument being read, -1 before its header is read. */
  #bulk = -1;

  /** Forgets a command that has come in part: what follows are other bytes, at 0. */
  reset(): void {
    this.pos = 0;
    this.#declared = 0;
  }

  /** True when part of a command has been read. */
  get inCommand(): boolean {
    return this.#declared > 0;
  }

  /** Arguments of the current command that are still to come. */
  get missing(): number {
    return this.#declared === 0 ? 0 : this.#declared - this.args.argc;
  }

  /** Length of the argument being received, -1 if none is. */
  get bulk(): number {
    return this.#bulk;
  }

  /** Where the bytes begin that an incomplete command still needs. */
  get keepFrom(): number {
    return this.#declared > 0 ? this.args.begin : this.pos;
  }

  /** The bytes were moved `by` towards the start of the buffer. */
  shift(by: number): void {
    this.pos -= by;
    this.need -= by;
    if (this.#declared === 0) return;
    const args = this.args;
    args.begin -= by;
    for (let i = 0; i < args.argc; i++) args.off[i] -= by;
  }

  /**
   * Reads from `buf[pos, end)`. `maxBulk` is proto-max-bulk-len; `trusted` is false for a client that must authenticate first
   * (tighter limits).
   */
  parse(buf: Uint8Array, end: number, maxBulk: number, trusted: boolean): number {
    const args = this.args;
    let pos = this.pos;
    if (this.#declared === 0) {
      if (buf[pos] !== 42) return this.#parseInline(buf, end);
      args.begin = pos;
      const first = buf[pos + 1] - 48;
      let count: number;
      if (pos + 4 <= end && first > 0 && first <= 9 && buf[pos + 2] === CR) {
        count = first;
        pos += 4;
      } else {
        const line = this.#line(buf, pos, end, "too big mbulk count string");
        if (line < 0) return this.error === "" ? Parsed.INCOMPLETE : Parsed.ERROR;
        count = parseInt64(buf, pos + 1, line - pos - 1);
        if (!(count <= MAX_ARGUMENTS)) return this.#fail("invalid multibulk length");
        if (count > MAX_ARGUMENTS_UNAUTHENTICATED && !trusted) return this.#fail("unauthenticated multibulk length");
        pos = line + 2;
        if (count <= 0) {
          this.pos = pos;
          return Parsed.NOTHING;
        }
      }
      this.#declared = count;
      this.#bulk = -1;
      args.argc = 0;
      args.buf = buf;
    } else if (end < this.need) return Parsed.INCOMPLETE;
    args.buf = buf;
    const declared = this.#declared;
    let argc = args.argc;
    let off = args.off;
    let len = args.len;
    while (argc < declared) {
      let bulk = this.#bulk;
      if (bulk < 0) {
        const first = buf[pos + 1] - 48;
        if (pos + 5 <= end && buf[pos] === 36 && first >= 0 && first <= 9) {
          // Lengths of one and two digits, which nearly all are, without a search for the end of the line.
          const second = buf[pos + 2];
          if (second === CR) {
            bulk = first;
            pos += 4;
          } else if (first > 0 && second >= 48 && second <= 57 && buf[pos + 3] === CR) {
            bulk = first * 10 + second - 48;
            pos += 5;
          }
        }
        if (bulk < 0) {
          const line = this.#line(buf, pos, end, "too big bulk count string");
          if (line < 0) {
            this.pos = pos;
            args.argc = argc;
            return this.error === "" ? Parsed.INCOMPLETE : Parsed.ERROR;
          }
          if (buf[pos] !== 36) return this.#fail(`expected '$', got '${String.fromCharCode(buf[pos])}'`);
          bulk = parseInt64(buf, pos + 1, line - pos - 1);
          if (!(bulk >= 0 && bulk <= maxBulk)) return this.#fail("invalid bulk length");
          if (bulk > MAX_BULK_UNAUTHENTICATED && !trusted) return this.#fail("unauthenticated bulk length");
          pos = line + 2;
        }
      }
      if (pos + bulk + 2 > end) {
        this.#bulk = bulk;
        this.need = pos + bulk + 2;
        this.pos = pos;
        args.argc = argc;
        return Parsed.INCOMPLETE;
      }
      if (argc === off.length) {
        args.argc = argc;
        args.reserve(argc + 1);
        off = args.off;
        len = args.len;
      }
      off[argc] = pos;
      len[argc++] = bulk;
      pos += bulk + 2;
      this.#bulk = -1;
    }
    args.argc = argc;
    args.end = pos;
    this.pos = pos;
    this.#declared = 0;
    return Parsed.COMMAND;
  }

  /** Index of the CR that ends the line at `pos` (with room for its LF); -1 if it is not there, `error` set if it is too long. */
  #line(buf: Uint8Array, pos: number, end: number, tooLong: string): number {
    this.error = "";
    const cr = indexOf(buf, CR, pos, end);
    if (cr >= 0) {
      if (cr + 2 <= end) return cr;
    } else if (end - pos > MAX_LINE) this.error = tooLong;
    this.need = end + 1;
    return -1;
  }

  #fail(text: string): number {
    this.error = text;
    return Parsed.ERROR;
  }

  #parseInline(buf: Uint8Array, end: number): number {
    const begin = this.pos;
    const lf = indexOf(buf, LF, begin, end);
    if (lf < 0) {
      if (end - begin > MAX_LINE) return this.#fail("too big inline request");
      this.need = end + 1;
      return Parsed.INCOMPLETE;
    }
    const lineEnd = lf > begin && buf[lf - 1] === CR ? lf - 1 : lf;
    this.pos = lf + 1;
    const args = this.args;
    args.argc = 0;
    args.begin = -1;
    const length = lineEnd - begin;
    if (length > this.#inline.length) this.#inline = new Uint8Array(length * 2);
    for (let i = 0; i < length; i++) this.#inline[i] = buf[begin + i];
    args.buf = this.#inline;
    if (!splitInline(args, length)) return this.#fail("unbalanced quotes in request");
    return args.argc === 0 ? Parsed.NOTHING : Parsed.COMMAND;
  }
}

function indexOf(buf: Uint8Array, byte: number, from: number, end: number): number {
  for (let i = from; i < end; i++) if (buf[i] === byte) return i;
  return -1;
}

/**
 * Splits the first `length` bytes of `args.buf` in place: words, "…" with escapes (\n \r \t \b \a \xHH), '…' with \'. Returns false
 * on quotes that are not closed or not followed by a blank.
 */
function splitInline(args: Args, length: number): boolean {
  const buf = args.buf;
  let read = 0;
  let write = 0;
  for (;;) {
    while (read < length && isSpace(buf[read])) read++;
    if (read >= length || buf[read] === 0) return true;
    const start = write;
    let quote = 0;
    for (;; read++) {
      const byte = read < length ? buf[read] : 0;
      if (quote === 34) {
        if (
          byte === 92 && read + 3 < length && buf[read + 1] === 120 && hex(buf[read + 2]) >= 0 &&
          hex(buf[read + 3]) >= 0
        ) {
          buf[write++] = hex(buf[read + 2]) * 16 + hex(buf[read + 3]);
          read += 3;
        } else if (byte === 92 && read + 1 < length) {
          buf[write++] = unescaped(buf[++read]);
        } else if (byte === 34) {
          if (read + 1 < length && !isSpace(buf[read + 1])) return false;
          read++;
          break;
        } else if (byte === 0) return false;
        else buf[write++] = byte;
      } else if (quote === 39) {
        if (byte === 92 && read + 1 < length && buf[read + 1] === 39) {
          buf[write++] = 39;
          read++;
        } else if (byte === 39) {
          if (read + 1 < length && !isSpace(buf[read + 1])) return false;
          read++;
          break;
        } else if (byte === 0) return false;
        else buf[write++] = byte;
      } else if (byte === 32 || byte === 10 || byte === 13 || byte === 9 || byte === 0) break;
      else if (byte === 34 || byte === 39) quote = byte;
      else buf[write++] = byte;
    }
    args.reserve(args.argc + 1);
    args.off[args.argc] = start;
    args.len[args.argc++] = write - start;
  }
}

function unescaped(byte: number): number {
  switch (byte) {
    case 110:
      return 10;
    case 114:
      return 13;
    case 116:
      return 9;
    case 98:
      return 8;
    case 97:
      return 7;
    default:
      return byte;
  }
}

function hex(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
