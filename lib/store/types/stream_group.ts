/**
 * Consumer groups: what was delivered to whom and not acknowledged yet.
 *
 * A group's pending entries are one IdList, with when, how often and to whom each was last delivered; a consumer's are another one with
 * the IDs alone. Names are latin1 strings, one character a byte, as keys of Maps: groups and consumers are few, and whoever
 * lists them (`inOrder`) gets them in the order of their bytes.
 *
 *   pending entry   ID, delivery time (high, low), deliveries (high, low), number of the consumer
 *
 * Behaviour: t_stream.c of Redis 7.0.
 */

import { Int64 } from "./int64.ts";
import { StreamId } from "./stream_id.ts";
import { IdList, type Ledger } from "./stream_pending.ts";

/** Words of a pending entry after its ID. */
const TIME = 0, DELIVERIES = 2, OWNER = 4, WORDS = 5;
/** No consumer yet: entries that are being loaded. */
const NOBODY = -1;
/** What the objects of a group and of a consumer cost, roughly, without the names. */
const GROUP_OVERHEAD = 320;
const CONSUMER_OVERHEAD = 200;

/** Shared by all groups that have lost no consumer; never written to. */
const NO_NUMBERS: number[] = [];
const scratch = new StreamId();
const wide = new Int64();

/** A counter of 64 bits: a number while that is exact, else a bigint. */
export type Counter = number | bigint;

/** `entriesRead` of a group that cannot tell. */
export const UNKNOWN = -1;

export function counterOf(value: bigint): Counter {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}

export function incremented(counter: Counter): Counter {
  if (typeof counter === "number" && counter < Number.MAX_SAFE_INTEGER) return counter + 1;
  return counterOf(BigInt(counter) + 1n);
}

