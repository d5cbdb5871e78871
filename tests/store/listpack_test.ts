/**
 * Listpacks: against payloads of the real redis-server, and random changes against a plain array that is encoded anew by a
 * second, simple encoder and must give the very same bytes.
 */

import { assert, assertEquals } from "@std/assert";
import { type Blob, HeapBlob } from "../../lib/store/types/blob.ts";
import * as listpack from "../../lib/store/types/listpack.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { errorOf } from "../kit/reply.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { blobOfDump, dumpOfBlob, latin1, RDB_HASH_LISTPACK, RDB_QUICKLIST_2, RDB_ZSET_LISTPACK } from "./payload.ts";

/** A blob that is somewhere else after every splice, like a record that is relocated; the old place is filled with rubbish. */
class MovingBlob implements Blob {
  buf: Uint8Array = new Uint8Array(0);
  off = 0;
  len = 0;
  constructor(readonly random: Xoshiro) {}
  splice(at: number, remove: number, insert: number): void {
    const off = this.random.below(16);
    const moved = this.random.below(4) > 0
      ? new Uint8Array(off + this.len - remove + insert + this.random.below(8)).fill(0xee)
      : null;
    const old = this.buf.slice(this.off, this.off + this.len);
    this.buf.fill(0xdd);
    if (moved !== null || old.length - remove + insert > this.buf.length - this.off) {
      this.buf = moved ?? new Uint8Array(off + this.len - remove + insert);
      this.off = off;
    }
    this.buf.set(old.subarray(0, at), this.off);
    this.buf.set(old.subarray(at + remove), this.off + at + insert);
    this.len += insert - remove;
  }
}

const cursor = new listpack.ListpackCursor();

function text(bytes: Uint8Array): string {
  let result = "";
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
}

function bytesOf(blob: Blob): Uint8Array {
  return blob.buf.slice(blob.off, blob.off + blob.len);
}

function elements(blob: Blob): string[] {
  const result: string[] = [];
  for (let at = listpack.first(blob); at !== -1;) {
    at = listpack.readText(blob, at, cursor);
    result.push(text(cursor.buf.subarray(cursor.off, cursor.off + cursor.len)));
  }
  return result;
}

function elementsBackwards(blob: Blob): string[] {
  const result: string[] = [];
  for (let at = listpack.last(blob); at !== -1; at = listpack.previous(blob, at)) {
    listpack.readText(blob, at, cursor);
    result.push(text(cursor.buf.subarray(cursor.off, cursor.off + cursor.len)));
  }
  return result.reverse();
}

/** The format once more, as plainly as possible. */
function encode(list: readonly string[]): number[] {
  const out: number[] = [0, 0, 0, 0, list.length & 255, list.length >> 8];
  if (list.length > 65534) out[4] = out[5] = 255;
  for (const element of list) {
    const data: number[] = [];
    const little = (value: bigint, bytes: number) => {
      for (let i = 0; i < bytes; i++) data.push(Number((value >> BigInt(8 * i)) & 255n));
    };
    const value = /^(0|-?[1-9][0-9]{0,18})$/.test(element) ? BigInt(element) : null;
    if (value !== null && value === BigInt.asIntN(64, value)) {
      if (value >= 0n && value < 128n) data.push(Number(value));
      else if (value >= -4096n && value < 4096n) data.push(0xc0 | Number((value >> 8n) & 31n), Number(value & 255n));
      else {
        const [head, bytes] = [[0xf1, 2], [0xf2, 3], [0xf3, 4], [0xf4, 8]].find(([, n]) =>
          BigInt.asIntN(8 * n, value) === value
        )!;
        data.push(head);
        little(value, bytes);
      }
    } else {
      if (element.length < 64) data.push(0x80 | element.length);
      else if (element.length < 4096) data.push(0xe0 | (element.length >> 8), element.length & 255);
      else {
        data.push(0xf0);
        little(BigInt(element.length), 4);
      }
      for (let i = 0; i < element.length; i++) data.push(element.charCodeAt(i));
    }
    const groups = [127, 16382, 2097150, 268435454].findIndex((limit) => data.length <= limit) + 1 || 5;
    const back: number[] = [];
    for (let i = 0, rest = data.length; i < groups; i++, rest >>>= 7) {
      back.unshift((rest & 127) | (i < groups - 1 ? 128 : 0));
    }
    for (const byte of data) out.push(byte);
    out.push(...back);
  }
  out.push(255);
  for (let i = 0; i < 4; i++) out[i] = (out.length >>> (8 * i)) & 255;
  return out;
}

