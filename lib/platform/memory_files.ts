/**
 * The disk of a simulated machine. It keeps apart what a program wrote and what would survive a power cut, because that
 * difference is what `fsync` is for and what an append-only file's promises rest on:
 *
 * - A file is an inode: its bytes now, and its bytes as of the last sync. `#cleanLength` is the prefix that is the same in
 *   both, so that syncing a file that only grows copies only what was added.
 * - A name is an entry of `#names` (now) and of `#durableNames` (after a crash). Creating, renaming and removing change
 *   the first; `syncDirectory` carries one directory's entries over to the second.
 *
 * `crash` goes back to the durable side. Faults: `capacity` makes writes fail with ENOSPC after as many bytes as fit,
 * `fault` may fail any operation with any code, `latencyMs` delays the asynchronous ones on the simulated clock.
 */

import { platformError } from "./errors.ts";
import type { Clock, File, FileInfo, Files, Random } from "./platform.ts";

export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "rename"
  | "remove"
  | "list"
  | "makeDirectory"
  | "syncDirectory";

class Inode {
  bytes = new Uint8Array(0);
  length = 0;
  durable = new Uint8Array(0);
  /** Bytes at the front that are equal in `bytes` and `durable`. */
  cleanLength = 0;
  modifiedMs: number;
  readonly mode: number;

  constructor(mode: number, now: number) {
    this.mode = mode;
    this.modifiedMs = now;
  }

  resize(length: number): void {
    if (length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.bytes.length * 2, 64));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    if (length < this.length) this.bytes.fill(0, length, this.length);
    this.length = length;
    this.cleanLength = Math.min(this.cleanLength, length);
  }

  put(at: number, bytes: Uint8Array): void {
    if (at + bytes.length > this.length) this.resize(at + bytes.length);
    this.bytes.set(bytes, at);
    this.cleanLength = Math.min(this.cleanLength, at);
  }

  sync(): void {
    if (this.cleanLength === this.length && this.durable.length === this.length) return;
    const durable = new Uint8Array(this.length);
    durable.set(this.durable.subarray(0, this.cleanLength));
    durable.set(this.bytes.subarray(this.cleanLength, this.length), this.cleanLength);
    this.durable = durable;
    this.cleanLength = this.length;
  }

  crash(torn: Random | null): void {
    const keep = this.cleanLength === this.durable.length && this.length > this.cleanLength && torn !== null
      ? this.cleanLength + torn.below(this.length - this.cleanLength + 1)
      : -1;
    // Only data appended after the last sync may survive in part; a real disk may also mix old and new blocks.
    const survivors = keep < 0 ? this.durable : this.bytes.slice(0, keep);
    this.bytes = survivors.slice();
    this.length = survivors.length;
    this.durable = survivors.slice();
    this.cleanLength = survivors.length;
  }
}

class MemoryFile implements File {
  readonly #disk: MemoryDisk;
  readonly #inode: Inode;
  readonly #name: string;
  readonly #append: boolean;
  readonly #writable: boolean;
  readonly #epoch: number;
  #position = 0;
  #closed = false;

