/**
 * Everything that looks random in the twin: drawn from a digest of the seed and the request, so that
 * the same request bytes get the same answer bytes, at any time and in any process.
 */
import { createHash } from 'node:crypto';

/** A source of numbers that repeats for the same digest. */
export interface Random {
  /** An integer in [0, bound); `bound` at least 1. */
  below(bound: number): number;
  /** `length` characters out of an alphabet. */
  text(alphabet: string, length: number): string;
}

export const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
export const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
export const HEX = '0123456789abcdef';
export const DIGITS = '0123456789';

/** SHA-256 over the parts, each with its length before it, so that no two lists collide. */
export function digest(...parts: readonly (string | number | Buffer)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest();
}

/** The numbers of a digest (at least 16 bytes). */
export function randomOf(from: Buffer): Random {
  const next = generator(
    from.readUInt32LE(0),
    from.readUInt32LE(4),
    from.readUInt32LE(8),
    from.readUInt32LE(12),
  );
  const below = (bound: number): number => next() % bound;
  return {
    below,
    text: (alphabet, length) => {
      let out = '';
      for (let i = 0; i < length; i += 1) out += alphabet[below(alphabet.length)];
      return out;
    },
  };
}

/**
 * A number in [0, 1) for each ordinal of what a digest (at least 8 bytes) names; quicker than a digest
 * for each, since it is asked for by every rule of a plan for every request.
 */
export function shareOf(name: Buffer, ordinal: number): number {
  const next = generator(name.readUInt32LE(0), name.readUInt32LE(4), ordinal | 0, 1);
  for (let i = 1; i < MIXING_ROUNDS; i += 1) next();
  return next() / 2 ** 32;
}

/** After so many rounds a difference of one bit has spread over the state. */
const MIXING_ROUNDS = 12;

/** The small fast counting generator, 32 bits. */
function generator(first: number, second: number, third: number, start: number): () => number {
  let a = first;
  let b = second;
  let c = third;
  let counter = start;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
}
