/** What a body says of itself as it is taken in, whatever the pieces it comes in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EDITED_PLACES_MAX } from '../core/limits.ts';
import type { Field, RequestHead } from '../core/message.ts';
import { createHoldBudget } from './held-body.ts';
import { createIntake, type IntakeFacts } from './intake.ts';

function taken(text: string, pieceBytes: number, fields: readonly Field[] = []): IntakeFacts {
  const body = Buffer.from(text);
  const head: RequestHead = {
    method: 'POST',
    target: '/v1/messages',
    version: '1.1',
    fields,
    framing: { kind: 'length', length: body.length },
    keepAlive: true,
    upgrade: null,
    expectContinue: false,
  };
  const intake = createIntake(head, createHoldBudget());
  for (let at = 0; at < body.length; at += pieceBytes) {
    assert(intake.take(body.subarray(at, at + pieceBytes)));
  }
  return intake.finish();
}

test('model, stream and the places of what may be edited are found', () => {
  const text = '{"model":"m","stream":true,"system":[{"text":"s"}],"metadata":{"user_id":"u"}}';
  for (const size of [1, 7, text.length]) {
    const { model, stream, places } = taken(text, size);
    assert.deepEqual([model, stream], ['m', true]);
    assert.deepEqual(
      places?.map(({ key, kind, start, end }) => [key, kind, text.slice(start, end)]),
      [
        ['model', 'string', '"m"'],
        ['system', 'array', '[{"text":"s"}]'],
        ['metadata', 'object', '{"user_id":"u"}'],
      ],
    );
  }
});

test('a body that is not whole, or encoded, says nothing', () => {
  const nothing = { model: null, stream: null, places: null };
  assert.deepEqual(taken('{"model":"m"', 3), nothing);
  assert.deepEqual(taken('{"model":"m"}', 20, [['Content-Encoding', 'gzip']]), nothing);
});

test('a body with more places than are kept is routed, and not edited', () => {
  const bodyOf = (count: number): string => `{${Array(count).fill('"model":"m"').join(',')}}`;
  assert.equal(taken(bodyOf(EDITED_PLACES_MAX), 100).places?.length, EDITED_PLACES_MAX);
  const { model, places } = taken(bodyOf(EDITED_PLACES_MAX + 1), 100);
  assert.deepEqual([model, places], ['m', null]);
});
