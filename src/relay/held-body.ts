/**
 * Request bodies held back until they are complete: a routed request must be read to its end to be
 * routed for sure (a later duplicate of `model` would win for the upstream too), a keyed lane edits
 * it in place, and a replay needs it. Clients sit on loopback, so the wait is that of one copy.
 *
 * The bytes are referenced, never copied. One budget covers all exchanges of the process.
 */
import { HELD_BODY_BYTES_MAX, HELD_TOTAL_BYTES_MAX } from '../core/limits.ts';

/** The bytes that all held bodies of a relay may have together. */
export interface HoldBudget {
  /** Takes `bytes` of the budget, or returns false and takes nothing. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  readonly used: number;
}

export function createHoldBudget(limit: number = HELD_TOTAL_BYTES_MAX): HoldBudget {
  let used = 0;
  return {
    take(bytes) {
      if (used + bytes > limit) return false;
      used += bytes;
      return true;
    },
    give(bytes) {
      used -= bytes;
    },
    get used() {
      return used;
    },
  };
}

/** One body being held. */
export interface HeldBody {
  readonly pieces: readonly Buffer[];
  readonly length: number;
  /** Adds payload bytes, or returns false where a bound is reached; then nothing was added. */
  add(bytes: Buffer): boolean;
  /** Gives the budget back and forgets the bytes. Idempotent. */
  release(): void;
}

/** Begins to hold a body. */
export function createHeldBody(budget: HoldBudget, limit: number = HELD_BODY_BYTES_MAX): HeldBody {
  return new Held(budget, limit);
}

class Held implements HeldBody {
  pieces: Buffer[] = [];
  length = 0;
  readonly #budget: HoldBudget;
  readonly #limit: number;

  constructor(budget: HoldBudget, limit: number) {
    this.#budget = budget;
    this.#limit = limit;
  }

  add(bytes: Buffer): boolean {
    if (this.length + bytes.length > this.#limit || !this.#budget.take(bytes.length)) return false;
    this.pieces.push(bytes);
    this.length += bytes.length;
    return true;
  }

  release(): void {
    this.#budget.give(this.length);
    this.pieces = [];
    this.length = 0;
  }
}
