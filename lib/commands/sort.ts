/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in order, by themselves or by what other keys hold (BY), and what
 * yet other keys hold for them (GET).
 *
 * The elements are copied out before anything else happens: looking up keys can delete keys that have expired. They stand behind each
 * other in one buffer, and so do texts to sort by (BY … ALPHA). What is sorted is an array of their numbers, by a merge sort of our own:
 * the engines' sorts, which are not JavaScript, take longer to call a comparison than to make it.
 *
 * Without STORE, texts are ordered as the C locale does, up to the first zero byte; with STORE by all their bytes.
 */

import { lower, parseDouble, parseInt64, parseScoreBound } from "../bytes/ascii.ts";
import { compareBytes, copyBytes } from "../bytes/span.ts";
import { Args } from "../bytes/args.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { sortKeys, sortRoKeys } from "../engine/keys.ts";
import { errorReply, NOT_INTEGER, SYNTAX, WRONGTYPE } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { HashView } from "../store/types/hash.ts";
import { ListView } from "../store/types/list.ts";
import type { ListpackCursor } from "../store/types/listpack.ts";
import { SetView } from "../store/types/set.ts";
import { ZsetView } from "../store/types/zset.ts";

const SORTSTORE = keyEvent(EventClass.LIST, "sortstore");

const NOT_DOUBLE = errorReply("ERR One or more scores can't be converted into double");
const BY_CLUSTER = errorReply("ERR BY option of SORT denied in Cluster mode.");
const GET_CLUSTER = errorReply("ERR GET option of SORT denied in Cluster mode.");

const ASC = lower("asc"), DESC = lower("desc"), ALPHA = lower("alpha"), LIMIT = lower("limit");
const STORE = lower("store"), BY = lower("by"), GET = lower("get");

/** A list that is stored is made with these, whatever the configuration says. */
const DEFAULT_LIMITS = { listMaxListpackSize: -2, listCompressDepth: 0 };

const STAR = 42, HASH_SIGN = 35, MINUS = 45, GREATER = 62;
const NO_BYTES = new Uint8Array(0);
/** A buffer that one huge sort has grown beyond this is not kept. */
const KEEP = 1024 * 1024;

const list = new ListView();
const set = new SetView();
const zset = new ZsetView();
const hash = new HashView();
/** The key that a pattern makes. */
const key = new Args();

/** Byte strings behind each other. */
class Texts {
  buf = new Uint8Array(4096);
  off = new Int32Array(256);
  len = new Int32Array(256);
  count = 0;
  #end = 0;

  clear(): void {
    if (this.buf.length > KEEP) this.buf = new Uint8Array(4096);
    if (this.off.length > KEEP) {
      this.off = new Int32Array(256);
      this.len = new Int32Array(256);
    }
    this.count = 0;
    this.#end = 0;
  }

