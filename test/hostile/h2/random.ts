/** Chance from a seed, so that what it chose can be chosen again. */

/** Mulberry32: small, seeded, good enough to shuffle by. Numbers from 0 up to, and without, 1. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is chosen from it. */
export interface Dice {
  /** From 0 up to, and without, `below`. */
  below(below: number): number;
  one<T>(from: readonly T[]): T;
  /** True once in so many. */
  onceIn(many: number): boolean;
}

export function diceOf(seed: number): Dice {
  const random = randomOf(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  return {
    below,
    one: (from) => from[below(from.length)] as never,
    onceIn: (many) => below(many) === 0,
  };
}
