/**
 * The one source of chance in a simulated run: xoshiro128** (Blackman and Vigna, 2018), seeded through
 * splitmix32. Small, fast, and the same on every machine; no cryptography.
 */

const FLOAT_STEPS = 0x1_0000_0000;

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed a safe integer; the same one gives the same numbers */
  constructor(seed: number) {
    let state = (seed ^ (Math.floor(seed / FLOAT_STEPS) * 0x85eb_ca6b)) >>> 0;
    const mix = (): number => {
      state = (state + 0x9e37_79b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    this.#d = mix() | 1;
  }

  /** With a state of its own, as the reference implementation is given one; not all zero. */
  static ofState(a: number, b: number, c: number, d: number): Random {
    const random = new Random(0);
    random.#a = a;
    random.#b = b;
    random.#c = c;
    random.#d = d;
    return random;
  }

  /** Uniform over 32 bits. */
  next(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.next() / FLOAT_STEPS;
  }

  /** A whole number in [min, max]. */
  between(min: number, max: number): number {
    return min + Math.floor(this.float() * (max - min + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T;
  }

  /** A number in [min, max] whose logarithm is uniform: as many small ones as large ones. */
  spread(min: number, max: number): number {
    return Math.floor(min * Math.exp(this.float() * Math.log((max + 1) / min)));
  }
}