const LENGTHS = [0, 1, 2, 10, 31, 62, 63, 64, 65, 100, 125, 126, 127, 128, 300];
const LONG = [4094, 4095, 4096, 5000, 16376, 16377, 16378, 16379, 16382, 16383, 16384];

function randomElement(random: Xoshiro): string {
  const kind = random.below(8);
  if (kind < 2) return String(random.below(200) - 50);
  if (kind < 4) {
    const raw = BigInt.asIntN(64, (BigInt(random.u32()) << 32n) | BigInt(random.u32()));
    return String(raw >> BigInt(random.below(64)));
  }
  if (kind === 4) {
    const edge = random.below(9);
    const bits = [7, 12, 15, 23, 31, 53, 62, 63, 64][edge];
    return String((random.below(2) === 0 ? 1n : -1n) * 2n ** BigInt(bits) + BigInt(random.below(5) - 2));
  }
  if (kind === 5) return ["", "-0", "01", "+1", "1 ", "a", "-", "1e5", "3.25", "\xff\x00"][random.below(10)];
  const length = random.below(2000) === 0 ? LONG[random.below(LONG.length)] : LENGTHS[random.below(LENGTHS.length)];
  return String.fromCharCode(random.below(256)).repeat(length);
}

test("listpack: known bytes", () => {
  const blob = new HeapBlob();
  listpack.create(blob);
  assertEquals([...bytesOf(blob)], [7, 0, 0, 0, 0, 0, 255]);
  const add = (element: string) => listpack.append(blob, latin1(element), 0, element.length);
  add("a");
  add("1");
  add("-1");
  add("1000");
  add("-32768");
  listpack.appendInt(blob, 8388607);
  listpack.appendInt(blob, -2147483648n);
  listpack.appendInt(blob, 2n ** 63n - 1n);
  // deno-fmt-ignore
  assertEquals([...bytesOf(blob)], [
    43, 0, 0, 0, 8, 0,
    0x81, 0x61, 2, 1, 1, 0xdf, 0xff, 2, 0xc3, 0xe8, 2, 0xf1, 0, 0x80, 3, 0xf2, 0xff, 0xff, 0x7f, 4,
    0xf3, 0, 0, 0, 0x80, 5, 0xf4, 255, 255, 255, 255, 255, 255, 255, 0x7f, 9, 255,
  ]);
});

