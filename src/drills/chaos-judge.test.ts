/** What a chaos drill excuses, and what not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ActOutcome, ChaosLedger } from './chaos.ts';
import { ACTS, type ActName } from './chaos-acts.ts';
import { costOf, judgeChaos } from './chaos-judge.ts';
import type { Visit } from './chaos-load.ts';
import { CUT, HEARD } from './testing/exchange.ts';
import type { Heard } from './types.ts';
import type { Fault } from './witness.ts';

const AT = 1_000;
const RESTORED = 2_000;

const LOST: Heard = { ...HEARD, ...CUT };
const REFUSED: Heard = { ...LOST, status: 0, failure: 'connect', sent: false };

function visit(heard: Heard, began: number, ended = began + 10): Visit {
  const request = {
    tag: 'drill-000000000',
    model: 'm',
    lane: 'zai',
    stream: true,
    shape: 'short',
    prompt: '',
    maxTokens: 1,
  } as const;
  return { request, heard, began, ended };
}

function outcome(name: ActName, different: Partial<ActOutcome> = {}): ActOutcome {
  const act = ACTS.find((one) => one.name === name);
  assert(act !== undefined);
  return {
    act,
    workers: 2,
    streams: Array.from({ length: 4 }, () => visit(HEARD, 0, 3_000)),
    arrivals: [visit(HEARD, 900), visit(HEARD, 1_100), visit(HEARD, 2_100)],
    at: AT,
    restoredAt: RESTORED,
    left: [],
    clientSockets: 0,
    upstreamSockets: 0,
    ...different,
  };
}

function failing(
  one: ActOutcome,
  ledger: Partial<ChaosLedger> = {},
  faults: [Fault, number][] = [],
) {
  const exchanges = [...one.streams, ...one.arrivals].filter(({ heard }) => heard.sent).length;
  const checks = judgeChaos({
    acts: [one],
    faults: new Map(faults),
    exchanges,
    ledger: { records: exchanges, doubled: 0, damaged: 0, ...ledger },
    seconds: 1,
    interrupted: false,
  });
  return checks.flatMap(({ name, met }) => (met ? [] : [name]));
}

const cutStreams = (count: number): Visit[] =>
  Array.from({ length: 4 }, (_, i) => visit(i < count ? LOST : HEARD, 0, i < count ? AT : 3_000));

test('an act that costs nothing meets every check', () => {
  for (const { name } of ACTS) assert.deepEqual(failing(outcome(name)), []);
});

test('streams may be lost only where processes are killed, and only as many as they had', () => {
  for (const [name, may] of [
    ['renew', 0],
    ['terminate', 0],
    ['kill-supervisor', 0],
    ['kill-worker', 2],
    ['kill', 4],
  ] as const) {
    assert.deepEqual(failing(outcome(name, { streams: cutStreams(may) })), []);
    if (may < 4)
      assert.deepEqual(failing(outcome(name, { streams: cutStreams(may + 1) })), ['recovery']);
  }
});

test('refusal is excused until the proxy is whole again, where nobody listens', () => {
  const during = [visit(REFUSED, 1_100), visit(REFUSED, 1_200), visit(HEARD, 1_300)];
  const late = [visit(HEARD, 1_100), visit(REFUSED, 2_001)];
  for (const name of ['terminate', 'kill-supervisor', 'kill'] as const) {
    assert.deepEqual(failing(outcome(name, { arrivals: during })), []);
    assert.deepEqual(failing(outcome(name, { arrivals: late })), ['recovery']);
  }
  for (const name of ['renew', 'kill-worker'] as const) {
    assert.deepEqual(failing(outcome(name, { arrivals: during })), ['recovery']);
  }
});

test('an arrival that was let in may be lost only with the process that was killed', () => {
  const before = [visit(LOST, 995, 1_001)];
  const after = [visit(LOST, 1_005, 1_011)];
  assert.deepEqual(failing(outcome('kill-worker', { arrivals: before })), []);
  assert.deepEqual(failing(outcome('kill-worker', { arrivals: after })), ['recovery']);
  for (const name of ['renew', 'terminate', 'kill-supervisor'] as const) {
    assert.deepEqual(failing(outcome(name, { arrivals: before })), ['recovery']);
  }
});

test('how long nobody was let in is measured from the first refusal to the next welcome', () => {
  const arrivals = [
    visit(REFUSED, 1_000),
    visit(REFUSED, 1_200),
    visit(HEARD, 1_450),
    visit(REFUSED, 1_500, 1_505),
  ];
  const cost = costOf(outcome('terminate', { arrivals }));
  assert.deepEqual([cost.refused, cost.refusedMs, cost.failed], [3, 450, 0]);
});

test('what is left, stuck, altered or doubled is not met', () => {
  assert.deepEqual(failing(outcome('renew', { left: [7] })), ['orphans']);
  assert.deepEqual(failing(outcome('renew', { upstreamSockets: 1 })), ['sockets']);
  assert.deepEqual(failing(outcome('renew', { clientSockets: 1 })), ['sockets']);
  assert.deepEqual(failing(outcome('renew'), {}, [['altered', 1]]), ['streams']);
  assert.deepEqual(failing(outcome('renew'), { doubled: 1 }), ['ledger']);
});

test('a record may be missing only of what was cut, or ended just before a kill', () => {
  assert.deepEqual(failing(outcome('renew'), { records: 6 }), ['ledger']);
  assert.deepEqual(failing(outcome('kill-worker'), { records: 6 }), []);
  assert.deepEqual(failing(outcome('kill-worker'), { records: 5 }), ['ledger']);
  const streams = cutStreams(2);
  assert.deepEqual(failing(outcome('kill-worker', { streams }), { records: 4 }), []);
  assert.deepEqual(failing(outcome('kill-worker'), { damaged: 1 }), []);
  assert.deepEqual(failing(outcome('renew'), { damaged: 1 }), ['ledger']);
});
