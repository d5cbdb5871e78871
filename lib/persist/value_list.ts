/**
 * Lists as bytes: their nodes one after the other, as Redis 7 writes them, each a listpack or a single element (`PLAIN`). Files of older
 * versions have lists as elements, as one ziplist, or as nodes that are ziplists.
 */

import type { Database } from "../store/database.ts";
import { Kind, Type } from "../store/record.ts";
import { BorrowedBlob, HeapBlob } from "../store/types/blob.ts";
import { ListView } from "../store/types/list.ts";
import * as listpack from "../store/types/listpack.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import { ListNode } from "../store/types/list_node.ts";
import type { Quicklist, SharedNode } from "../store/types/quicklist.ts";
import type { RdbReader } from "./rdb_reader.ts";
import { type RdbWriter, STRING_LZF } from "./rdb_writer.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";
import { ZiplistReader } from "./ziplist.ts";

/** What a node contains. */
const PLAIN = 1;
const PACKED = 2;
/** A single listpack of up to so many bytes is not made a quicklist. */
const MOST_BLOB = 8192;

const list = new ListView();
const element = new ListpackCursor();
const node = new ListNode();
const borrowed = new BorrowedBlob();
/** What a list is before its nodes are read, which do not change it. */
const NOTHING = new HeapBlob();
listpack.create(NOTHING);

export const listCodec: ValueCodec = {
  type: Type.LIST,
  rdbTypes: [RdbType.LIST, RdbType.LIST_ZIPLIST, RdbType.LIST_QUICKLIST, RdbType.LIST_QUICKLIST_2],

  rdbType(): number {
    return RdbType.LIST_QUICKLIST_2;
  },

  write(db: Database, ref: number, out: RdbWriter): void {
    if (db.kind(ref) !== Kind.OBJECT) {
      out.length(1);
      out.length(PACKED);
      return out.string(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
    }
    const quicklist = db.object(ref) as Quicklist;
    out.length(quicklist.nodes);
    for (let ref = quicklist.head; ref !== 0; ref = node.next) writeNode(out, node.bind(db.slab, ref));
  },

  read(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean {
    list.limits = context.config.values;
    try {
      if (rdbType === RdbType.LIST || rdbType === RdbType.LIST_ZIPLIST) {
        list.create(context.keyspace);
        if (rdbType === RdbType.LIST) readElements(input);
        else readZiplist(input);
      } else {
        list.create(context.keyspace, NOTHING);
        readNodes(rdbType, input);
      }
    } catch (error) {
      list.drop();
      throw error;
    }
    if (list.count === 0) {
      list.drop();
      return false;
    }
    if (list.quicklist !== null) value.setObject(Type.LIST, list.quicklist);
    else value.setBytes(Type.LIST, list.blob.buf, list.blob.off, list.blob.len);
    return true;
  },
};

/** Writes a node, whose bytes will not change before they are written (`Quicklist.share`). */
export function writeNode(out: RdbWriter, { buf, off, len, packedLength, isPlain }: SharedNode): void {
  out.length(isPlain ? PLAIN : PACKED);
  if (packedLength === 0) return out.steadyString(buf, off, len);
  out.byte(STRING_LZF);
  out.length(packedLength);
  out.length(len);
  out.steadyRaw(buf, off, packedLength);
}

function readElements(input: RdbReader): void {
  for (let left = input.length(); left > 0; left--) {
    input.string();
    list.push(false, input.bytes, input.bytesOff, input.bytesLen);
  }
}

function readZiplist(input: RdbReader): void {
  input.string();
  const reader = new ZiplistReader(input, "List");
  while (reader.next(element)) {
    element.asText();
    list.push(false, element.buf, element.off, element.len);
  }
}

function readNodes(rdbType: number, input: RdbReader): void {
  const nodes = input.length();
  for (let i = 0; i < nodes; i++) {
    const content = rdbType === RdbType.LIST_QUICKLIST_2 ? input.length() : PACKED;
    if (content !== PLAIN && content !== PACKED) {
      input.fail("Quicklist integrity check failed: node of an unknown kind");
    }
    input.string();
    if (content === PLAIN) {
      if (input.bytesLen === 0) input.fail("Quicklist integrity check failed: empty node");
      list.convert().appendPlain(input.bytes, input.bytesOff, input.bytesLen);
    } else if (rdbType === RdbType.LIST_QUICKLIST) {
      const blob = new HeapBlob();
      listpack.create(blob);
      const reader = new ZiplistReader(input, "List");
      while (reader.next(element)) {
        element.asText();
        listpack.append(blob, element.buf, element.off, element.len);
      }
      addNode(blob.buf, blob.off, blob.len, nodes);
    } else {
      const { bytes, bytesOff, bytesLen } = input;
      if (!listpack.validate(bytes, bytesOff, bytesLen, true)) input.fail("List listpack integrity check failed");
      addNode(bytes, bytesOff, bytesLen, nodes);
    }
  }
}

/** Adds a node, one of `nodes`; a single one stays where it is, good until the next read. Empty ones are left out. */
function addNode(buf: Uint8Array, off: number, len: number, nodes: number): void {
  if (len === listpack.EMPTY_BYTES) return;
  if (nodes === 1 && len <= MOST_BLOB) list.createFrom(borrowed.lend(buf, off, len));
  else list.convert().appendListpack(buf, off, len);
}
