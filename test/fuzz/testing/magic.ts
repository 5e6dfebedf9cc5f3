/**
 * Targets to test the fuzzer with. One fails at four bytes in a row at the front: blind mutation does
 * not find them all, but each one that is right reaches code of its own. The other one never ends.
 */
import type { Target } from '../target.ts';

export class MagicFound extends Error {}

/** Throws at bytes that begin so, whatever follows. */
export function magic(bytes: Buffer): number {
  if (bytes[0] !== 0x3b) return 0;
  if (bytes[1] !== 0x7b) return 1;
  if (bytes[2] !== 0x25) return 2;
  if (bytes[3] !== 0x40) return 3;
  throw new MagicFound('the magic bytes');
}

export const TARGETS: readonly Target[] = [
  {
    name: 'magic',
    oracle: 'none: it fails at four bytes',
    covers: ['test/fuzz/testing/magic.ts'],
    seeds: [],
    dictionary: [],
    bytesMax: 12,
    check(input) {
      magic(input);
    },
  },
  {
    name: 'endless',
    oracle: 'none: it does not end',
    covers: [],
    seeds: [],
    dictionary: [],
    bytesMax: 12,
    check(input) {
      while (input.length >= 0);
    },
  },
];
