import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../core/secret.ts';
import { assertNoForeignSecret } from './isolation.ts';
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
