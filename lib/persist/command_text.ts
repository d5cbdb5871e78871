/** Commands as they stand in an AOF, written piece by piece: the number of arguments, then each argument as a bulk string. */

import { fromLatin1, writeInt } from "../bytes/ascii.ts";
import type { RdbWriter } from "./rdb_writer.ts";

const STAR = 42, DOLLAR = 36, CR = 13, LF = 10;
/** A type byte, a safe integer and a line's end. */
const HEAD = 20;

/** Begins a command of `argc` arguments, its name included. */
export function command(out: RdbWriter, argc: number, name: string): void {
  head(out, STAR, argc);
  text(out, name);
}

/** An argument that is a latin1 text. */
export function text(out: RdbWriter, value: string): void {
  bulk(out, fromLatin1(value), 0, value.length);
}

/** An argument. */
export function bulk(out: RdbWriter, buf: Uint8Array, off: number, len: number): void {
  head(out, DOLLAR, len);
  out.raw(buf, off, len);
  endLine(out);
}

/** The same for bytes that will not change, or not without the snapshot's being told. */
export function steadyBulk(out: RdbWriter, buf: Uint8Array, off: number, len: number): void {
  head(out, DOLLAR, len);
  out.steadyRaw(buf, off, len);
  endLine(out);
}

/** A line of text that is no part of a command. */
export function line(out: RdbWriter, value: string): void {
  out.raw(fromLatin1(value), 0, value.length);
  endLine(out);
}

function head(out: RdbWriter, type: number, value: number): void {
  out.ensure(HEAD);
  const { buf } = out;
  buf[out.at] = type;
  out.at = writeInt(buf, out.at + 1, value);
  endLine(out);
}

function endLine(out: RdbWriter): void {
  out.ensure(2);
  out.buf[out.at++] = CR;
  out.buf[out.at++] = LF;
}
