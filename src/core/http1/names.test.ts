/** A name is always the one that stands in the bytes, whatever was there before it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { nameOf } from './names.ts';

function read(name: string, mix: number): string {
  const bytes = Buffer.from(`<${name}>`, 'latin1');
  return nameOf(bytes, 1, bytes.length - 1, mix);
}

test('names that share a slot are told apart', () => {
  const name = fc.string({
    unit: fc.constantFrom('a', 'A', 'b', '-'),
    minLength: 1,
    maxLength: 70,
  });
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 20 }), (all) => {
      for (const one of all) assert.equal(read(one, 7), one);
    }),
  );
});

test('a name outlives the bytes it was read from', () => {
  const bytes = Buffer.from('X-Some-Field-Name');
  const name = nameOf(bytes, 0, bytes.length, -3);
  bytes.fill(0);
  assert.equal(name, 'X-Some-Field-Name');
  assert.equal(read('X-Some-Field-Name', -3), name);
});
