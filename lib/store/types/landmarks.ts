/**
 * Landmarks: where every eighth node of a long list begins, so that an element is found by its index with a binary search and a few
 * steps from node to node.
 *
 * A place is counted from an origin that never moves: what happens at the ends of the list moves no landmark, but only the place of the
 * first element. The head is no landmark, as it begins elsewhere with each push and pop. A change in the middle voids all of them;
 * the list makes new ones when it has walked so much that they are worth it (quicklist.ts).
 *
 *   places   f64 each, ascending           refs   the nodes that begin there
 */

import type { Slab } from "../slab.ts";
import { countOf, nextNode } from "./list_node.ts";

/** Nodes from one landmark to the next. */
const STEP = 8;
const BYTES_EACH = 12;

export class Landmarks {
  readonly #places: Float64Array;
  readonly #refs: Int32Array;
  /** The valid ones are `[#first, #end)`. */
  #first = 0;
  #end = 0;

  /** Surveys a list of `nodes` nodes whose first element, in the node `head`, has that place. */
  constructor(slab: Slab, head: number, nodes: number, place: number) {
    const most = Math.floor(nodes / STEP);
    this.#places = new Float64Array(most);
    this.#refs = new Int32Array(most);
    let ref = head;
    for (let node = 0; ref !== 0; node++, ref = nextNode(slab, ref)) {
      if (node > 0 && node % STEP === 0) {
        this.#places[this.#end] = place;
        this.#refs[this.#end++] = ref;
      }
      place += countOf(slab, ref);
    }
  }

  get bytes(): number {
    return this.#places.length * BYTES_EACH;
  }

  /** Elements have been removed at the ends: those that are left are at `[from, end)`. */
  keep(from: number, end: number): void {
    while (this.#first < this.#end && this.#places[this.#first] <= from) this.#first++;
    while (this.#first < this.#end && this.#places[this.#end - 1] >= end) this.#end--;
  }

  /** The last landmark that is not behind that place; one less than the first means that there is none. */
  before(place: number): number {
    const places = this.#places;
    let low = this.#first;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (places[middle] <= place) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  has(landmark: number): boolean {
    return landmark >= this.#first && landmark < this.#end;
  }

  place(landmark: number): number {
    return this.#places[landmark];
  }

  ref(landmark: number): number {
    return this.#refs[landmark];
  }
}
