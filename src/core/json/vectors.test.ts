/** The search by vectors finds what the plain search finds, wherever a string begins and ends. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { stringEnd } from './strings.ts';
import { loadPiece, PIECE_BYTES_MAX, quoteFrom } from './vectors.ts';

/** What every byte of a piece could be: mostly what the search stops at. */
const byte = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0x5c) },
  { weight: 1, arbitrary: fc.constant(0x22) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const piece = fc.array(byte, { maxLength: 300 }).map((bytes) => Buffer.from(bytes));

describe('the first quote that is not escaped', () => {
  test('is where the plain search finds it, from every place', () => {
    fc.assert(
      fc.property(piece, fc.nat(), (bytes, at) => {
        const from = bytes.length === 0 ? 0 : at % bytes.length;
        loadPiece(bytes);
        assert.equal(
          quoteFrom(from, bytes.length),
          stringEnd(bytes, bytes.toString('latin1'), from),
        );
      }),
      { numRuns: 3000 },
    );
  });

  test('is found behind runs of backslashes of every length and at every place', () => {
    for (let before = 0; before < 130; before += 1) {
      for (let run = 0; run < 70; run += 1) {
        const bytes = Buffer.from(`${'x'.repeat(before)}${'\\'.repeat(run)}"y"`);
        loadPiece(bytes);
        const expected = before + run + (run % 2 === 0 ? 0 : 2);
        assert.equal(quoteFrom(0, bytes.length), expected, `${before} bytes, ${run} backslashes`);
      }
    }
  });

  test('is none that an earlier, longer piece has left behind', () => {
    loadPiece(Buffer.from('"'.repeat(200)));
    loadPiece(Buffer.from('xyz'));
    assert.equal(quoteFrom(0, 3), -1);
    assert.equal(quoteFrom(3, 3), -1);
  });

  test('is found at the end of the largest piece, and not beyond', () => {
    const bytes = Buffer.alloc(PIECE_BYTES_MAX, 0x20);
    loadPiece(bytes);
    assert.equal(quoteFrom(0, bytes.length), -1);
    bytes[bytes.length - 1] = 0x22;
    loadPiece(bytes);
    assert.equal(quoteFrom(0, bytes.length), bytes.length - 1);
    assert.equal(quoteFrom(bytes.length - 1, bytes.length), bytes.length - 1);
  });
});
