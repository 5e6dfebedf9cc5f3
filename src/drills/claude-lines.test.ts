import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { createLineCutter, readEvent } from './claude-lines.ts';

const RESULT = { type: 'result', subtype: 'success', is_error: false, result: 'so it is' };

for (const [what, value, expected] of [
  [
    'the report of a turn',
    RESULT,
    { kind: 'ended', text: 'so it is', failed: false, status: null },
  ],
  [
    'the report of an error answer',
    { ...RESULT, is_error: true, api_error_status: 529, result: 'Overloaded' },
    { kind: 'ended', text: 'Overloaded', failed: true, status: 529 },
  ],
  [
    'the report of a turn that was given up',
    { type: 'result', subtype: 'error_during_execution', is_error: false },
    { kind: 'ended', text: '', failed: true, status: null },
  ],
  [
    'the first event of an answer',
    { type: 'stream_event', event: { type: 'message_start', message: {} } },
    { kind: 'began' },
  ],
  ['a later event', { type: 'stream_event', event: { type: 'ping' } }, { kind: 'other' }],
  ['what it does not know', { type: 'system', subtype: 'new' }, { kind: 'other' }],
] as const) {
  test(`reads ${what}`, () => {
    assert.deepEqual(readEvent(JSON.stringify(value)), expected);
  });
}

for (const line of ['Warning: something', '{"type":', 'null', '[]', '{}', '{"type":7}']) {
  test(`does not take ${line} for an event`, () => {
    assert.equal(readEvent(line), null);
  });
}

test('lines are the same whatever pieces they come in', () => {
  const line = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '' && !/\n/.test(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, sizes) => {
      const cutter = createLineCutter();
      let rest = lines.map((text) => `${text}\n`).join('');
      const seen: string[] = [];
      for (const size of [...sizes, rest.length]) {
        seen.push(...(cutter.push(rest.slice(0, size)) ?? ['too long']));
        rest = rest.slice(size);
      }
      assert.deepEqual(seen, lines);
    }),
  );
});

test('a line that does not end is not kept for ever', () => {
  const cutter = createLineCutter(10);
  assert.deepEqual(cutter.push('0123456789'), []);
  assert.equal(cutter.push('0'), null);
});
