/**
 * What a held body keeps in memory is about what it counts, however small the pieces it came in.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELD_PIECE_BYTES_MIN } from '../core/limits.ts';
import { createHeldBody, createHoldBudget } from './held-body.ts';

/** Memory that the pieces keep alive: buffers that they are views of, each counted once. */
function keptBytes(pieces: readonly Buffer[]): number {
  let bytes = 0;
  for (const buffer of new Set(pieces.map((piece) => piece.buffer))) bytes += buffer.byteLength;
  return bytes;
}

test('small pieces are copied together: neither their number nor what they are views of adds up', () => {
  const held = createHeldBody(createHoldBudget());
  const count = 200_000;
  for (let index = 0; index < count; ) {
    // As a read of one-byte chunks gives them: views of a large buffer, mostly framing.
    const read = Buffer.alloc(65_536, String.fromCharCode(97 + (index % 26)));
    for (let at = 3; at < read.length && index < count; at += 6, index += 1) {
      assert(held.add(read.subarray(at, at + 1)));
    }
  }
  assert.equal(held.length, count);
  assert.equal(Buffer.concat([...held.pieces]).length, count);
  assert(held.pieces.length <= count / HELD_PIECE_BYTES_MIN + 5, `${held.pieces.length} pieces`);
  assert(keptBytes(held.pieces) < 3 * count, `${keptBytes(held.pieces)} bytes are kept`);
});

test('order is kept among small and large pieces, and large ones are not copied', () => {
  const held = createHeldBody(createHoldBudget());
  const large = Buffer.alloc(HELD_PIECE_BYTES_MIN, 'L');
  const given = [Buffer.from('a'), Buffer.from('bc'), large, Buffer.from('d'), large, large];
  for (const piece of given) assert(held.add(piece));
  assert.deepEqual(Buffer.concat([...held.pieces]), Buffer.concat(given));
  assert.equal(held.pieces.filter((piece) => piece === large).length, 3);
});

test('what was given out before is not changed by what comes after', () => {
  const held = createHeldBody(createHoldBudget());
  assert(held.add(Buffer.from('first')));
  const [before] = held.pieces;
  const text = before?.toString();
  for (let index = 0; index < 10_000; index += 1) assert(held.add(Buffer.from('x')));
  assert.equal(before?.toString(), text);
});

test('the budget is taken by payload and given back once', () => {
  const budget = createHoldBudget(10);
  const held = createHeldBody(budget, 8);
  assert(held.add(Buffer.from('12345')));
  assert.equal(held.add(Buffer.from('6789')), false, 'beyond the bound of one body');
  assert.equal(budget.used, 5);
  const other = createHeldBody(budget, 8);
  assert.equal(other.add(Buffer.from('123456')), false, 'beyond the budget');
  held.release();
  held.release();
  assert.equal(budget.used, 0);
  assert.deepEqual(held.pieces, []);
});
