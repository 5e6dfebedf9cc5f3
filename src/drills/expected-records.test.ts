import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compareClasses, createClasses, expectedRecord } from './expected-records.ts';
import { planOf, requestOf } from './plan.ts';
import { CUT, HEARD } from './testing/exchange.ts';
import type { Heard } from './types.ts';

const REQUEST = requestOf(planOf('soak'), 0, true);
const WHOLE: Heard = { ...HEARD, requestId: 'req_1' };

for (const [what, over, expected] of [
  ['a whole stream', {}, ['complete', null, true]],
  ['an error of the upstream', { status: 529, stream: null }, [null, '5xx', true]],
  ['a refused credential', { status: 401, stream: null }, [null, '401', true]],
  ['a page in place of a stream', { stream: null, closed: false }, [null, null, true]],
  ['a stream that ends too soon', { stream: { stopped: false, error: null } }, ['cut', null, true]],
  [
    'an error within a stream',
    { stream: { stopped: false, error: 'overloaded_error' } },
    ['upstream_error', '5xx', true],
  ],
  [
    'a limit within a stream',
    { stream: { stopped: false, error: 'rate_limit_error' } },
    ['upstream_error', '429', true],
  ],
  ['a stream cut', { ...CUT, stream: { stopped: false, error: null } }, ['cut', 'net', false]],
  [
    'a stream cut behind its last event',
    { ...CUT, stream: { stopped: true, error: null } },
    ['cut', 'net', false],
  ],
  ['an answer cut', { ...CUT, stream: null }, [null, 'net', false]],
  [
    'an upstream that reset',
    { status: 502, own: 'upstream_reset', stream: null },
    [null, 'net', false],
  ],
  [
    'an upstream too late',
    { status: 504, own: 'upstream_head_timeout', stream: null },
    [null, 'timeout', false],
  ],
  ['a proxy that ends', { status: 503, own: 'shutting_down', stream: null }, [null, '5xx', false]],
] as const) {
  test(`the record of ${what} is foreseen`, () => {
    const record = expectedRecord(REQUEST, { ...WHOLE, ...over });
    assert.deepEqual([record?.sse, record?.err_type, record?.intact], expected);
    assert.deepEqual([record?.bytes_down, record?.request_id], [10, 'req_1']);
  });
}

test('of a client that left, or had nothing, no record is foreseen', () => {
  for (const failure of ['stall', 'abandoned', 'reset', 'tls'] as const) {
    assert.equal(expectedRecord(REQUEST, { ...WHOLE, ended: false, failure }), null);
  }
  assert.equal(expectedRecord(REQUEST, { ...WHOLE, ...CUT, status: 0 }), null);
});

test('classes differ by number, and where numbers agree by what is in them', () => {
  const record = expectedRecord(REQUEST, WHOLE);
  const error = expectedRecord(REQUEST, { ...WHOLE, status: 529 });
  assert(record !== null && error !== null);
  const classesOf = (...records: (typeof record)[]) => {
    const { classes, add } = createClasses();
    for (const one of records) add(one);
    return classes;
  };
  const expected = classesOf(record, error, { ...error, bytes_down: 9 });
  const same = compareClasses(expected, classesOf({ ...error, bytes_down: 9 }, record, error));
  assert.deepEqual(same, { missing: new Map(), surplus: new Map(), unequal: [] });
  const fewer = compareClasses(expected, classesOf(record, record, error));
  assert.deepEqual([[...fewer.missing.values()], [...fewer.surplus.values()]], [[1], [1]]);
  const other = compareClasses(expected, classesOf(record, error, { ...error, bytes_down: 8 }));
  assert.equal(other.unequal.length, 1);
});
