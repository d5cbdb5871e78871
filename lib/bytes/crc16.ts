/**
 * CRC-16/XMODEM (polynomial 0x1021, starting at 0, nothing reflected) and the Redis Cluster slot of a key, which is its lower 14 bits.
 */

/** How many slots a cluster has. */
export const SLOTS = 16384;

const TABLE = new Uint16Array(256);
for (let i = 0; i < 256; i++) {
  let crc = i << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  TABLE[i] = crc;
}

/** The checksum of `buf[off, off + len)`. */
export function crc16(buf: Uint8Array, off: number, len: number): number {
  let crc = 0;
  const end = off + len;
  for (let at = off; at < end; at++) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ buf[at]];
  return crc;
}

/**
 * The slot of a key, 0 to 16383. When the key has a `{` and a `}` somewhere after it with something between, only what is between
 * the first `{` and the first `}` after it counts, so that clients can keep keys together.
 */
export function keySlot(buf: Uint8Array, off: number, len: number): number {
  const end = off + len;
  let open = off;
  while (open < end && buf[open] !== 123) open++;
  if (open < end) {
    let close = open + 1;
    while (close < end && buf[close] !== 125) close++;
    if (close < end && close > open + 1) return crc16(buf, open + 1, close - open - 1) & (SLOTS - 1);
  }
  return crc16(buf, off, len) & (SLOTS - 1);
}