test("listpack: a million random changes give the bytes of a fresh encoding", () => {
  const random = new Xoshiro(7, null);
  let list: string[] = [];
  let blob: Blob = new HeapBlob();
  listpack.create(blob);
  for (let step = 0; step < 1_000_000; step++) {
    if (step % 5000 === 0) {
      const fresh = step % 10000 === 0 ? new MovingBlob(random) : new HeapBlob();
      listpack.create(fresh);
      listpack.appendAll(fresh, blob);
      assertEquals(bytesOf(fresh), bytesOf(blob));
      blob = fresh;
    }
    const index = random.below(Math.max(list.length, 1));
    const element = list.length > 0 && random.below(8) === 0 ? list[random.below(list.length)] : randomElement(random);
    const bytes = latin1(`-${element}-`);
    const size = element.length;
    // Long lists shrink more than they grow.
    switch (random.below(list.length > 40 ? 14 : 10)) {
      case 0:
      case 1:
        listpack.append(blob, bytes, 1, size);
        list.push(element);
        break;
      case 2:
        listpack.prepend(blob, bytes, 1, size);
        list.unshift(element);
        break;
      case 3:
        if (list.length === 0) break;
        listpack.insert(blob, listpack.seek(blob, index), bytes, 1, size);
        list.splice(index, 0, element);
        break;
      case 4:
        if (list.length === 0) break;
        listpack.insertAfter(blob, listpack.seek(blob, index - list.length), bytes, 1, size);
        list.splice(index + 1, 0, element);
        break;
      case 5:
        if (list.length === 0) break;
        listpack.replace(blob, listpack.seek(blob, index), bytes, 1, size);
        list[index] = element;
        break;
      case 6: {
        // The source is an element of the same blob.
        if (list.length === 0) break;
        listpack.readText(blob, listpack.seek(blob, index), cursor);
        const to = random.below(list.length);
        const at = listpack.seek(blob, to);
        if (random.below(2) === 0) {
          const copied = list[index];
          listpack.replace(blob, at, cursor.buf, cursor.off, cursor.len);
          list[to] = copied;
        } else {
          listpack.insert(blob, at, cursor.buf, cursor.off, cursor.len);
          list.splice(to, 0, list[index]);
        }
        break;
      }
      case 7: {
        const value = BigInt.asIntN(64, (BigInt(random.u32()) << 32n) | BigInt(random.u32())) >>
          BigInt(random.below(64));
        const given = value >= -(2n ** 53n) && value <= 2n ** 53n && random.below(2) === 0 ? Number(value) : value;
        if (list.length > 0 && random.below(2) === 0) {
          listpack.replaceInt(blob, listpack.seek(blob, index), given);
          list[index] = String(value);
        } else {
          listpack.appendInt(blob, given);
          list.push(String(value));
        }
        break;
      }
      case 8: {
        const start = random.below(8) - 2;
        const elements = random.below(random.below(20) === 0 ? 50 : 3);
        const from = random.below(2) === 0 ? index : index - list.length - start;
        listpack.removeRange(blob, from, elements);
        const first = from < 0 ? from + list.length : from;
        if (first >= 0) list.splice(first, elements);
        break;
      }
      default: {
        if (list.length === 0) break;
        const at = listpack.remove(blob, listpack.seek(blob, index));
        list.splice(index, 1);
        assertEquals(at, listpack.seek(blob, index));
      }
    }
    if (listpack.count(blob) !== list.length) throw new Error(`step ${step}: ${listpack.count(blob)} elements`);
    if (list.length > 0) {
      const probe = random.below(list.length);
      const at = listpack.seek(blob, probe);
      const wanted = latin1(list[probe]);
      if (!listpack.equals(blob, at, wanted, 0, wanted.length)) throw new Error(`step ${step}: not equal`);
      const skip = random.below(2);
      const start = random.below(skip + 1);
      const other = random.below(4) === 0 ? randomElement(random) : list[probe];
      let expected = start;
      while (expected < list.length && list[expected] !== other) expected += skip + 1;
      const found = listpack.find(blob, listpack.seek(blob, start), latin1(other), 0, other.length, skip);
      if (found !== listpack.seek(blob, expected)) throw new Error(`step ${step}: find ${JSON.stringify(other)}`);
      if (listpack.sizeAt(blob, at) !== encode([list[probe]]).length - listpack.EMPTY_BYTES) {
        throw new Error(`step ${step}: size`);
      }
    }
    if (step % 512 === 0 || step > 999_900) {
      assertEquals(elements(blob), list);
      assertEquals(elementsBackwards(blob), list);
      assertEquals([...bytesOf(blob)], encode(list));
      assert(listpack.validate(blob.buf, blob.off, blob.len, true));
    }
    if (list.length > 60) {
      list = [];
      listpack.create(blob);
    }
  }
});

test("listpack: beyond 65534 elements the count is unknown, and known again below", () => {
  const blob = new HeapBlob();
  listpack.create(blob);
  const list = Array.from({ length: 65534 }, (_, i) => String(i % 100));
  for (const element of list) listpack.append(blob, latin1(element), 0, element.length);
  assertEquals(bytesOf(blob), Uint8Array.from(encode(list)));
  for (let i = 0; i < 5; i++) {
    list.push("x");
    listpack.append(blob, latin1("x"), 0, 1);
    assertEquals(listpack.count(blob), list.length);
  }
  assertEquals(bytesOf(blob), Uint8Array.from(encode(list)));
  assertEquals(listpack.seek(blob, 65538), listpack.last(blob));
  assertEquals(listpack.seek(blob, -1), listpack.last(blob));
  assertEquals(listpack.seek(blob, 65539), -1);
  assertEquals(listpack.seek(blob, -65539), listpack.first(blob));
  assertEquals(listpack.seek(blob, -65540), -1);
  assert(listpack.validate(blob.buf, 0, blob.len, true));
  const half = HeapBlob.from(bytesOf(blob));
  listpack.removeRange(half, 10, 40000);
  list.splice(10, 40000);
  assertEquals(listpack.count(half), list.length);
  assertEquals(bytesOf(half), Uint8Array.from(encode(list)));
  listpack.appendAll(half, blob);
  assertEquals(listpack.count(half), list.length + 65539);
});

