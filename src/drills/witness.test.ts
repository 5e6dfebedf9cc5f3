import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ReceivedRequest } from '../twin/types.ts';
import { planOf, requestOf } from './plan.ts';
import type { DrillLane, DrillRequest, Heard } from './types.ts';
import { createWitness, type Fault } from './witness.ts';

type Draft = { -readonly [K in keyof ReceivedRequest]: ReceivedRequest[K] };

const REQUEST = requestOf(planOf('soak'), 0, true);
const HEARD: Heard = {
  status: 200,
  bytes: 10,
  sha256: 'aa',
  ended: true,
  closed: true,
  ttfbMs: 1,
  latencyMs: 2,
  failure: null,
  sent: true,
};

function arrival(request: DrillRequest, answer: Partial<ReceivedRequest['answer']> = {}): Draft {
  return {
    id: 1,
    at: 0,
    protocol: 'h1',
    method: 'POST',
    path: '/v1/messages',
    rawHeaders: [],
    body: Buffer.from(request.prompt),
    whole: true,
    connection: 1,
    aborted: false,
    fault: null,
    answer: { status: 200, requestId: 'req_1', bytes: 10, sha256: 'aa', ended: true, ...answer },
  };
}

/** A twin that is told what arrived. */
function scene() {
  const kept: Record<DrillLane, Draft[]> = { anthropic: [], zai: [] };
  const endpoint = (lane: DrillLane) => ({
    requests: () => [...kept[lane]],
    clear: () => {
      kept[lane] = [];
    },
  });
  const faults: (Fault | null)[] = [];
  const witness = createWitness(
    { anthropic: endpoint('anthropic'), zai: endpoint('zai') },
    (_request, _heard, fault) => void faults.push(fault),
  );
  return { witness, faults, arrive: (lane: DrillLane, one: Draft) => void kept[lane].push(one) };
}

for (const [what, lane, answer, heard, expected] of [
  ['the same bytes at the right upstream are no fault', 'anthropic', {}, {}, null],
  ['another upstream is a misroute', 'zai', {}, {}, 'misroute'],
  ['other bytes are an altered answer', 'anthropic', { sha256: 'bb' }, {}, 'altered'],
  ['fewer bytes are an altered answer', 'anthropic', { bytes: 11 }, {}, 'altered'],
  ['a good end that the twin never wrote is a cut', 'anthropic', { ended: false }, {}, 'cut'],
  ['bytes that an agent does not show are not compared', 'anthropic', {}, { sha256: null }, null],
  ['an agent’s request elsewhere is a misroute', 'zai', {}, { sha256: null }, 'misroute'],
  [
    'a good end that an agent shows and the twin never wrote is a cut',
    'anthropic',
    { ended: false },
    { sha256: null },
    'cut',
  ],
  [
    'an error of the proxy’s own is not the twin’s',
    'anthropic',
    { ended: false },
    { status: 502 },
    null,
  ],
  [
    'an error answer is compared too',
    'anthropic',
    { status: 429, bytes: 9 },
    { status: 429 },
    'altered',
  ],
] as const) {
  test(what, () => {
    const { witness, faults, arrive } = scene();
    arrive(lane, { ...arrival(REQUEST, answer), aborted: 'ended' in answer });
    witness.heard(REQUEST, { ...HEARD, ...heard });
    witness.settle();
    assert.deepEqual(faults, [expected]);
    assert.equal(witness.open, 0);
  });
}

test('a request at both upstreams is a misroute', () => {
  const { witness, faults, arrive } = scene();
  arrive('zai', arrival(REQUEST));
  arrive('anthropic', arrival(REQUEST));
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, ['misroute']);
});

test('a good answer that no upstream gave is a fault', () => {
  const { witness, faults } = scene();
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, []);
  witness.close();
  assert.deepEqual(faults, ['unseen']);
});

test('nothing is judged before both sides have settled, in either order', () => {
  const { witness, faults, arrive } = scene();
  const early = { ...arrival(REQUEST, { ended: false }), whole: false };
  arrive('anthropic', early);
  witness.settle();
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, []);
  early.whole = true;
  witness.settle();
  assert.deepEqual(faults, []);
  early.answer = { ...early.answer, ended: true };
  witness.settle();
  assert.deepEqual(faults, [null]);
});

test('of several tries the last one’s answer is compared', () => {
  const { witness, faults, arrive } = scene();
  arrive('anthropic', arrival(REQUEST, { status: 401, sha256: 'cc' }));
  arrive('anthropic', arrival(REQUEST));
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, [null]);
});
