/**
 * Request bodies held back until they are complete: a routed request must be read to its end to be
 * routed for sure (a later duplicate of `model` would win for the upstream too), a keyed lane edits
 * it in place, and a replay needs it. Clients sit on loopback, so the wait is that of one copy.
 *
 * The bytes are referenced, not copied, unless they come in many small pieces: a body in chunks of one
 * byte would keep a hundred times its size alive. One budget covers all exchanges of the process.
 */
import {
  HELD_BODY_BYTES_MAX,
  HELD_PIECE_BYTES_MIN,
  HELD_TOTAL_BYTES_MAX,
  READ_BYTES,
} from '../core/limits.ts';

const NOTHING: Buffer = Buffer.alloc(0);

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
  length = 0;
  readonly #budget: HoldBudget;
  readonly #limit: number;
  #pieces: Buffer[] = [];
  /** Where small pieces are copied to, and how much of it is filled. */
  #tail: Buffer = NOTHING;
  #filled = 0;

  constructor(budget: HoldBudget, limit: number) {
    this.#budget = budget;
    this.#limit = limit;
  }

  get pieces(): Buffer[] {
    this.#seal();
    return this.#pieces;
  }

  add(bytes: Buffer): boolean {
    const { length } = bytes;
    if (this.length + length > this.#limit || !this.#budget.take(length)) return false;
    // One small piece among large ones, as at the end of a body, is not worth a copy.
    const isRare = this.#filled === 0 && this.#pieces.length * READ_BYTES <= this.length;
    if (length >= HELD_PIECE_BYTES_MIN || isRare) {
      this.#seal();
      this.#pieces.push(bytes);
    } else {
      this.#copy(bytes);
    }
    this.length += length;
    return true;
  }

  release(): void {
    this.#budget.give(this.length);
    this.#pieces = [];
    this.#tail = NOTHING;
    this.#filled = 0;
    this.length = 0;
  }

  #copy(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#filled === this.#tail.length) {
        this.#seal();
        this.#tail = Buffer.allocUnsafeSlow(HELD_PIECE_BYTES_MIN);
      }
      const taken = rest.copy(this.#tail, this.#filled);
      this.#filled += taken;
      rest = rest.subarray(taken);
    }
  }

  #seal(): void {
    if (this.#filled === 0) return;
    this.#pieces.push(this.#tail.subarray(0, this.#filled));
    this.#tail = this.#tail.subarray(this.#filled);
    this.#filled = 0;
  }
}
