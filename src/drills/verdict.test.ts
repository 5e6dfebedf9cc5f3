import assert from 'node:assert/strict';
import { describe as group, test } from 'node:test';

import { countRecords, type LedgerCount } from './ledger-check.ts';
import { planOf, requestOf } from './plan.ts';
import { createTally } from './tally.ts';
import type { DrillRecord, Heard } from './types.ts';
import { type Evidence, judge } from './verdict.ts';
import type { Fault } from './witness.ts';

const GOOD: Heard = {
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
const LEDGER: LedgerCount = { records: 2, misroutes: 0, notWhole: 0, decisions: new Map() };

/** Two exchanges, the second with something of its own. */
function evidence(second: Partial<Heard> = {}, fault: Fault | null = null): Evidence {
  const counts = createTally();
  const plan = planOf('soak');
  counts.add(requestOf(plan, 0, true), GOOD, null);
  counts.add(requestOf(plan, 1, true), { ...GOOD, ...second }, fault);
  return {
    name: 'soak',
    counts,
    ledger: LEDGER,
    trends: [],
    witnessed: true,
    interrupted: false,
  };
}

function failing(given: Evidence): string[] {
  return judge(given).flatMap((check) => (check.met === false ? [check.name] : []));
}

group('a drill', () => {
  test('where all is well passes', () => {
    assert.deepEqual(failing(evidence()), []);
  });

  for (const [what, second, fault, expected] of [
    ['a misroute', {}, 'misroute', ['routing', 'streams']],
    ['altered bytes', {}, 'altered', ['streams']],
    ['a cut stream', { failure: 'cut', ended: false }, null, ['streams']],
    ['a reset', { failure: 'reset', status: 0 }, null, ['streams']],
    ['a stall', { failure: 'stall' }, null, ['streams', 'stalls']],
    ['a stream without its last event', { closed: false }, null, ['streams']],
    ['a refused credential', { status: 401 }, null, ['streams']],
    [
      'a proxy that is not there',
      { failure: 'connect', sent: false },
      null,
      ['streams', 'records'],
    ],
  ] as const) {
    test(`with ${what} fails`, () => {
      assert.deepEqual(failing(evidence(second, fault)), expected);
    });
  }

  test('with an upstream that is busy now and then passes, and says so', () => {
    const given = evidence({ status: 429 });
    assert.deepEqual(failing(given), []);
    const streams = judge(given).find((check) => check.name === 'streams');
    assert.match(streams?.detail ?? '', /1 refused by a busy upstream/);
  });

  test('in which nothing came whole fails', () => {
    const given = evidence();
    const counts = createTally();
    counts.add(requestOf(planOf('soak'), 0, true), { ...GOOD, status: 503 }, null);
    assert(failing({ ...given, counts, ledger: null }).includes('streams'));
  });

  test('with a record too few or too many fails', () => {
    for (const records of [1, 3]) {
      assert.deepEqual(failing({ ...evidence(), ledger: { ...LEDGER, records } }), ['records']);
    }
  });

  test('with a misroute, or a stream that is not whole, in the ledger alone fails', () => {
    const misroutes = { ...evidence(), ledger: { ...LEDGER, misroutes: 1 } };
    assert.deepEqual(failing(misroutes), ['routing']);
    const notWhole = { ...evidence(), ledger: { ...LEDGER, notWhole: 1 } };
    assert.deepEqual(failing(notWhole), ['streams']);
  });

  test('that was interrupted may lack the records of what it cut itself', () => {
    const cut = { ...evidence({ failure: 'abandoned', ended: false }), interrupted: true };
    assert.deepEqual(failing({ ...cut, ledger: { ...LEDGER, records: 1 } }), []);
    assert.deepEqual(failing({ ...cut, ledger: { ...LEDGER, notWhole: 1 } }), []);
  });

  test('with a leak fails; one too short for a verdict is not judged', () => {
    const trend = {
      name: 'rss',
      unit: 'MB',
      readings: 100,
      first: 1,
      last: 9,
      max: 9,
      slopePerMin: 4,
      interval: [3, 5],
      boundPerMin: 1,
      verdict: 'leak',
    } as const;
    assert.deepEqual(failing({ ...evidence(), trends: [trend] }), ['leaks']);
    assert.deepEqual(failing({ ...evidence(), trends: [{ ...trend, verdict: 'unsteady' }] }), []);
    const short = { ...trend, verdict: 'too short to judge' } as const;
    const checks = judge({ ...evidence(), trends: [short] });
    assert.equal(checks.find((check) => check.name === 'leaks')?.met, null);
  });

  test('without twin and ledger does not judge what it can not know', () => {
    const blind = judge({ ...evidence(), witnessed: false, ledger: null });
    const unknown = blind.flatMap((check) => (check.met === null ? [check.name] : []));
    assert.deepEqual(unknown, ['routing', 'records', 'leaks']);
  });
});

group('a drill with an agent', () => {
  const requests = { answered: 3, compared: 3, unknown: 0, differing: 0, missing: 0 };
  const given = (over: Partial<Evidence> = {}): Evidence => ({
    ...evidence(),
    ledger: { ...LEDGER, records: 3 },
    agent: { requests },
    ...over,
  });

  test('passes with more records than turns, where each has its request', () => {
    assert.deepEqual(failing(given()), []);
    const texts = judge(given()).map(({ name, detail }) => `${name}: ${detail}`);
    assert.match(texts.join('\n'), /^streams: 2 of 2 whole, shown word for word as sent$/m);
    assert.match(
      texts.join('\n'),
      /^records: 3 records, 2 turns; 3 requests answered, 3 compared/m,
    );
  });

  for (const [what, over] of [
    ['a record of no request', { unknown: 1 }],
    ['a record of other bytes', { differing: 1 }],
    ['a request without a record', { missing: 1 }],
    ['nothing compared', { compared: 0 }],
  ] as const) {
    test(`fails with ${what}`, () => {
      const agent = { requests: { ...requests, ...over } };
      assert.deepEqual(failing(given({ agent })), ['records']);
    });
  }

  test('fails with fewer records than turns, with a twin to ask and without', () => {
    const ledger = { ...LEDGER, records: 1 };
    assert.deepEqual(failing(given({ ledger })), ['records']);
    assert.deepEqual(failing(given({ ledger, agent: { requests: null } })), ['records']);
    assert.deepEqual(failing(given({ agent: { requests: null } })), []);
  });

  for (const failure of ['altered', 'died', 'gave_up'] as const) {
    test(`fails where a turn ${failure}`, () => {
      const { counts } = evidence({ failure });
      assert.deepEqual(failing(given({ counts })), ['streams']);
      assert.deepEqual(Object.fromEntries(counts.errors), { [failure]: 1 });
    });
  }
});

test('warmup wants its three answers on the lanes and by the decisions of the contract', () => {
  const counts = createTally();
  const plan = planOf('warmup');
  for (const index of [0, 1, 2]) counts.add(requestOf(plan, index, true), GOOD, null);
  const given = { ...evidence(), name: 'warmup', counts } as const;
  const ledgerOf = (haiku: string) => ({
    ...LEDGER,
    records: 3,
    decisions: new Map([
      [haiku, 1],
      ['anthropic default', 2],
    ]),
  });
  assert.deepEqual(failing({ ...given, ledger: ledgerOf('zai forced_model') }), []);
  assert.deepEqual(failing({ ...given, ledger: ledgerOf('zai subagent') }), ['T1 haiku on zai']);
  assert.deepEqual(failing({ ...given, ledger: ledgerOf('anthropic paused') }), [
    'T1 haiku on zai',
  ]);
});

test('a record counts as misrouted where model and lane do not belong together', async () => {
  const record = (over: Partial<DrillRecord>): DrillRecord => ({
    lane: 'anthropic',
    decision: 'default',
    model: 'claude-sonnet-5-5',
    op: 'stream',
    status: 200,
    sse: 'complete',
    intact: true,
    attempts: 1,
    bytes_down: 10,
    request_id: 'req_1',
    ...over,
  });
  async function* records() {
    yield record({});
    yield record({ lane: 'zai', model: 'claude-haiku-5-5', decision: 'forced_model' });
    yield record({ model: 'claude-haiku-5-5' });
    yield record({ lane: 'zai' });
    yield record({ sse: 'cut' });
    yield record({ intact: false, op: 'nonstream', sse: null });
    yield record({ status: 429, sse: null });
  }
  const { decisions, ...counts } = await countRecords(records());
  assert.deepEqual(counts, { records: 7, misroutes: 2, notWhole: 2 });
  assert.equal(decisions.get('anthropic default'), 5);
});
