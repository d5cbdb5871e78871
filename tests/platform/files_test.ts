/** The contract of `Files`, on the real disk and on the simulated one, and what only the simulated one can show. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { createPlatform } from "../../lib/platform/memory.ts";
import type { PlatformError } from "../../lib/platform/platform.ts";
import { test } from "../kit/test.ts";
import { type Ground, pattern, realGround, simulatedGround } from "./ground.ts";

const text = (value: string) => new TextEncoder().encode(value);
const shown = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function contract(name: string, run: (ground: Ground) => Promise<void> | void): void {
  for (const [where, make] of [["real", realGround], ["simulated", simulatedGround]] as const) {
    test(`${where} files: ${name}`, async () => {
      const ground = await make();
      try {
        await run(ground);
      } finally {
        ground.leave();
      }
    });
  }
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    return (thrown as PlatformError).code;
  }
  return "no error";
}

contract("append, sizes and truncation", ({ platform: { files }, directory }) => {
  const path = `${directory}/a`;
  const file = files.open(path, "a", 0o640);
  file.write(text("hello "));
  file.write(text("--world--"), 2, 7);
  assertEquals([file.size(), shown(files.read(path))], [11, "hello world"]);
  file.truncate(5);
  file.write(text("!"));
  file.dataSync();
  file.sync();
  file.close();
  file.close();
  assertEquals(shown(files.read(path)), "hello!");
  const again = files.open(path, "a");
  again.write(text("?"));
  again.close();
  assertEquals(shown(files.read(path)), "hello!?");
  const info = files.stat(path);
  assertEquals([info?.size, info?.isFile, info?.isDirectory, info?.mode], [7, true, false, 0o640]);
  assert(info !== null && info.modifiedMs > 1_600_000_000_000);
});

contract("reads at a position leave the file's own alone", ({ platform: { files }, directory }) => {
  const path = `${directory}/r`;
  files.write(path, text("0123456789"));
  const file = files.open(path, "r");
  const into = new Uint8Array(10);
  assertEquals(file.read(into, 0, 3), 3);
  assertEquals(file.read(into, 5, 9, 6), 4);
  assertEquals(file.read(into, 3, 5), 2);
  assertEquals(Array.from(into.subarray(0, 9), (byte) => byte - 48), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
  assertEquals([file.read(into, 0, 10), file.read(into, 0, 10), file.read(into, 0, 10, 10)], [5, 0, 0]);
  assertEquals(codeOf(() => file.write(text("x"))), "EBADF");
  file.close();
});

contract("open flags", ({ platform: { files }, directory }) => {
  const path = `${directory}/f`;
  assertEquals(codeOf(() => files.open(path, "r")), "ENOENT");
  assertEquals(codeOf(() => files.open(path, "r+")), "ENOENT");
  files.open(path, "wx").close();
  assertEquals(codeOf(() => files.open(path, "wx")), "EEXIST");
  files.write(path, text("abc"));
  const file = files.open(path, "r+");
  file.write(text("X"));
  file.close();
  assertEquals(shown(files.read(path)), "Xbc");
  files.open(path, "w").close();
  assertEquals(files.stat(path)?.size, 0);
  assertEquals(codeOf(() => files.open(`${directory}/none/f`, "w")), "ENOENT");
});

contract("rename replaces, directories list, missing things say so", ({ platform: { files }, directory }) => {
  files.write(`${directory}/old`, text("old"));
  files.write(`${directory}/new`, text("new"));
  files.rename(`${directory}/new`, `${directory}/old`);
  files.syncDirectory(directory);
  assertEquals(shown(files.read(`${directory}/old`)), "new");
  assertEquals(files.stat(`${directory}/new`), null);
  files.makeDirectory(`${directory}/sub`);
  files.write(`${directory}/sub/x`, text(""));
  assertEquals(files.list(directory).sort(), ["old", "sub"]);
  assertEquals(files.list(`${directory}/sub`), ["x"]);
  assertEquals(files.stat(`${directory}/sub`)?.isDirectory, true);
  assertEquals(codeOf(() => files.makeDirectory(`${directory}/sub`)), "EEXIST");
  assertEquals(codeOf(() => files.list(`${directory}/none`)), "ENOENT");
  assertEquals(codeOf(() => files.read(`${directory}/none`)), "ENOENT");
  assertEquals(codeOf(() => files.read(`${directory}/sub`)), "EISDIR");
  assertEquals(codeOf(() => files.rename(`${directory}/none`, `${directory}/x`)), "ENOENT");
  files.remove(`${directory}/old`);
  assertEquals(codeOf(() => files.remove(`${directory}/old`)), "ENOENT");
  assertEquals(files.resolve(`${directory}/sub/../x/./y`), `${directory}/x/y`);
});

contract("asynchronous operations", async ({ platform: { files }, directory }) => {
  const path = `${directory}/async`;
  const bytes = pattern(3_000_000);
  const file = files.open(path, "w");
  await file.writeAsync(bytes, 0, 2_000_000);
  await file.writeAsync(bytes, 2_000_000);
  await file.dataSyncAsync();
  file.close();
  const back = new Uint8Array(bytes.length + 10);
  const reading = files.open(path, "r");
  assertEquals(await reading.readAsync(back, 5, back.length), bytes.length);
  assertEquals(back.subarray(5, 5 + bytes.length), bytes);
  assertEquals(await reading.readAsync(back, 0, 4, 1000), 4);
  assertEquals(back.subarray(0, 4), bytes.subarray(1000, 1004));
  reading.close();
  await files.removeAsync(path);
  assertEquals(files.stat(path), null);
  assertEquals(await files.removeAsync(path).catch((thrown: PlatformError) => thrown.code), "ENOENT");
});

test("simulated files: a crash loses exactly what was not synced", () => {
  const { platform: { files }, machine } = createPlatform();
  files.makeDirectory("/d");
  const file = files.open("/d/log", "a");
  file.write(text("kept "));
  file.dataSync();
  files.syncDirectory("/d");
  file.write(text("lost"));
  files.write("/d/nameless", text("never synced"));
  machine.crash();
  assertEquals(files.list("/d"), ["log"]);
  assertEquals(shown(files.read("/d/log")), "kept ");
  assertEquals(codeOf(() => file.write(text("x"))), "EBADF");
});

test("simulated files: a rename without a directory sync is undone, a rewritten file keeps its synced bytes", () => {
  const { platform: { files }, machine } = createPlatform();
  files.write("/a", text("first"));
  const file = files.open("/a", "r+");
  file.sync();
  files.syncDirectory("/");
  file.write(text("SECOND"));
  files.write("/tmp", text("third"));
  files.rename("/tmp", "/a");
  machine.crash();
  assertEquals([files.list("/"), shown(files.read("/a"))], [["a"], "first"]);
});

test("simulated files: torn tails are prefixes of what was appended, of every length", () => {
  const { platform: { files }, machine } = createPlatform(3);
  const lengths = new Set<number>();
  for (let round = 0; round < 200; round++) {
    const file = files.open("/log", "w");
    file.write(text("base"));
    file.sync();
    files.syncDirectory("/");
    file.write(text("tail"));
    machine.crash(true);
    const left = shown(files.read("/log"));
    assert("basetail".startsWith(left) && left.length >= 4);
    lengths.add(left.length);
  }
  assertEquals([...lengths].sort(), [4, 5, 6, 7, 8]);
});

test("simulated files: a full disk takes what fits and says how much, faults fail what they are asked to", () => {
  const { platform: { files }, machine } = createPlatform();
  machine.disk.capacity = 10;
  const file = files.open("/x", "a");
  file.write(text("1234567"));
  const error = assertThrows(() => file.write(text("abcdef")), Error) as PlatformError & { written: number };
  assertEquals([error.code, error.written, shown(files.read("/x"))], ["ENOSPC", 3, "1234567abc"]);
  file.truncate(7);
  file.write(text("xyz"));
  machine.disk.fault = (operation, path) => operation === "sync" && path === "/x" ? "EIO" : null;
  assertEquals(codeOf(() => file.dataSync()), "EIO");
  machine.disk.fault = () => null;
  file.dataSync();
});

test("real files: a write that cannot go on throws the POSIX name", async () => {
  const ground = await realGround();
  if (ground.platform.files.stat("/dev/full") !== null) {
    const full = ground.platform.files.open("/dev/full", "a");
    const error = assertThrows(() => full.write(text("abc")), Error) as PlatformError & { written: number };
    assertEquals([error.code, error.written], ["ENOSPC", 0]);
    full.close();
  }
  ground.leave();
});