test("listpack: the bytes are those of redis-server's hashes, lists and sorted sets", async () => {
  if (!hasRedis()) return;
  const big = "100000000";
  await using redis = await startRedis({
    args: [
      ...["--rdbcompression", "no", "--hash-max-listpack-entries", "1000", "--hash-max-listpack-value", big],
      ...["--zset-max-listpack-entries", "1000", "--zset-max-listpack-value", big, "--list-max-listpack-size", "-5"],
      ...["--sanitize-dump-payload", "yes", "--proto-max-bulk-len", "512mb"],
    ],
  });
  const client = await redis.connect();
  const random = new Xoshiro(11, null);
  const check = async (key: string, type: number, blob: Blob) => {
    const dump = blobOfDump(await client.call("DUMP", key) as string);
    assertEquals(dump.type, type);
    assertEquals(bytesOf(blob), dump.bytes, key);
    assert(listpack.validate(blob.buf, blob.off, blob.len, true));
  };

  // A hash of every integer edge and of strings around every change of encoding and backlen.
  const hash = new HeapBlob();
  listpack.create(hash);
  const values: string[] = [];
  for (const bits of [0n, 6n, 7n, 8n, 12n, 13n, 15n, 16n, 23n, 24n, 31n, 32n, 53n, 63n, 64n]) {
    for (let d = -1n; d <= 1n; d++) values.push(String(2n ** bits + d), String(-(2n ** bits) + d));
  }
  for (const length of [...LENGTHS, ...LONG, 2097143, 2097144, 2097145, 2097146, 2097147]) {
    values.push("v".repeat(length));
  }
  values.push("-0", "007", "+5", "0", "00", "1.5", " 1");
  for (const value of values) {
    const field = `f${random.u32()}`;
    await client.call("HSET", "hash", latin1(field), latin1(value));
    listpack.append(hash, latin1(field), 0, field.length);
    listpack.append(hash, latin1(value), 0, value.length);
  }
  await check("hash", RDB_HASH_LISTPACK, hash);

  const zset = new HeapBlob();
  listpack.create(zset);
  for (const [member, score] of [["m", "-1000000"], ["7", "-1.5"], ["x".repeat(70), "3"], ["y", "1e+100"]]) {
    await client.call("ZADD", "zset", score, member);
    for (const part of [member, score]) listpack.append(zset, latin1(part), 0, part.length);
  }
  await check("zset", RDB_ZSET_LISTPACK, zset);

  // The same random changes on both sides.
  const list: string[] = ["start"];
  const blob = new MovingBlob(random);
  listpack.create(blob);
  listpack.append(blob, latin1("start"), 0, 5);
  await client.call("RPUSH", "list", "start");
  for (let round = 0; round < 60; round++) {
    const commands: (string | Uint8Array)[][] = [];
    for (let i = 0; i < 40; i++) {
      const element = latin1(randomElement(random).slice(0, 300));
      const index = random.below(list.length);
      const kind = random.below(list.length > 100 ? 7 : list.length < 3 ? 3 : 6);
      if (kind === 0) {
        commands.push(["RPUSH", "list", element]);
        listpack.append(blob, element, 0, element.length);
        list.push(text(element));
      } else if (kind === 1) {
        commands.push(["LPUSH", "list", element]);
        listpack.prepend(blob, element, 0, element.length);
        list.unshift(text(element));
      } else if (kind === 2) {
        const pivot = list.indexOf(list[index]);
        commands.push(["LINSERT", "list", "AFTER", latin1(list[index]), element]);
        listpack.insertAfter(
          blob,
          listpack.find(blob, listpack.first(blob), latin1(list[index]), 0, list[index].length, 0),
          element,
          0,
          element.length,
        );
        list.splice(pivot + 1, 0, text(element));
      } else if (kind === 3) {
        commands.push(["LSET", "list", String(index), element]);
        listpack.replace(blob, listpack.seek(blob, index), element, 0, element.length);
        list[index] = text(element);
      } else if (kind === 4) {
        const pivot = list.indexOf(list[index]);
        commands.push(["LREM", "list", "1", latin1(list[index])]);
        listpack.remove(blob, listpack.seek(blob, pivot));
        list.splice(pivot, 1);
      } else if (kind === 5) {
        commands.push(["RPOP", "list"]);
        listpack.remove(blob, listpack.last(blob));
        list.pop();
      } else {
        commands.push(["LTRIM", "list", "10", "-40"]);
        listpack.removeRange(blob, 0, 10);
        listpack.removeRange(blob, -39, 39);
        list.splice(0, 10);
        list.length -= 39;
      }
    }
    await client.pipeline(commands);
    await check("list", RDB_QUICKLIST_2, blob);
  }

  // More elements than the header can count: Redis reads ours.
  const many = new HeapBlob();
  listpack.create(many);
  for (let i = 0; i < 70000; i++) listpack.appendInt(many, i);
  assertEquals(await client.ok("RESTORE", "many", "0", dumpOfBlob(RDB_HASH_LISTPACK, bytesOf(many))), { status: "OK" });
  assertEquals(await client.call("HLEN", "many"), 35000);
  assertEquals(await client.call("HGET", "many", "69998"), "69999");
});

