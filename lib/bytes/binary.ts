/**
 * Fixed-width numbers in byte buffers, in both byte orders: RDB, listpacks, intsets and stream ids are made of them.
 *
 * A `DataView` per buffer would have to be made and kept for every chunk of memory, so integers are put together from bytes. 64-bit
 * numbers come as BigInt, or as two 32-bit halves, which are read and written with the 32-bit functions. Offsets are the caller's to
 * check.
 */

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

/** 16 bits, little-endian. */
export function readU16LE(buf: Uint8Array, at: number): number {
  return buf[at] | (buf[at + 1] << 8);
}

/** Signed 16 bits, little-endian. */
export function readI16LE(buf: Uint8Array, at: number): number {
  return ((buf[at] | (buf[at + 1] << 8)) << 16) >> 16;
}

/** Signed 32 bits, little-endian. */
export function readI32LE(buf: Uint8Array, at: number): number {
  return buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24);
}

/** Signed 32 bits, big-endian. */
export function readI32BE(buf: Uint8Array, at: number): number {
  return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3];
}

/** 32 bits, little-endian. */
export function readU32LE(buf: Uint8Array, at: number): number {
  return readI32LE(buf, at) >>> 0;
}

/** 32 bits, big-endian. */
export function readU32BE(buf: Uint8Array, at: number): number {
  return readI32BE(buf, at) >>> 0;
}

/** An IEEE double, little-endian. */
export function readF64LE(buf: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) floatBytes[i] = buf[at + i];
  return float[0];
}

/** The low 16 bits of `n`, little-endian. */
export function writeU16LE(buf: Uint8Array, at: number, n: number): void {
  buf[at] = n;
  buf[at + 1] = n >>> 8;
}

/** The low 32 bits of `n` (signed or not), little-endian. */
export function writeU32LE(buf: Uint8Array, at: number, n: number): void {
  buf[at] = n;
  buf[at + 1] = n >>> 8;
  buf[at + 2] = n >>> 16;
  buf[at + 3] = n >>> 24;
}

/** The low 32 bits of `n` (signed or not), big-endian. */
export function writeU32BE(buf: Uint8Array, at: number, n: number): void {
  buf[at] = n >>> 24;
  buf[at + 1] = n >>> 16;
  buf[at + 2] = n >>> 8;
  buf[at + 3] = n;
}

/** An IEEE double, little-endian. */
export function writeF64LE(buf: Uint8Array, at: number, n: number): void {
  float[0] = n;
  for (let i = 0; i < 8; i++) buf[at + i] = floatBytes[i];
}
