/**
 * Reply: the writer of RESP2 and RESP3. One buffer serves all clients of a server in turn: the replies of a batch of pipelined
 * commands gather here and leave in one socket write. `resp3` says which protocol the client being served speaks.
 *
 * Numbers are written digit by digit into the buffer; nothing is formatted to a string on the way. A part of the buffer can be
 * taken out (`take`) to be given to another client: a blocked client that is served, or a subscriber.
 *
 * RESP: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */

import {
  digitCount,
  formatDouble,
  fromLatin1,
  intLength,
  writeBigInt,
  writeDigits,
  writeInt,
  writeLatin1,
} from "../bytes/ascii.ts";
import { copyBytes } from "../bytes/span.ts";
import type { ErrorReply } from "./errors.ts";

const INITIAL = 64 * 1024;
/** A buffer that one huge reply has grown beyond this is not kept. */
const KEEP = 1024 * 1024;
/** Up to this many bytes a loop is fastest on all runtimes. */
const COPY_BY_LOOP = 32;
/** Header of a deferred array: type, up to 10 digits, CR LF. */
const DEFERRED = 13;

const CR = 13;
const LF = 10;
const BILLION = 1e9;
const NULL_BULK = fromLatin1("$-1\r\n");
const NULL_ARRAY = fromLatin1("*-1\r\n");
const NULL3 = fromLatin1("_\r\n");
const OK = fromLatin1("+OK\r\n");
const QUEUED = fromLatin1("+QUEUED\r\n");
const PONG = fromLatin1("+PONG\r\n");
const EMPTY_BULK = fromLatin1("$0\r\n\r\n");

export class Reply {
  buf: Uint8Array = new Uint8Array(INITIAL);
  at = 0;
  /** Where the replies to the client being served begin: behind those to the client in whose batch it is served. */
  base = 0;
  resp3 = false;
  /** A batch longer than this will not be sent (client-output-buffer-limit). */
  limit = Infinity;
  /** Error replies written so far: the caller of a command sees by it whether the command failed. */
  errors = 0;
  /** Of them, those that some command's statistics have: an error inside EXEC does not make EXEC itself fail. */
  told = 0;
  /** Told of each error reply. */
  onError: (error: ErrorReply) => void = () => {};

  /** True when more is pointless: commands that may reply with any number of elements stop then. */
  get isFull(): boolean {
    return this.at - this.base > this.limit;
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    if (this.at + count > this.buf.length) this.#grow(this.at + count);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(size, Math.min(this.buf.length * 2, this.buf.length + (64 << 20))));
    grown.set(this.buf.subarray(0, this.at));
    this.buf = grown;
  }

  /** Forgets everything written for the client being served. */
  clear(): void {
    this.at = this.base;
    if (this.at === 0 && this.buf.length > KEEP) this.buf = new Uint8Array(INITIAL);
  }

  /** Copies out and removes what was written since `mark` (an earlier value of `at`). */
  take(mark: number): Uint8Array {
    const bytes = this.buf.slice(mark, this.at);
    this.at = mark;
    return bytes;
  }

  /** Bytes that are RESP already. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    if (this.at + length > this.buf.length) this.#grow(this.at + length);
    if (length <= COPY_BY_LOOP) {
      const buf = this.buf;
      let at = this.at;
      for (let i = 0; i < length; i++) buf[at++] = bytes[i];
      this.at = at;
    } else {
      this.buf.set(bytes, this.at);
      this.at += length;
    }
  }

  ok(): void {
    this.raw(OK);
  }

  queued(): void {
    this.raw(QUEUED);
  }

  pong(): void {
    this.raw(PONG);
  }

  /** An error reply; it is counted. */
  error(error: ErrorReply): void {
    this.errors++;
    this.onError(error);
    this.raw(error.bytes);
  }

  /** A simple string; `text` is latin1 without line breaks. */
  simple(text: string): void {
    this.ensure(text.length + 3);
    this.buf[this.at++] = 43;
    this.at = writeLatin1(this.buf, this.at, text);
    this.#line();
  }

  /** A whole number that a double holds exactly. */
  int(n: number): void {
    this.#header(58, n);
  }

  /** A whole number of up to 64 bits. */
  bigint(n: bigint): void {
    this.ensure(24);
    this.buf[this.at++] = 58;
    this.at = writeBigInt(this.buf, this.at, n);
    this.#line();
  }

  /** The bytes `from[off, off + len)` as a bulk string. `from` may be the reply's own buffer only if nothing grows. */
  bulk(from: Uint8Array, off: number, len: number): void {
    if (this.at + len + 16 > this.buf.length) this.#grow(this.at + len + 16);
    const buf = this.buf;
    let at = this.at;
    buf[at++] = 36;
    if (len < 10) buf[at++] = 48 + len;
    else if (len < 100) {
      const tens = (len / 10) | 0;
      buf[at++] = 48 + tens;
      buf[at++] = 48 + len - tens * 10;
    } else at = writeInt(buf, at, len);
    buf[at++] = CR;
    buf[at++] = LF;
    if (len <= COPY_BY_LOOP) {
      for (let i = 0; i < len; i++) buf[at++] = from[off + i];
    } else {
      copyBytes(from, off, len, buf, at);
      at += len;
    }
    buf[at++] = CR;
    buf[at++] = LF;
    this.at = at;
  }

