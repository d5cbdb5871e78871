/**
 * DUMP payloads for the tests in this folder: taken apart and put together by hand, independently of the server's own code, for
 * values whose serialisation is one string (listpacks and intsets) with compression off.
 */

import { Crc64 } from "../../lib/bytes/crc64.ts";

export const RDB_INTSET = 11;
export const RDB_HASH_LISTPACK = 16;
export const RDB_ZSET_LISTPACK = 17;
export const RDB_QUICKLIST_2 = 18;

export function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The type and the string of a payload. Of a list, which must be a single packed node, that node. */
export function blobOfDump(payload: string): { type: number; bytes: Uint8Array } {
  const bytes = latin1(payload);
  const type = bytes[0];
  let at = 1;
  if (type === RDB_QUICKLIST_2) {
    if (bytes[1] !== 1 || bytes[2] !== 2) throw new Error("not a list of one packed node");
    at = 3;
  }
  const kind = bytes[at] >>> 6;
  let length: number;
  if (kind === 0) length = bytes[at++] & 63;
  else if (kind === 1) length = ((bytes[at++] & 63) << 8) | bytes[at++];
  else if (bytes[at] === 0x80) {
    length = new DataView(bytes.buffer).getUint32(at + 1);
    at += 5;
  } else throw new Error("not a plain string");
  if (at + length + 10 !== bytes.length) throw new Error("more than one string");
  return { type, bytes: bytes.slice(at, at + length) };
}

/** A payload that RESTORE takes. */
export function dumpOfBlob(type: number, blob: Uint8Array): Uint8Array {
  const prefix = type === RDB_QUICKLIST_2 ? [type, 1, 2] : [type];
  const length = new Uint8Array(5);
  length[0] = 0x80;
  new DataView(length.buffer).setUint32(1, blob.length);
  const payload = new Uint8Array(prefix.length + 5 + blob.length + 10);
  payload.set(prefix);
  payload.set(length, prefix.length);
  payload.set(blob, prefix.length + 5);
  payload[payload.length - 10] = 10;
  const body = payload.length - 8;
  const checksum = new Crc64();
  checksum.update(payload, 0, body);
  new DataView(payload.buffer).setBigUint64(body, checksum.value(), true);
  return payload;
}