  constructor(disk: MemoryDisk, inode: Inode, name: string, flags: string) {
    this.#disk = disk;
    this.#inode = inode;
    this.#name = name;
    this.#append = flags.startsWith("a");
    this.#writable = flags !== "r";
    this.#epoch = disk.epoch;
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#check("write");
    if (!this.#writable) throw platformError("EBADF");
    const at = this.#append ? this.#inode.length : this.#position;
    const growth = Math.max(0, at + (end - start) - this.#inode.length);
    const room = this.#disk.room();
    const lost = Math.max(0, growth - room);
    const count = end - start - lost;
    this.#inode.put(at, bytes.subarray(start, start + count));
    this.#inode.modifiedMs = this.#disk.now();
    this.#position = at + count;
    if (lost > 0) throw Object.assign(platformError("ENOSPC"), { written: count });
  }

  async writeAsync(bytes: Uint8Array, start = 0, end = bytes.length): Promise<void> {
    await this.#disk.delay();
    this.write(bytes, start, end);
  }

  read(into: Uint8Array, start: number, end: number, position = -1): number {
    this.#check("read");
    const at = position < 0 ? this.#position : position;
    const count = Math.max(0, Math.min(end - start, this.#inode.length - at));
    into.set(this.#inode.bytes.subarray(at, at + count), start);
    if (position < 0) this.#position += count;
    return count;
  }

  async readAsync(into: Uint8Array, start: number, end: number, position = -1): Promise<number> {
    await this.#disk.delay();
    return this.read(into, start, end, position);
  }

  dataSync(): void {
    this.#check("sync");
    this.#inode.sync();
  }

  async dataSyncAsync(): Promise<void> {
    await this.#disk.delay();
    this.dataSync();
  }

  sync(): void {
    this.dataSync();
  }

  truncate(size: number): void {
    this.#check("truncate");
    if (size - this.#inode.length > this.#disk.room()) throw platformError("ENOSPC");
    this.#inode.resize(size);
    this.#inode.modifiedMs = this.#disk.now();
  }

  size(): number {
    return this.#inode.length;
  }

  close(): void {
    this.#closed = true;
  }

  closeAsync(): Promise<void> {
    this.#closed = true;
    return this.#disk.delay();
  }

  #check(operation: DiskOperation): void {
    if (this.#closed || this.#epoch !== this.#disk.epoch) throw platformError("EBADF");
    this.#disk.check(operation, this.#name);
  }
}

/** A disk; outlives the crashes of its machine. Paths are absolute or relative to `currentDirectory`. */
export class MemoryDisk implements Files {
  /** Bytes all files together may hold. */
  capacity = Infinity;
  /** What the asynchronous operations take. 0: they finish without waiting for the clock. */
  latencyMs = 0;
  /** Asked before every operation; a code makes it fail. */
  fault: (operation: DiskOperation, path: string) => string | null = () => null;
  currentDirectory = "/";
  /** Counts crashes: files opened before one are dead. */
  epoch = 0;
  readonly #clock: Clock;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #directories = new Set<string>(["/"]);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Loses everything that was not synced. With `torn` the bytes appended since a file's last sync survive up to a random
   * place, as on a disk that was writing when the power went.
   */
  crash(torn: Random | null = null): void {
    this.epoch++;
    this.#names = new Map(this.#durableNames);
    for (const inode of new Set(this.#names.values())) inode.crash(torn);
    this.currentDirectory = "/";
  }

  now(): number {
    return this.#clock.now();
  }

  room(): number {
    if (this.capacity === Infinity) return Infinity;
    let used = 0;
    for (const inode of new Set(this.#names.values())) used += inode.length;
    return Math.max(0, this.capacity - used);
  }

  delay(): Promise<void> {
    if (this.latencyMs === 0) return Promise.resolve();
    const { epoch } = this;
    return new Promise((resolve) => {
      this.#clock.after(this.latencyMs, () => {
        // Who waited for this is gone with the power.
        if (epoch === this.epoch) resolve();
      });
    });
  }

  check(operation: DiskOperation, path: string): void {
    const code = this.fault(operation, path);
    if (code !== null) throw platformError(code);
  }

  read(path: string): Uint8Array {
    const name = this.resolve(path);
    this.check("read", name);
    const inode = this.#find(name);
    return inode.bytes.slice(0, inode.length);
  }

  write(path: string, bytes: Uint8Array, mode = 0o644): void {
    const file = this.open(path, "w", mode);
    file.write(bytes);
    file.close();
  }

  open(path: string, flags: string, mode = 0o644): File {
    const name = this.resolve(path);
    this.check("open", name);
    if (this.#directories.has(name)) throw platformError("EISDIR");
    if (!this.#directories.has(parentOf(name))) throw platformError("ENOENT");
    let inode = this.#names.get(name);
    if (inode !== undefined && flags.includes("x")) throw platformError("EEXIST");
    if (inode === undefined) {
      if (flags.startsWith("r")) throw platformError("ENOENT");
      inode = new Inode(mode, this.now());
      this.#names.set(name, inode);
    } else if (flags.startsWith("w")) {
      inode.resize(0);
      inode.modifiedMs = this.now();
    }
    return new MemoryFile(this, inode, name, flags);
  }

  stat(path: string): FileInfo | null {
    const name = this.resolve(path);
    if (this.#directories.has(name)) {
      return { size: 4096, isDirectory: true, isFile: false, modifiedMs: 0, mode: 0o755 };
    }
    const inode = this.#names.get(name);
    if (inode === undefined) return null;
    return { size: inode.length, isDirectory: false, isFile: true, modifiedMs: inode.modifiedMs, mode: inode.mode };
  }

  list(path: string): string[] {
    const name = this.resolve(path);
    this.check("list", name);
    if (!this.#directories.has(name)) throw platformError(this.#names.has(name) ? "ENOTDIR" : "ENOENT");
    const found: string[] = [];
    for (const each of [...this.#names.keys(), ...this.#directories]) {
      if (each !== "/" && parentOf(each) === name) found.push(each.slice(each.lastIndexOf("/") + 1));
    }
    return found;
  }

  makeDirectory(path: string): void {
    const name = this.resolve(path);
    this.check("makeDirectory", name);
    if (this.#directories.has(name) || this.#names.has(name)) throw platformError("EEXIST");
    if (!this.#directories.has(parentOf(name))) throw platformError("ENOENT");
    this.#directories.add(name);
  }

  rename(from: string, to: string): void {
    const source = this.resolve(from);
    const target = this.resolve(to);
    this.check("rename", source);
    const inode = this.#find(source);
    if (this.#directories.has(target)) throw platformError("EISDIR");
    if (!this.#directories.has(parentOf(target))) throw platformError("ENOENT");
    this.#names.delete(source);
    this.#names.set(target, inode);
  }

  remove(path: string): void {
    const name = this.resolve(path);
    this.check("remove", name);
    this.#find(name);
    this.#names.delete(name);
  }

  async removeAsync(path: string): Promise<void> {
    await this.delay();
    this.remove(path);
  }

  syncDirectory(path: string): void {
    const name = this.resolve(path);
    this.check("syncDirectory", name);
    if (!this.#directories.has(name)) throw platformError("ENOENT");
    for (const each of this.#durableNames.keys()) {
      if (parentOf(each) === name && !this.#names.has(each)) this.#durableNames.delete(each);
    }
    for (const [each, inode] of this.#names) {
      if (parentOf(each) === name) this.#durableNames.set(each, inode);
    }
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    await this.delay();
    this.syncDirectory(path);
  }

  resolve(path: string): string {
    const parts: string[] = [];
    for (const part of (path.startsWith("/") ? path : `${this.currentDirectory}/${path}`).split("/")) {
      if (part === "..") parts.pop();
      else if (part !== "" && part !== ".") parts.push(part);
    }
    return `/${parts.join("/")}`;
  }

  #find(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw platformError(this.#directories.has(name) ? "EISDIR" : "ENOENT");
    return inode;
  }
}

function parentOf(name: string): string {
  const slash = name.lastIndexOf("/");
  return slash <= 0 ? "/" : name.slice(0, slash);
}
