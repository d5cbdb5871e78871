/** Fixed-width numbers against DataView, at odd offsets. */
import { assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import * as binary from "../../lib/bytes/binary.ts";
import { Seeded } from "../kit/seeded.ts";

test("reads are DataView's", () => {
  const random = new Seeded(18);
  for (let i = 0; i < 500; i++) {
    const buf = random.bytes(19);
    const view = new DataView(buf.buffer);
    const at = random.below(11);
    assertEquals(binary.readU16LE(buf, at), view.getUint16(at, true));
    assertEquals(binary.readI16LE(buf, at), view.getInt16(at, true));
    assertEquals(binary.readI32LE(buf, at), view.getInt32(at, true));
    assertEquals(binary.readI32BE(buf, at), view.getInt32(at));
    assertEquals(binary.readU32LE(buf, at), view.getUint32(at, true));
    assertEquals(binary.readU32BE(buf, at), view.getUint32(at));
    assertEquals(binary.readF64LE(buf, at), view.getFloat64(at, true));
  }
});

test("writes are DataView's and touch nothing else", () => {
  const random = new Seeded(19);
  for (let i = 0; i < 500; i++) {
    const at = 1 + random.below(8);
    const signed = random.u32() | 0;
    const wide = BigInt.asIntN(64, (BigInt(random.u32()) << 32n) | BigInt(random.u32()));
    const float = Number(wide) / 3;
    const write = (
      ours: (buf: Uint8Array) => void,
      theirs: (view: DataView) => void,
    ) => {
      const [actual, expected] = [new Uint8Array(20).fill(0xee), new Uint8Array(20).fill(0xee)];
      ours(actual);
      theirs(new DataView(expected.buffer));
      assertEquals(actual, expected);
    };
    write((buf) => binary.writeU16LE(buf, at, signed), (view) => view.setUint16(at, signed, true));
    write((buf) => binary.writeU32LE(buf, at, signed), (view) => view.setInt32(at, signed, true));
    write((buf) => binary.writeU32BE(buf, at, signed >>> 0), (view) => view.setInt32(at, signed));
    write((buf) => binary.writeF64LE(buf, at, float), (view) => view.setFloat64(at, float, true));
  }
});