  /** A bulk string from latin1 text. */
  text(text: string): void {
    const length = text.length;
    this.ensure(length + 16);
    this.buf[this.at++] = 36;
    this.at = writeInt(this.buf, this.at, length);
    this.#line();
    this.at = writeLatin1(this.buf, this.at, text);
    this.#line();
  }

  /** A bulk string with a whole number's digits. */
  bulkInt(n: number): void {
    this.ensure(32);
    if (n >= 0 && n < BILLION) {
      const count = digitCount(n);
      const { buf, at } = this;
      buf[at] = 36;
      buf[at + 1] = 48 + count;
      buf[at + 2] = CR;
      buf[at + 3] = LF;
      const end = writeDigits(buf, at + 4, n, count);
      buf[end] = CR;
      buf[end + 1] = LF;
      this.at = end + 2;
      return;
    }
    this.buf[this.at++] = 36;
    this.at = writeInt(this.buf, this.at, intLength(n));
    this.#line();
    this.at = writeInt(this.buf, this.at, n);
    this.#line();
  }

  emptyBulk(): void {
    this.raw(EMPTY_BULK);
  }

  /** Nothing, where a bulk string was asked for. */
  null(): void {
    this.raw(this.resp3 ? NULL3 : NULL_BULK);
  }

  /** Nothing, where an array was asked for. */
  nullArray(): void {
    this.raw(this.resp3 ? NULL3 : NULL_ARRAY);
  }

  /** The header of an array; its `count` elements are written after it. So with the other aggregates. */
  array(count: number): void {
    this.#header(42, count);
  }

  /** `count` pairs: a map in RESP3, a flat array of twice the length in RESP2. */
  map(count: number): void {
    if (this.resp3) this.#header(37, count);
    else this.#header(42, count * 2);
  }

  /** A set in RESP3, an array in RESP2. */
  set(count: number): void {
    this.#header(this.resp3 ? 126 : 42, count);
  }

  /** Something that was not asked for: out of band in RESP3, an array in RESP2. */
  push(count: number): void {
    this.#header(this.resp3 ? 62 : 42, count);
  }

  /** `count` pairs about the reply that follows; for RESP3 only. */
  attribute(count: number): void {
    this.#header(124, count);
  }

  /** A double in RESP3, its digits as a bulk string in RESP2. */
  double(n: number): void {
    const text = formatDouble(n);
    if (!this.resp3) return this.text(text);
    this.ensure(text.length + 3);
    this.buf[this.at++] = 44;
    this.at = writeLatin1(this.buf, this.at, text);
    this.#line();
  }

  /** A double in RESP3 whose digits are at the beginning of `digits`. */
  doubleText(digits: Uint8Array, length: number): void {
    this.ensure(length + 3);
    this.buf[this.at++] = 44;
    for (let i = 0; i < length; i++) this.buf[this.at++] = digits[i];
    this.#line();
  }

  /** #t or #f in RESP3, 1 or 0 in RESP2. */
  bool(value: boolean): void {
    if (!this.resp3) return this.int(value ? 1 : 0);
    this.ensure(4);
    this.buf[this.at++] = 35;
    this.buf[this.at++] = value ? 116 : 102;
    this.#line();
  }

  /** Text for people: a verbatim string in RESP3. `format` has three letters ("txt"). */
  verbatim(text: string, format = "txt"): void {
    if (!this.resp3) return this.text(text);
    this.ensure(text.length + 24);
    this.buf[this.at++] = 61;
    this.at = writeInt(this.buf, this.at, text.length + 4);
    this.#line();
    this.at = writeLatin1(this.buf, this.at, `${format}:`);
    this.at = writeLatin1(this.buf, this.at, text);
    this.#line();
  }

  /** A big number in RESP3, its digits as a bulk string in RESP2. */
  bigNumber(digits: string): void {
    if (!this.resp3) return this.text(digits);
    this.ensure(digits.length + 3);
    this.buf[this.at++] = 40;
    this.at = writeLatin1(this.buf, this.at, digits);
    this.#line();
  }

  /**
   * Leaves room for the header of an aggregate whose length is not known yet; `end…` fills it in. Nothing may take or clear
   * the buffer in between.
   */
  defer(): number {
    this.ensure(DEFERRED);
    const mark = this.at;
    this.at += DEFERRED;
    return mark;
  }

  endArray(mark: number, count: number): void {
    this.#fill(mark, 42, count);
  }

  /** `count` is the number of pairs. */
  endMap(mark: number, count: number): void {
    if (this.resp3) this.#fill(mark, 37, count);
    else this.#fill(mark, 42, count * 2);
  }

  endSet(mark: number, count: number): void {
    this.#fill(mark, this.resp3 ? 126 : 42, count);
  }

  #fill(mark: number, type: number, count: number): void {
    const end = this.at;
    this.at = mark;
    this.#header(type, count);
    this.buf.copyWithin(this.at, mark + DEFERRED, end);
    this.at += end - mark - DEFERRED;
  }

  #header(type: number, n: number): void {
    if (this.at + 24 > this.buf.length) this.#grow(this.at + 24);
    const buf = this.buf;
    buf[this.at++] = type;
    if (n >= 0 && n < 10) buf[this.at++] = 48 + n;
    else this.at = writeInt(buf, this.at, n);
    buf[this.at++] = CR;
    buf[this.at++] = LF;
  }

  #line(): void {
    this.buf[this.at++] = CR;
    this.buf[this.at++] = LF;
  }
}
