/** A command as RESP bytes: how it is written to the AOF and to the replication stream. */

import type { Args } from "../bytes/args.ts";
import { intLength, writeInt } from "../bytes/ascii.ts";
import { copyBytes } from "../bytes/span.ts";

/** Type byte or '$', and the line's end. */
const AROUND = 3;

/** Bytes that `writeFrame` writes. */
export function frameLength(args: Args): number {
  if (args.begin >= 0) return args.end - args.begin;
  let length = AROUND + intLength(args.argc);
  for (let i = 0; i < args.argc; i++) length += AROUND + intLength(args.len[i]) + args.len[i] + 2;
  return length;
}

/** Writes the command to `buf` at `at`, where there is room; returns the offset behind it. */
export function writeFrame(buf: Uint8Array, at: number, args: Args): number {
  if (args.begin >= 0) {
    copyBytes(args.buf, args.begin, args.end - args.begin, buf, at);
    return at + args.end - args.begin;
  }
  at = header(buf, at, 42, args.argc);
  for (let i = 0; i < args.argc; i++) {
    at = header(buf, at, 36, args.len[i]);
    copyBytes(args.buf, args.off[i], args.len[i], buf, at);
    at += args.len[i];
    buf[at++] = 13;
    buf[at++] = 10;
  }
  return at;
}

/** The command in bytes of its own. */
export function frameOf(args: Args): Uint8Array {
  const bytes = new Uint8Array(frameLength(args));
  writeFrame(bytes, 0, args);
  return bytes;
}

function header(buf: Uint8Array, at: number, type: number, n: number): number {
  buf[at++] = type;
  at = writeInt(buf, at, n);
  buf[at++] = 13;
  buf[at++] = 10;
  return at;
}
