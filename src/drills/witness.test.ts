import assert from 'node:assert/strict';
import { test } from 'node:test';

import { planOf, requestOf } from './plan.ts';
import { CUT, HEARD, type Received, received } from './testing/exchange.ts';
import type { DrillLane, DrillRequest } from './types.ts';
import { createWitness, type Fault, type Sighting } from './witness.ts';

const REQUEST = requestOf(planOf('soak'), 0, true);

function arrival(request: DrillRequest, answer: Partial<Received['answer']> = {}): Received {
  return received(request.prompt, answer);
}

/** A twin that is told what arrived. */
function scene() {
  const kept: Record<DrillLane, Received[]> = { anthropic: [], zai: [] };
  const endpoint = (lane: DrillLane) => ({
    requests: () => [...kept[lane]],
    clear: () => {
      kept[lane] = [];
    },
  });
  const faults: (Fault | null)[] = [];
  const witness = createWitness(
    {
      anthropic: endpoint('anthropic'),
      zai: endpoint('zai'),
      faults: () => ({ seed: 1, rules: [] }),
    },
    (_request, _heard, { fault }) => void faults.push(fault),
  );
  return { witness, faults, arrive: (lane: DrillLane, one: Received) => void kept[lane].push(one) };
}

const TURN = { sha256: null } as const;

