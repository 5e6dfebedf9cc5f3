import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { matchRequests } from './request-match.ts';
import { RECORD, type Received, received } from './testing/exchange.ts';
import type { DrillLane, DrillRecord } from './types.ts';

const ZAI_RECORD: DrillRecord = {
  ...RECORD,
  lane: 'zai',
  decision: 'forced_model',
  model: 'claude-haiku-5-5',
  request_id: 'a',
};
const NONE = { answered: 0, compared: 0, unknown: 0, differing: 0, missing: 0, notWhole: 0 };

/** A request that the twin answered with 10 bytes. */
function answered(requestId: string | null, over: Partial<Received> = {}): Received {
  const path = '/api/anthropic/v1/messages?beta=true';
  return { ...received('', { requestId }), path, ...over };
}

/** A twin that is told what arrived, and the match that remembers it. */
function scene(keptMax?: number) {
  const kept: Record<DrillLane, Received[]> = { anthropic: [], zai: [] };
  const endpoint = (lane: DrillLane) => ({
    requests: () => [...kept[lane]],
    clear: () => {
      kept[lane] = [];
    },
  });
  const twin = {
    anthropic: endpoint('anthropic'),
    zai: endpoint('zai'),
    faults: () => ({ seed: 1, rules: [] }),
  };
  const match = matchRequests(twin, keptMax);
  return {
    match,
    /** Arrives, and is forgotten by whoever reads the twin. */
    arrive: (...requests: readonly Received[]) => {
      assert(match.twin !== null);
      kept.zai.push(...requests);
      assert.equal(match.twin.zai.requests().length, kept.zai.length);
      match.twin.zai.clear();
      assert.equal(match.twin.zai.requests().length, 0);
    },
  };
}

for (const [what, requests, records, expected] of [
  ['a record of each request', [answered('a')], [ZAI_RECORD], { answered: 1, compared: 1 }],
  [
    'the same id twice, since the bytes were the same',
    [answered('a'), answered('a')],
    [ZAI_RECORD, ZAI_RECORD],
    { answered: 2, compared: 2 },
  ],
  ['a record of other bytes', [answered('a')], [{ bytes_down: 9 }], { differing: 1 }],
  ['a record of a request that never came', [], [ZAI_RECORD], { unknown: 1 }],
  ['two records of one request', [answered('a')], [ZAI_RECORD, ZAI_RECORD], { unknown: 1 }],
  [
    'a good record without an id, and nothing without an id that was sent',
    [],
    [{ request_id: null }],
    { compared: 1, unknown: 1 },
  ],
  [
    'a page that has no id in place of an answer',
    [answered(null, { fault: 'html' })],
    [{ request_id: null, sse: null }],
    { compared: 1 },
  ],
  ['an error of the proxy’s own', [], [{ request_id: null, status: 502 }], {}],
  ['a request without a record', [answered('a'), answered('b')], [ZAI_RECORD], { missing: 1 }],
  [
    'an attempt that the proxy made again',
    [answered('b'), answered('a')],
    [{ retry: true }],
    { answered: 2, compared: 1, missing: 0 },
  ],
  [
    'a part of a whole answer, of which the record says so',
    [answered('a')],
    [{ intact: false, bytes_down: 4 }],
    { differing: 0, notWhole: 1 },
  ],
  [
    'a part of one answer and the whole of another with the same id',
    [
      answered('a', { fault: 'error_event', answer: { ...answered('a').answer, bytes: 7 } }),
      answered('a'),
    ],
    [{ intact: false, bytes_down: 7 }, ZAI_RECORD],
    { compared: 2, differing: 0, notWhole: 0 },
  ],
  [
    'a stream that the twin spoilt, and its record says so',
    [answered('a', { fault: 'error_event' })],
    [{ sse: 'upstream_error' }],
    { notWhole: 0 },
  ],
  [
    'a stream that was whole, but not in the ledger',
    [answered('a')],
    [{ sse: 'upstream_error' }],
    { notWhole: 1 },
  ],
  [
    'an intact record of an answer that the twin broke off',
    [
      answered('a', {
        fault: 'reset_mid_stream',
        broken: 'reset',
        answer: { ...answered('a').answer, ended: false },
      }),
    ],
    [ZAI_RECORD],
    { answered: 0, differing: 1 },
  ],
  [
    'a request that ended before its answer had a head',
    [answered(null, { aborted: true, answer: { ...answered(null).answer, ended: false } })],
    [],
    {},
  ],
  ['what is no request for an answer', [answered('a', { path: '/api/hello' })], [], {}],
] as const) {
  test(what, () => {
    const { match, arrive } = scene();
    arrive(...requests);
    for (const record of records) match.recorded({ ...ZAI_RECORD, ...record });
    const found = match.count();
    assert.deepEqual(found, {
      ...NONE,
      // What a case does not speak of is as its lists have it.
      answered: requests.filter(({ answer, path }) => answer.ended && path !== '/api/hello').length,
      compared: records.filter((record) => !('request_id' in record) || record.request_id !== null)
        .length,
      ...expected,
    });
  });
}

test('a request that is still being answered when it is forgotten is remembered as it ends', () => {
  const { match, arrive } = scene();
  const request = answered(null, { whole: false });
  request.answer = { ...request.answer, bytes: 0, ended: false };
  arrive(request);
  request.answer = { ...request.answer, requestId: 'a', bytes: 10, ended: true };
  match.recorded(ZAI_RECORD);
  assert.deepEqual(match.count(), { ...NONE, answered: 1, compared: 1 });
});

test('a ledger without a record lacks every request', () => {
  const { match, arrive } = scene();
  const request = answered('a');
  request.answer = { ...request.answer, ended: false };
  arrive(request, answered('b'));
  request.answer = { ...request.answer, ended: true };
  assert.deepEqual(match.count(), { ...NONE, answered: 2, missing: 2 });
});

test('a fault that does not break an answer off leaves it whole, however late it ends', () => {
  const { match, arrive } = scene();
  const request = answered('a', { fault: 'error_event' });
  request.answer = { ...request.answer, bytes: 4, ended: false };
  arrive(request);
  arrive();
  request.answer = { ...request.answer, bytes: 10, ended: true };
  match.recorded(ZAI_RECORD);
  assert.deepEqual(match.count(), { ...NONE, answered: 1, compared: 1 });
});

test('of more requests than are kept a share is compared, and what is wrong in it is found', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.uuid(), { minLength: 40, maxLength: 80 }), (ids) => {
      const { match, arrive } = scene(16);
      for (const id of ids) arrive(answered(id));
      // Each record of other bytes than were sent, and one of no request for each of them.
      for (const id of ids) match.recorded({ ...ZAI_RECORD, request_id: id, bytes_down: 9 });
      const { compared, differing, unknown, missing } = match.count();
      assert(compared <= 16 && compared === differing, `${compared} compared`);
      assert.deepEqual([unknown, missing], [0, 0]);
      for (const id of ids) match.recorded({ ...ZAI_RECORD, request_id: id });
      assert.equal(match.count().unknown, compared);
    }),
  );
});

test('without a twin only what the records say of themselves is told', () => {
  const match = matchRequests(null);
  assert.equal(match.twin, null);
  match.recorded(ZAI_RECORD);
  match.recorded({ ...ZAI_RECORD, sse: 'cut', intact: false });
  assert.deepEqual(match.count(), { ...NONE, notWhole: 1 });
});
