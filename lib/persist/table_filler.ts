/**
 * TableFiller: puts the elements of a large hash or sorted set that is being loaded into its table, some hundred at a time, in one short
 * loop: the processor fetches several buckets at once then, where it would wait for each. Until then they are records of the slab alone,
 * so `end` must be called however the reading ends, or nobody frees them.
 */

import type { Table } from "../store/types/table.ts";

const MOST_WAITING = 256;

export class TableFiller {
  readonly #refs = new Int32Array(MOST_WAITING);
  #count = 0;

  /** Adds a record that is complete; false if among those that went into the table by now one was there already. */
  add(table: Table, ref: number): boolean {
    this.#refs[this.#count++] = ref;
    return this.#count < MOST_WAITING || this.end(table);
  }

  /** Puts what waits into the table, repeated ones too; false if there are any. */
  end(table: Table): boolean {
    const count = this.#count;
    this.#count = 0;
    return table.insertAll(this.#refs, count);
  }
}
