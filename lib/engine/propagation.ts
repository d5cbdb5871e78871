/**
 * Propagation: what the AOF and the replicas are told of the commands that changed something.
 *
 * A command that made changes is passed on as it came. A handler overrides that where repeating the command would not have the
 * same effect elsewhere: `rewrite` (SPOP as SREM, INCRBYFLOAT as SET, relative expiry as PEXPIREAT), `also` (something in
 * front of it or beside it), `suppress`, `force` (PUBLISH changes nothing and goes out all the same).
 *
 * What belongs together, a transaction or a command with its side effects, leaves as one MULTI … EXEC. The common case, one
 * command with one effect, goes straight from the input buffer to the listeners without a copy.
 *
 * Behaviour: call(), alsoPropagate(), propagatePendingCommands() of Redis 7.0.
 */

import { Args, type Part } from "../bytes/args.ts";
import { Attention } from "../store/keyspace.ts";
import type { Keyspace } from "../store/keyspace.ts";

/** Who keeps or forwards the stream of writes. */
export interface PropagationListener {
  /** Args must be consumed during the call. */
  command(db: number, args: Args): void;
  /** After each batch of commands that had an effect: what has gathered can go out. */
  endOfBatch(): void;
}

interface Effect {
  readonly db: number;
  readonly args: Args;
}

const MULTI = Args.of("MULTI");
const EXEC = Args.of("EXEC");

export class Propagation {
  /** False while nobody listens: handlers can spare themselves the work. */
  active = false;
  #listeners: PropagationListener[] = [];
  /** Length of the replication stream so far, in bytes; 0 while there is none. */
  offset = 0;
  #told = false;
  #pending: Effect[] = [];
  #rewritten: Args | null = null;
  #forced = false;
  #suppressed = false;

  constructor(readonly keyspace: Keyspace) {}

  listen(listener: PropagationListener): void {
    this.#listeners.push(listener);
    this.#update();
  }

  unlisten(listener: PropagationListener): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    this.#update();
  }

  #update(): void {
    this.active = this.#listeners.length > 0;
    if (this.active) this.keyspace.attention |= Attention.PROPAGATION;
    else this.keyspace.attention &= ~Attention.PROPAGATION;
  }

  // ---- For handlers ------------------------------------------------------------------------------------------------------------

  /** The current command goes out as this instead. */
  rewrite(...parts: Part[]): void {
    if (this.active) this.#rewritten = Args.of(...parts);
  }

  /** The same for arguments that are there already; they must not change before the command's end. */
  rewriteArgs(args: Args): void {
    if (this.active) this.#rewritten = args;
  }

  /** This goes out too, before the current command. */
  also(db: number, ...parts: Part[]): void {
    if (this.active) this.#pending.push({ db, args: Args.of(...parts) });
  }

  /** The current command does not go out, whatever it changed. */
  suppress(): void {
    this.#suppressed = true;
  }

  /** The current command goes out even if it changed nothing. */
  force(): void {
    this.#forced = this.active;
  }

  /** True when the current command asked for something out of the ordinary, or something is pending. */
  get special(): boolean {
    return this.#forced || this.#suppressed || this.#rewritten !== null || this.#pending.length > 0;
  }

  // ---- For the engine ----------------------------------------------------------------------------------------------------------

  /**
   * After a command: `changed` tells whether it made changes, `outermost` that it is not part of another one, `unrelated` that what
   * it had to delete has nothing to do with each other (SCAN met keys that have expired).
   */
  command(db: number, args: Args, changed: boolean, outermost: boolean, unrelated = false): void {
    const wanted = (changed || this.#forced) && !this.#suppressed && this.active;
    const effect = this.#rewritten ?? args;
    const own = this.#rewritten !== null;
    this.#rewritten = null;
    this.#forced = false;
    this.#suppressed = false;
    if (outermost && this.#pending.length === 0) {
      if (wanted) this.#tell(db, effect);
      return;
    }
    // The arguments of queued commands live as long as their transaction; those of a command that just arrived until it ends.
    if (wanted) this.#pending.push({ db, args: own || !outermost ? effect : effect.copy() });
    if (outermost) this.flush(unrelated);
  }

  /** Sends what has gathered, as one transaction if it is more than one command and they are not `unrelated`. */
  flush(unrelated = false): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    if (pending.length === 1 || unrelated) {
      for (const effect of pending) this.#tell(effect.db, effect.args);
      return;
    }
    this.#tell(pending[0].db, MULTI);
    for (const effect of pending) this.#tell(effect.db, effect.args);
    this.#tell(pending[pending.length - 1].db, EXEC);
  }

  #tell(db: number, args: Args): void {
    this.#told = true;
    for (const listener of this.#listeners) listener.command(db, args);
  }

  /** At the end of a batch of commands, before its replies leave. */
  endOfBatch(): void {
    if (!this.#told) return;
    this.#told = false;
    for (const listener of this.#listeners) listener.endOfBatch();
  }
}