/** The difference as a signed number of 64 bits, which it may overflow as in C. */
export function counterDifference(a: Counter, b: Counter): Counter {
  if (typeof a === "number" && typeof b === "number") {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return counterOf(BigInt.asIntN(64, BigInt(a) - BigInt(b)));
}

export class Consumer {
  /** Milliseconds since 1970. */
  seenTime: Counter;
  readonly pending: IdList;

  constructor(readonly name: string, readonly number: number, seenTime: Counter, ledger: Ledger) {
    this.seenTime = seenTime;
    this.pending = new IdList(ledger, 0);
    ledger.add(CONSUMER_OVERHEAD + name.length);
  }

  drop(): void {
    this.pending.ledger.add(-(CONSUMER_OVERHEAD + this.name.length));
    this.pending.drop();
  }
}

export class Group {
  readonly lastId: StreamId = new StreamId();
  entriesRead: Counter = UNKNOWN;
  readonly pending: IdList;
  readonly #consumers = new Map<string, Consumer>();
  /** Consumers by number. */
  readonly #numbered: (Consumer | null)[] = [];
  /** Numbers of consumers that are gone. */
  #freeNumbers = NO_NUMBERS;

  constructor(readonly name: string, readonly ledger: Ledger) {
    this.pending = new IdList(ledger, WORDS);
    ledger.add(GROUP_OVERHEAD + name.length);
  }

  // ---- Consumers -----------------------------------------------------------------------------------------------------------------

  get consumers(): number {
    return this.#consumers.size;
  }

  consumer(name: string): Consumer | null {
    return this.#consumers.get(name) ?? null;
  }

  /** Adds a consumer that is not there yet. */
  addConsumer(name: string, seenTime: Counter): Consumer {
    const number = this.#freeNumbers.length > 0 ? this.#freeNumbers.pop()! : this.#numbered.length;
    const consumer = new Consumer(name, number, seenTime, this.ledger);
    this.#numbered[number] = consumer;
    this.#consumers.set(name, consumer);
    return consumer;
  }

  /** Removes a consumer with its pending entries. */
  removeConsumer(consumer: Consumer): void {
    const id = scratch;
    for (consumer.pending.first(); !consumer.pending.atEnd; consumer.pending.next()) {
      consumer.pending.readId(id);
      if (this.pending.seek(id)) this.pending.remove();
    }
    this.#consumers.delete(consumer.name);
    this.#numbered[consumer.number] = null;
    this.#freeNumber(consumer.number);
    consumer.drop();
  }

  #freeNumber(number: number): void {
    if (this.#freeNumbers === NO_NUMBERS) this.#freeNumbers = [];
    this.#freeNumbers.push(number);
  }

  consumersInOrder(): Consumer[] {
    return inOrder(this.#consumers);
  }

  // ---- Pending entries: `pending.seek` and the like choose the entry that the rest is about -----------------------------------------

  /** The consumer; null only while a group is being loaded. */
  get owner(): Consumer | null {
    const number = this.pending.word(OWNER);
    return number === NOBODY ? null : this.#numbered[number];
  }

  get deliveryTime(): Counter {
    return this.#read(TIME);
  }

  set deliveryTime(time: Counter) {
    this.#write(TIME, time);
  }

  /** Signed, as replies show it. */
  get deliveries(): Counter {
    return this.#read(DELIVERIES);
  }

  set deliveries(count: Counter) {
    this.#write(DELIVERIES, count);
  }

  /** `deliveryTime` and `deliveries` from a register. */
  setDeliveryTime({ hi, lo }: Int64): void {
    this.pending.setWide(TIME, hi, lo);
  }

  setDeliveries({ hi, lo }: Int64): void {
    this.pending.setWide(DELIVERIES, hi, lo);
  }

  #read(word: number): Counter {
    wide.hi = this.pending.word(word);
    wide.lo = this.pending.word(word + 1);
    return wide.counter;
  }

  #write(word: number, value: Counter): void {
    wide.set(value);
    this.pending.setWide(word, wide.hi, wide.lo);
  }

  addDelivery(): void {
    this.deliveries = incremented(this.deliveries);
  }

  /** Adds an entry without a consumer, or goes to it; returns whether it was added. */
  addPending(id: StreamId): boolean {
    if (!this.pending.insert(id)) return false;
    this.pending.setWord(OWNER, NOBODY);
    return true;
  }

  /** Gives the entry, whose ID this is, to a consumer. */
  assign(id: StreamId, consumer: Consumer): void {
    const { owner } = this;
    if (owner === consumer) return;
    if (owner !== null && owner.pending.seek(id)) owner.pending.remove();
    consumer.pending.insert(id);
    this.pending.setWord(OWNER, consumer.number);
  }

  /** Removes the entry, whose ID this is; the position is then that of the next one. */
  removePending(id: StreamId): void {
    const { owner } = this;
    if (owner !== null && owner.pending.seek(id)) owner.pending.remove();
    this.pending.remove();
  }

  /** Gives all memory back. */
  drop(): void {
    for (const consumer of this.#consumers.values()) consumer.drop();
    this.pending.drop();
    this.ledger.add(-(GROUP_OVERHEAD + this.name.length));
  }

  /** A copy that belongs to another ledger; `shared`: for reading only, with the pending entries in common (see `Stream.share`). */
  copy(ledger: Ledger, shared = false): Group {
    const take = (into: IdList, from: IdList) => shared ? into.shareFrom(from) : into.copyFrom(from);
    const copy = new Group(this.name, ledger);
    copy.lastId.copy(this.lastId);
    copy.entriesRead = this.entriesRead;
    take(copy.pending, this.pending);
    for (const consumer of this.#numbered) {
      if (consumer === null) {
        copy.#freeNumber(copy.#numbered.length);
        copy.#numbered.push(null);
        continue;
      }
      const { name, number, seenTime } = consumer;
      const twin = new Consumer(name, number, seenTime, ledger);
      take(twin.pending, consumer.pending);
      copy.#numbered.push(twin);
      copy.#consumers.set(name, twin);
    }
    return copy;
  }
}

/** The values of a Map, by the bytes of their names. */
export function inOrder<T>(map: ReadonlyMap<string, T>): T[] {
  return [...map.keys()].sort().map((name) => map.get(name)!);
}
