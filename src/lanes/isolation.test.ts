import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { Secret } from '../core/secret.ts';
import { assertNoForeignSecret, bodyIncludes } from './isolation.ts';
import { IsolationError } from './lane.ts';

test('a refusal shows no secret where the name and the value of a field hold two', () => {
  const one = 'canary-foreign-key-0001';
  const other = 'canary-foreign-key-0002';
  const foreign = [Secret.of(one), Secret.of(other)];
  for (const field of [[other, one] as const, [one, other] as const]) {
    assert.throws(
      () => assertNoForeignSecret('anthropic', '/', [field], foreign),
      (error) => {
        assert(error instanceof IsolationError);
        return !error.message.includes(one) && !error.message.includes(other);
      },
    );
  }
});

describe('a text in the pieces of a body', () => {
  /** Few letters, so that ends and beginnings of the text occur everywhere. */
  const letters = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom('a', 'e', 'Z', '-'), minLength, maxLength });
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

  function piecesOf(body: Buffer, lengths: readonly number[]): Buffer[] {
    const pieces: Buffer[] = [];
    for (let at = 0, index = 0; at < body.length; index += 1) {
      const length = lengths[index % lengths.length] ?? 1;
      pieces.push(body.subarray(at, at + length));
      at += length;
    }
    return pieces;
  }

  test('is found where it lies, wherever the body is cut, and nowhere else', () => {
    const scene = fc.tuple(letters(1, 20), letters(0, 60), letters(0, 60), fc.boolean(), sizes);
    fc.assert(
      fc.property(scene, ([needle, before, after, isThere, lengths]) => {
        // Without the whole, all of it but its last letter is there.
        const middle = isThere ? needle : needle.slice(0, -1);
        const body = Buffer.from(`${before}${middle}${after}`);
        const expected = body.includes(needle);
        assert.equal(bodyIncludes(piecesOf(body, lengths), needle), expected);
      }),
      { numRuns: 3000 },
    );
  });
});
