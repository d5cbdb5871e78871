/**
 * RDB files for tests, put together byte by byte and independently of the server's own code, so that formats of any version can be made,
 * sound or not:
 *
 *     new RdbBytes(9).select(0).key(13, "hash").string(ziplist(["field", 12])).finish()
 *
 * Texts are latin1. The notation is explained in lib/persist/rdb_writer.ts.
 */

/** CRC-64 as in RDB files, bit by bit. */
export function crc64(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) crc = CRC_TABLE[Number((crc ^ BigInt(byte)) & 0xffn)] ^ (crc >> 8n);
  return crc;
}

const CRC_TABLE: bigint[] = [];
for (let i = 0n; i < 256n; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  CRC_TABLE.push(crc);
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

export function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** A file in the making. All methods but the last return the object itself. */
export class RdbBytes {
  #bytes: number[] = [];

  constructor(readonly version: number, magic = "REDIS") {
    this.raw(`${magic}${String(version).padStart(4, "0")}`);
  }

  get length(): number {
    return this.#bytes.length;
  }

  raw(...parts: (string | number | Uint8Array)[]): this {
    for (const part of parts) {
      if (typeof part === "number") this.#bytes.push(part);
      else for (const byte of part instanceof Uint8Array ? part : latin1(part)) this.#bytes.push(byte);
    }
    return this;
  }

  count(n: number): this {
    return this.raw(lengthBytes(n));
  }

  /** A plain string, with its length. */
  string(value: string | Uint8Array): this {
    return this.count(value.length).raw(value);
  }

  select(db: number): this {
    return this.raw(254).count(db);
  }

  aux(name: string, value: string): this {
    return this.raw(250).string(name).string(value);
  }

  /** The type and the name of a key; its value must follow. */
  key(type: number, name: string): this {
    return this.raw(type).string(name);
  }

  /** The whole file: with the byte that ends it and, from version 5 on, the checksum. */
  finish(): Uint8Array {
    this.raw(255);
    const bytes = Uint8Array.from(this.#bytes);
    return this.version < 5 ? bytes : concat(bytes, u64(crc64(bytes)));
  }
}

/** A payload for RESTORE: type and value, with version and checksum behind. */
export function sealPayload(body: Uint8Array, version = 10): Uint8Array {
  const bytes = concat(body, Uint8Array.of(version & 255, version >> 8));
  return concat(bytes, u64(crc64(bytes)));
}

export function lengthBytes(n: number): Uint8Array {
  if (n < 64) return Uint8Array.of(n);
  if (n < 16384) return Uint8Array.of(0x40 | (n >> 8), n & 255);
  if (n < 2 ** 32) return concat(Uint8Array.of(0x80), u32(n).reverse());
  return concat(Uint8Array.of(0x81), u64(BigInt(n)).reverse());
}

export function u32(n: number): Uint8Array {
  return Uint8Array.of(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24);
}

export function u64(n: bigint): Uint8Array {
  return Uint8Array.from({ length: 8 }, (_, i) => Number((n >> BigInt(i * 8)) & 0xffn));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** A ziplist; numbers become integers of the least width. */
export function ziplist(elements: readonly (string | number | bigint)[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let previous = 0;
  let tail = 10;
  let end = 10;
  for (const element of elements) {
    const head = previous < 254 ? Uint8Array.of(previous) : concat(Uint8Array.of(254), u32(previous));
    const entry = concat(head, typeof element === "string" ? ziplistText(element) : ziplistInteger(BigInt(element)));
    parts.push(entry);
    tail = end;
    previous = entry.length;
    end += entry.length;
  }
  const count = Math.min(elements.length, 65535);
  return concat(u32(end + 1), u32(tail), u32(count).subarray(0, 2), ...parts, Uint8Array.of(255));
}

function ziplistText(value: string): Uint8Array {
  const n = value.length;
  if (n < 64) return concat(Uint8Array.of(n), latin1(value));
  if (n < 16384) return concat(Uint8Array.of(0x40 | (n >> 8), n & 255), latin1(value));
  return concat(Uint8Array.of(0x80), u32(n).reverse(), latin1(value));
}

function ziplistInteger(n: bigint): Uint8Array {
  const bytes = u64(BigInt.asUintN(64, n));
  if (n >= 0n && n <= 12n) return Uint8Array.of(0xf1 + Number(n));
  const widths: [number, number][] = [[1, 0xfe], [2, 0xc0], [3, 0xf0], [4, 0xd0], [8, 0xe0]];
  const [width, head] = widths.find(([bytes]) => BigInt.asIntN(bytes * 8, n) === n)!;
  return concat(Uint8Array.of(head), bytes.subarray(0, width));
}

/** A zipmap with `unused` bytes after each value. */
export function zipmap(pairs: readonly (readonly [string, string])[], unused = 0): Uint8Array {
  const size = (n: number) => n < 254 ? Uint8Array.of(n) : concat(Uint8Array.of(254), u32(n));
  const parts = pairs.map(([field, value]) =>
    concat(
      size(field.length),
      latin1(field),
      size(value.length),
      Uint8Array.of(unused),
      latin1(value),
      new Uint8Array(unused),
    )
  );
  return concat(Uint8Array.of(Math.min(pairs.length, 254)), ...parts, Uint8Array.of(255));
}

/** An intset of that width in bytes; the values must be in order. */
export function intset(values: readonly (number | bigint)[], width: 2 | 4 | 8): Uint8Array {
  return concat(u32(width), u32(values.length), ...values.map((n) => u64(BigInt(n)).slice(0, width)));
}

/** A listpack of texts of up to 63 bytes and of integers that fit 13 bits. */
export function listpack(elements: readonly (string | number)[]): Uint8Array {
  const parts = elements.map((element) => {
    if (typeof element === "string") {
      return Uint8Array.of(0x80 | element.length, ...latin1(element), element.length + 1);
    }
    if (element >= 0 && element < 128) return Uint8Array.of(element, 1);
    return Uint8Array.of(0xc0 | ((element >> 8) & 31), element & 255, 2);
  });
  const body = concat(...parts);
  return concat(u32(body.length + 7), u32(elements.length).subarray(0, 2), body, Uint8Array.of(255));
}

/** `value` as a string compressed by LZF, literals only. */
export function lzfString(value: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < value.length; at += 32) {
    const piece = latin1(value.slice(at, at + 32));
    parts.push(Uint8Array.of(piece.length - 1), piece);
  }
  const packed = concat(...parts);
  return concat(Uint8Array.of(0xc3), lengthBytes(packed.length), lengthBytes(value.length), packed);
}