  add(buf: Uint8Array, off: number, len: number): void {
    if (this.#end + len > this.buf.length) {
      const grown = new Uint8Array(Math.max(this.#end + len, this.buf.length * 2));
      grown.set(this.buf.subarray(0, this.#end));
      this.buf = grown;
    }
    if (this.count === this.off.length) {
      this.off = doubled(this.off);
      this.len = doubled(this.len);
    }
    copyBytes(buf, off, len, this.buf, this.#end);
    this.off[this.count] = this.#end;
    this.len[this.count++] = len;
    this.#end += len;
  }

  addElement(element: ListpackCursor): void {
    element.asText();
    this.add(element.buf, element.off, element.len);
  }

  /** The order of two strings: of all their bytes, or (as C's strings) up to a zero byte. */
  compare(a: number, b: number, whole: boolean): number {
    const { buf, off, len } = this;
    if (whole) return compareBytes(buf, off[a], len[a], buf, off[b], len[b]);
    return compareBytes(buf, off[a], this.#lengthInC(a), buf, off[b], this.#lengthInC(b));
  }

  #lengthInC(i: number): number {
    const start = this.off[i];
    const end = start + this.len[i];
    for (let at = start; at < end; at++) if (this.buf[at] === 0) return at - start;
    return end - start;
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(array.length * 2);
  grown.set(array);
  return grown;
}

/** The elements, and the texts to sort them by. */
const elements = new Texts();
const weights = new Texts();

/** What BY or GET names: `#`, the element itself; or a key with a star for the element, and perhaps a field of the hash that is there. */
class Pattern {
  isElement = false;
  /** Place of the star, which is that of the element in the key; -1 without one: nothing is ever found then. */
  star = -1;
  /** The key, with what is before the star. */
  key = new Uint8Array(64);
  /** What follows the star in the key, and the field, if `hasField`: both in the command's arguments. */
  buf: Uint8Array = NO_BYTES;
  restOff = 0;
  restLen = 0;
  hasField = false;
  fieldOff = 0;
  fieldLen = 0;

  /** Argument i. */
  set(a: Args, i: number): this {
    const { buf } = a;
    const off = a.off[i];
    const len = a.len[i];
    this.buf = buf;
    this.isElement = buf[off] === HASH_SIGN && (len === 1 || buf[off + 1] === 0);
    this.hasField = false;
    const star = this.star = starOf(a, i);
    if (star < 0) return this;
    let arrow = len;
    for (let at = star + 1; at + 2 < len; at++) {
      const byte = buf[off + at];
      if (byte === 0) break;
      if (byte !== MINUS || buf[off + at + 1] !== GREATER) continue;
      // Only the first arrow counts, and only if a field follows.
      if (buf[off + at + 2] !== 0) arrow = at;
      break;
    }
    this.restOff = off + star + 1;
    this.restLen = arrow - star - 1;
    this.hasField = arrow < len;
    this.fieldOff = off + arrow + 2;
    this.fieldLen = len - arrow - 2;
    if (star > this.key.length || this.key.length > KEEP) this.key = new Uint8Array(Math.max(64, star * 2));
    copyBytes(buf, off, star, this.key, 0);
    return this;
  }

  /** Makes `key` the key for an element; returns its length. */
  keyOf(buf: Uint8Array, off: number, len: number): number {
    const total = this.star + len + this.restLen;
    if (total > this.key.length) {
      const longer = new Uint8Array(total * 2);
      longer.set(this.key.subarray(0, this.star));
      this.key = longer;
    }
    copyBytes(buf, off, len, this.key, this.star);
    copyBytes(this.buf, this.restOff, this.restLen, this.key, this.star + len);
    return total;
  }
}

/** What the arguments say. Argument numbers are 0 where something is not given. */
class Options {
  descending = false;
  alpha = false;
  offset = 0;
  count = -1;
  /** The pattern that gives the weights, if `isBy`. */
  readonly by = new Pattern();
  isBy = false;
  /** Nothing is sorted: BY names a pattern without a star. */
  unsorted = false;
  store = 0;
  /** The first `gets` are the patterns of GET. */
  readonly get: Pattern[] = [];
  gets = 0;

  /** False if the arguments are not valid, which has been replied. */
  parse(c: Client, mayStore: boolean): boolean {
    const { args: a } = c;
    const { clusterEnabled } = c.engine.config.values;
    this.descending =
      this.alpha =
      this.unsorted =
      this.isBy =
        false;
    this.offset = this.store = this.gets = 0;
    this.count = -1;
    for (let i = 2; i < a.argc; i++) {
      const left = a.argc - i - 1;
      if (a.is(i, ASC)) this.descending = false;
      else if (a.is(i, DESC)) this.descending = true;
      else if (a.is(i, ALPHA)) this.alpha = true;
      else if (a.is(i, LIMIT) && left >= 2) {
        this.offset = a.int(++i);
        this.count = a.int(++i);
        if (this.offset !== this.offset || this.count !== this.count) return c.fail(NOT_INTEGER);
      } else if (mayStore && a.is(i, STORE) && left >= 1) this.store = ++i;
      else if (a.is(i, BY) && left >= 1) {
        this.isBy = true;
        if (this.by.set(a, ++i).star < 0) this.unsorted = true;
        else if (clusterEnabled) return c.fail(BY_CLUSTER);
      } else if (a.is(i, GET) && left >= 1) {
        if (clusterEnabled) return c.fail(GET_CLUSTER);
        if (this.gets === this.get.length) this.get.push(new Pattern());
        this.get[this.gets++].set(a, ++i);
      } else return c.fail(SYNTAX);
    }
    return true;
  }
}

const options = new Options();

const sort = command({
  name: "sort",
  arity: -2,
  flags: "write denyoom",
  acl: "set sortedset list dangerous",
  since: "1.0.0",
  group: "generic",
  keys: [
    "1 RO access",
    "? RO access; For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
    "? OW update; For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
  ],
  getKeys: sortKeys,
  complexity:
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).",
  summary: "Sort the elements in a list, set or sorted set",
  syntax:
    "key [BY pattern#1] [LIMIT (offset count)] [GET pattern#1 [GET pattern ...]] order=[ASC | DESC] [sorting=ALPHA] [STORE destination#2]",
  run: (c) => sortElements(c, true),
});

const sortRo = command({
  name: "sort_ro",
  arity: -2,
  flags: "readonly",
  acl: "set sortedset list dangerous",
  since: "7.0.0",
  group: "generic",
  keys: [
    "1 RO access",
    "? RO access; For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
  ],
  getKeys: sortRoKeys,
  complexity:
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).",
  summary: "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
  syntax:
    "key [BY pattern#1] [LIMIT (offset count)] [GET pattern#1 [GET pattern ...]] order=[ASC | DESC] [sorting=ALPHA]",
  run: (c) => sortElements(c, false),
});

/** Place of the first star in argument i, -1 without one. The pattern ends at a zero byte. */
function starOf(a: Args, i: number): number {
  for (let at = 0; at < a.len[i]; at++) {
    const byte = a.buf[a.off[i] + at];
    if (byte === STAR) return at;
    if (byte === 0) return -1;
  }
  return -1;
}

/** What a pattern leads to: `found[foundOff, foundOff + foundLen)`. */
let found: Uint8Array = NO_BYTES;
let foundOff = 0;
let foundLen = 0;

/** Looks up what a pattern means for an element. False when there is nothing. */
function lookUp(c: Client, pattern: Pattern, element: number): boolean {
  const { db } = c;
  const off = elements.off[element];
  const len = elements.len[element];
  if (pattern.isElement) {
    found = elements.buf;
    foundOff = off;
    foundLen = len;
    return true;
  }
  if (pattern.star < 0) return false;
  const total = pattern.keyOf(elements.buf, off, len);
  const ref = db.lookupRead(key.point(pattern.key, 0, total), 0);
  if (ref === 0) return false;
  if (!pattern.hasField) {
    if (db.type(ref) !== Type.STRING) return false;
    found = db.valueBuffer(ref);
    foundOff = db.valueOffset(ref);
    foundLen = db.valueLength(ref);
    return true;
  }
  if (db.type(ref) !== Type.HASH) return false;
  if (!hash.open(db, ref).find(pattern.buf, pattern.fieldOff, pattern.fieldLen)) return false;
  hash.value.asText();
  found = hash.value.buf;
  foundOff = hash.value.off;
  foundLen = hash.value.len;
  return true;
}

/** Copies the elements out: all, or only `count` from `offset` on in the wanted direction where they are not to be sorted. */
function collect(c: Client, ref: number, type: number, offset: number, count: number): void {
  const { db } = c;
  const backward = options.unsorted && options.descending;
  elements.clear();
  if (type === Type.SET) {
    for (set.open(db, ref).rewind(); set.next();) elements.addElement(set.member);
  } else if (type === Type.LIST) {
    const { count: length } = list.open(db, ref);
    list.start(backward ? length - 1 - offset : offset, backward);
    for (let i = 0; i < count && list.next(); i++) elements.addElement(list.element);
  } else {
    const { count: length } = zset.open(db, ref);
    zset.start(backward ? length - 1 - offset : offset, backward);
    for (let i = 0; i < count && zset.next(); i++) elements.addElement(zset.member);
  }
}

/** Elements' numbers, what is merged from and to, and their weights; kept for the next time, if they are not too long. */
let numbers = new Int32Array(256);
let others = new Int32Array(256);
let scores = new Float64Array(256);
let missing = new Uint8Array(256);

function reserve(count: number): void {
  if (count <= numbers.length && numbers.length <= KEEP) return;
  const size = Math.max(256, count + (count >> 1));
  numbers = new Int32Array(size);
  others = new Int32Array(size);
  scores = new Float64Array(size);
  missing = new Uint8Array(size);
}

/** The numbers of the elements in order, as the beginning of the array; null when a weight is not a number. */
function order(c: Client): Int32Array | null {
  const { count } = elements;
  const { by, isBy, alpha } = options;
  reserve(count);
  if (alpha) {
    if (isBy) weights.clear();
    for (let i = 0; i < count; i++) {
      numbers[i] = i;
      if (!isBy) continue;
      const isThere = lookUp(c, by, i);
      missing[i] = isThere ? 0 : 1;
      if (isThere) weights.add(found, foundOff, foundLen);
      else weights.add(NO_BYTES, 0, 0);
    }
    return mergeSort(count);
  }
  const sign = options.descending ? -1 : 1;
  let valid = true;
  for (let i = 0; i < count; i++) {
    numbers[i] = i;
    let score = 0;
    if (!isBy) score = parseWeight(elements.buf, elements.off[i], elements.len[i]);
    else if (lookUp(c, by, i)) score = parseWeight(found, foundOff, foundLen);
    scores[i] = sign * score;
    if (score !== score) valid = false;
  }
  return valid ? mergeSort(count) : null;
}

/** The order of two elements by their weights: negative, positive, or 0. */
function compareElements(x: number, y: number): number {
  if (!options.alpha) {
    const a = scores[x];
    const b = scores[y];
    if (a < b) return -1;
    if (a > b) return 1;
  }
  return compareTexts(x, y);
}

function compareTexts(x: number, y: number): number {
  const { alpha, isBy, store } = options;
  const order = !alpha
    ? elements.compare(x, y, true)
    : !isBy
    ? elements.compare(x, y, store > 0)
    : missing[x] || missing[y]
    ? missing[y] - missing[x]
    : weights.compare(x, y, store > 0);
  return options.descending ? -order : order;
}

/** Runs of so many are sorted by insertion. */
const RUN = 8;

/** Sorts the first `count` of `numbers`; those that are alike stay as they are. Returns the array. */
function mergeSort(count: number): Int32Array {
  let from = numbers;
  let to = others;
  for (let begin = 0; begin < count; begin += RUN) {
    const end = Math.min(begin + RUN, count);
    for (let i = begin + 1; i < end; i++) {
      const x = from[i];
      let at = i;
      for (; at > begin && compareElements(from[at - 1], x) > 0; at--) from[at] = from[at - 1];
      from[at] = x;
    }
  }
  for (let run = RUN; run < count; run *= 2) {
    for (let begin = 0; begin < count; begin += 2 * run) {
      const middle = Math.min(begin + run, count);
      const end = Math.min(middle + run, count);
      let left = begin, right = middle;
      for (let at = begin; at < end; at++) {
        const takesLeft = left < middle && (right === end || compareElements(from[left], from[right]) <= 0);
        to[at] = takesLeft ? from[left++] : from[right++];
      }
    }
    [from, to] = [to, from];
  }
  return from;
}

/**
 * What `strtod` makes of a weight, NaN when that is not all of it, or no number, or too large or small for a double. The empty text
 * is 0.
 */
function parseWeight(buf: Uint8Array, off: number, len: number): number {
  const whole = parseInt64(buf, off, len);
  if (whole === whole) return whole;
  const value = parseScoreBound(buf, off, len);
  if (len === 0 || (value !== 0 && value !== Infinity && value !== -Infinity)) return value;
  let from = 0;
  while (from < len && (buf[off + from] === 32 || (buf[off + from] >= 9 && buf[off + from] <= 13))) from++;
  let to = from;
  while (to < len && buf[off + to] !== 0) to++;
  return to === 0 ? 0 : parseDouble(buf, off + from, to - from);
}

function sortElements(c: Client, mayStore: boolean): void {
  const { args: a, db, reply } = c;
  if (!options.parse(c, mayStore)) return;
  let ref = db.lookupRead(a, 1);
  const type = ref === 0 ? Type.LIST : db.type(ref);
  if (type !== Type.LIST && type !== Type.SET && type !== Type.ZSET) return reply.error(WRONGTYPE);
  // What comes out of a set in no order would differ from server to server: it is sorted if it is stored.
  if (options.unsorted && type === Type.SET && options.store > 0) {
    options.unsorted = false;
    options.alpha = true;
    options.isBy = false;
  }
  if (type === Type.ZSET) ref = enlarged(c, ref);
  const length = ref === 0 ? 0 : lengthOf(c, ref, type);
  const from = Math.min(Math.max(options.offset, 0), length);
  const until = options.count < 0 ? length : Math.min(from + options.count, length);
  const isRange = options.unsorted && type !== Type.SET;
  elements.clear();
  if (ref !== 0) collect(c, ref, type, isRange ? from : 0, isRange ? until - from : length);
  const numbers = options.unsorted ? null : order(c);
  if (!options.unsorted && numbers === null) return reply.error(NOT_DOUBLE);
  const skipped = isRange ? from : 0;
  if (options.store > 0) return store(c, numbers, from - skipped, until - skipped);
  const { get, gets } = options;
  reply.array((until - from) * Math.max(gets, 1));
  for (let i = from - skipped; i < until - skipped && !reply.isFull; i++) {
    const element = numbers === null ? i : numbers[i];
    if (gets === 0) reply.bulk(elements.buf, elements.off[element], elements.len[element]);
    for (let g = 0; g < gets; g++) {
      if (lookUp(c, get[g], element)) reply.bulk(found, foundOff, foundLen);
      else reply.null();
    }
  }
}

/** Makes a sorted set a table, as Redis does before it sorts one: OBJECT ENCODING and DUMP show that it stays one. */
function enlarged(c: Client, ref: number): number {
  const { keyspace } = c.db;
  zset.open(c.db, ref);
  if (zset.table !== null) return ref;
  if (keyspace.barrier !== null) keyspace.barrier.beforeChange(c.db, ref);
  zset.convert();
  return zset.ref;
}

function lengthOf(c: Client, ref: number, type: number): number {
  const view = type === Type.LIST ? list : type === Type.SET ? set : zset;
  return view.open(c.db, ref).count;
}

/** Makes the elements, or what GET finds for them, a list at the key that STORE names. */
function store(c: Client, numbers: Int32Array | null, from: number, until: number): void {
  const { args: a, db, reply } = c;
  const { get, gets } = options;
  const { listMaxListpackSize, listCompressDepth } = c.engine.config.values;
  list.limits = DEFAULT_LIMITS;
  list.packedThreshold = c.engine.debug.packedThreshold;
  list.create(db.keyspace);
  // The default limits stay with such a list, as in Redis. A blob would take on those of the configuration.
  if (listMaxListpackSize !== DEFAULT_LIMITS.listMaxListpackSize || listCompressDepth !== 0) list.convert();
  for (let i = from; i < until; i++) {
    const element = numbers === null ? i : numbers[i];
    if (gets === 0) list.push(false, elements.buf, elements.off[element], elements.len[element]);
    for (let g = 0; g < gets; g++) {
      if (lookUp(c, get[g], element)) list.push(false, found, foundOff, foundLen);
      else list.push(false, NO_BYTES, 0, 0);
    }
  }
  const stored = list.count;
  reply.int(stored);
  if (stored > 0) {
    list.store(db, a, options.store);
    db.changed(a, options.store, SORTSTORE, stored);
    return;
  }
  list.drop();
  c.deleteKey(options.store);
}

export const commands: Command[] = [sort, sortRo];