for (const [what, lane, answer, heard, expected] of [
  ['bytes that an agent does not show are not compared', 'anthropic', {}, TURN, null],
  ['an agent’s request elsewhere is a misroute', 'zai', {}, TURN, 'misroute'],
  ['another status than an agent tells is altered', 'anthropic', { status: 429 }, TURN, 'altered'],
  [
    'another text than an agent was sent is altered',
    'anthropic',
    {},
    { ...TURN, failure: 'altered' },
    'altered',
  ],
  [
    'a turn that an agent gives up is its own',
    'anthropic',
    {},
    { ...TURN, ...CUT, failure: 'gave_up' },
    null,
  ],
  [
    'an agent that dies does not show the end',
    'anthropic',
    {},
    { ...TURN, ...CUT, failure: 'died' },
    'cut',
  ],
  [
    'a good end that an agent shows and the twin never wrote is a cut',
    'anthropic',
    { ended: false },
    TURN,
    'cut',
  ],
  [
    'silence of the upstream is none of an agent’s',
    'anthropic',
    { ended: false },
    { ...TURN, ended: false, failure: 'stall' },
    null,
  ],
  ['the same bytes at the right upstream are no fault', 'anthropic', {}, {}, null],
  ['another upstream is a misroute', 'zai', {}, {}, 'misroute'],
  ['other bytes are an altered answer', 'anthropic', { sha256: 'bb' }, {}, 'altered'],
  ['fewer bytes are an altered answer', 'anthropic', { bytes: 11 }, {}, 'altered'],
  ['a good end that the twin never wrote is a cut', 'anthropic', { ended: false }, {}, 'cut'],
  [
    'an error of the proxy’s own in place of an answer is a fault',
    'anthropic',
    {},
    { status: 502, own: 'upstream_reset' },
    'replaced',
  ],
  ['an answer that ended and was cut is a cut', 'anthropic', {}, CUT, 'cut'],
  [
    'silence of the upstream is its own',
    'anthropic',
    { ended: false },
    { ended: false, failure: 'stall' },
    null,
  ],
  [
    'silence with more to be had is a cut',
    'anthropic',
    { ended: false, bytes: 11, sha256: 'bb' },
    { ended: false, failure: 'stall' },
    'cut',
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

const OWN = { status: 502, own: 'upstream_reset', bytes: 3, sha256: 'cc' } as const;

for (const [what, broken, answer, heard, expected] of [
  ['a cut with all bytes', 'fin', {}, CUT, null],
  ['a cut with fewer bytes', 'fin', { bytes: 11 }, CUT, 'altered'],
  ['a cut with other bytes', 'fin', { sha256: 'bb' }, CUT, 'altered'],
  ['an error of the proxy’s own after the head', 'fin', {}, OWN, 'replaced'],
  ['a clean end', 'fin', {}, {}, 'cut'],
  ['a reset', 'fin', {}, { ...CUT, failure: 'reset' }, 'cut'],
  ['a cut with a prefix', 'reset', { bytes: 11, prefixSha256: () => 'aa' }, CUT, null],
  ['a cut with other bytes', 'reset', { bytes: 11, prefixSha256: () => 'bb' }, CUT, 'altered'],
  ['a cut with more bytes', 'reset', { bytes: 9 }, CUT, 'altered'],
  ['a cut of another status', 'reset', { status: 500, prefixSha256: () => 'aa' }, CUT, 'altered'],
  ['a clean end', 'reset', {}, {}, 'cut'],
  ['an error of the proxy’s own, the head overtaken', 'reset', {}, OWN, null],
  ['an error of the proxy’s own', 'reset', { status: 0, bytes: 0 }, OWN, null],
  ['an error that blames the client', 'reset', { status: 0 }, { ...OWN, status: 400 }, 'cut'],
  ['an error as the upstream’s', 'reset', { status: 0, bytes: 0 }, { status: 502 }, 'cut'],
  ['a cut before the head', 'reset', { status: 0, bytes: 0 }, { ...CUT, status: 0 }, 'altered'],
] as const) {
  test(`of ${broken} the client hears ${what}: ${expected ?? 'as sent'}`, () => {
    const { witness, faults, arrive } = scene();
    const one = arrival(REQUEST, { ended: false, ...answer });
    arrive('anthropic', { ...one, broken, fault: 'reset_mid_stream' });
    witness.heard(REQUEST, { ...HEARD, ...heard });
    witness.settle();
    assert.deepEqual(faults, [expected]);
  });
}

for (const [what, first, expected] of [
  ['was refused', { answer: { status: 429 } }, null],
  ['broke before its head', { answer: { status: 0, ended: false }, broken: 'fin' }, null],
  ['was reset', { answer: { status: 200, ended: false }, broken: 'reset' }, null],
  ['was answered', { answer: { status: 200 } }, 'repeated'],
  ['was cut behind its head', { answer: { ended: false }, broken: 'fin' }, 'repeated'],
] as const) {
  test(`a request that ${what} and came again: ${expected ?? 'as it should be'}`, () => {
    const { witness, faults, arrive } = scene();
    const { answer, ...rest } = first;
    arrive('anthropic', { ...arrival(REQUEST, answer), ...rest });
    arrive('anthropic', arrival(REQUEST));
    witness.heard(REQUEST, HEARD);
    witness.settle();
    assert.deepEqual(faults, [expected]);
  });
}

test('a request that came three times was repeated too often', () => {
  const { witness, faults, arrive } = scene();
  for (const status of [429, 429, 200]) arrive('anthropic', arrival(REQUEST, { status }));
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, ['repeated']);
});

test('the faults of all tries, and their number, are told', () => {
  const kept: Sighting[] = [];
  const endpoint = (requests: Received[]) => ({
    requests: () => requests.splice(0),
    clear: () => undefined,
  });
  const first = { ...arrival(REQUEST, { status: 401 }), fault: 'auth_mode' } as const;
  const requests = [first, { ...arrival(REQUEST), fault: 'latency' as const }];
  const twin = {
    anthropic: endpoint([]),
    zai: endpoint([]),
    faults: () => ({ seed: 1, rules: [] }),
  };
  const witness = createWitness(twin, (_request, _heard, seen) => void kept.push(seen));
  twin.anthropic = endpoint(requests);
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(kept, [{ fault: null, met: ['auth_mode', 'latency'], tries: 2 }]);
});

test('a request at both upstreams is a misroute', () => {
  const { witness, faults, arrive } = scene();
  arrive('zai', arrival(REQUEST));
  arrive('anthropic', arrival(REQUEST));
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, ['misroute']);
});

test('an agent asks as often as it likes', () => {
  const { witness, faults, arrive } = scene();
  for (const _ of [1, 2, 3]) arrive('anthropic', arrival(REQUEST));
  witness.heard(REQUEST, { ...HEARD, ...TURN });
  witness.settle();
  assert.deepEqual(faults, [null]);
});

test('a good answer that no upstream gave is a fault', () => {
  const { witness, faults } = scene();
  witness.heard(REQUEST, HEARD);
  witness.settle();
  assert.deepEqual(faults, []);
  witness.close();
  assert.deepEqual(faults, ['unseen']);
});

for (const [what, tries, heard, expected] of [
  ['no try', [], {}, 'unreached'],
  ['a refused try', [{ status: 401 }], {}, 'unreached'],
  ['no try, and blames itself,', [], { status: 500, own: 'internal' }, null],
  ['a try that was answered', [{ status: 200 }], {}, 'replaced'],
] as const) {
  test(`an error of the proxy’s own after ${what} that the twin saw: ${expected}`, () => {
    const { witness, faults, arrive } = scene();
    for (const answer of tries) arrive('anthropic', arrival(REQUEST, answer));
    witness.heard(REQUEST, { ...HEARD, ...OWN, ...heard });
    witness.close();
    assert.deepEqual(faults, [expected]);
  });
}

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