test("listpack: what validate lets through can be read from both sides, and redis-server agrees", async () => {
  const random = new Xoshiro(13, null);
  const payloads: Uint8Array[] = [];
  const verdicts: boolean[] = [];
  let accepted = 0;
  for (let round = 0; round < 60_000; round++) {
    const list = Array.from({ length: 1 + random.below(6) }, () => randomElement(random).slice(0, 200));
    const bytes = Uint8Array.from(encode(list));
    for (let i = random.below(3); i >= 0; i--) {
      // Mostly the bytes that say something about the structure.
      const at = random.below(3) > 0 ? random.below(Math.min(bytes.length, 16)) : random.below(bytes.length);
      bytes[at] =
        [random.below(256), bytes[at] + 1, bytes[at] - 1, 0xff, 0xf0 + random.below(16), 0x80][random.below(6)];
    }
    const padded = new Uint8Array(bytes.length + 20).fill(random.below(256));
    padded.set(bytes, 10);
    const valid = listpack.validate(padded, 10, bytes.length, true);
    if (payloads.length < 6000) {
      payloads.push(dumpOfBlob(RDB_QUICKLIST_2, bytes));
      verdicts.push(valid && bytes.length > listpack.EMPTY_BYTES);
    }
    if (!valid) continue;
    accepted++;
    const blob = HeapBlob.from(padded, 10, bytes.length);
    const forward = elements(blob);
    assertEquals(elementsBackwards(blob), forward);
    assertEquals(listpack.count(blob), forward.length);
  }
  assert(accepted > 1000, `only ${accepted} accepted`);
  for (
    const [bytes, why] of [
      [[6, 0, 0, 0, 0, 0], "no end"],
      [[7, 0, 0, 0, 1, 0, 255], "wrong count"],
      [[8, 0, 0, 0, 0, 0, 255], "wrong length"],
      [[8, 0, 0, 0, 0, 0, 255, 255], "early end"],
      [[9, 0, 0, 0, 1, 0, 0xf5, 1, 255], "no such encoding"],
      [[13, 0, 0, 0, 1, 0, 0xf0, 255, 255, 255, 255, 1, 255], "huge string"],
    ] as [number[], string][]
  ) {
    assertEquals(listpack.validate(Uint8Array.from(bytes), 0, bytes.length, true), false, why);
  }

  if (!hasRedis()) return;
  await using redis = await startRedis({ args: ["--sanitize-dump-payload", "yes", "--list-max-listpack-size", "-5"] });
  const client = await redis.connect();
  const replies = await client.pipeline(payloads.map((payload) => ["RESTORE", "k", "0", payload, "REPLACE"]));
  replies.forEach((reply, i) => {
    if ((errorOf(reply) === undefined) !== verdicts[i]) {
      throw new Error(`redis ${JSON.stringify(reply)}, we ${verdicts[i]}: ${[...payloads[i]].join(" ")}`);
    }
  });
});

test("listpack: the limit of 1 GiB", () => {
  const blob = new HeapBlob();
  listpack.create(blob);
  assert(listpack.isSafeToAdd(null, 1 << 30));
  assert(listpack.isSafeToAdd(blob, (1 << 30) - 7));
  assert(!listpack.isSafeToAdd(blob, (1 << 30) - 6));
});
