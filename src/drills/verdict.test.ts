import assert from 'node:assert/strict';
import { describe as group, test } from 'node:test';

import { countRecords, type LedgerCount } from './ledger-check.ts';
import { planOf, requestOf } from './plan.ts';
import { type Counts, createTally } from './tally.ts';
import { HEARD, RECORD } from './testing/exchange.ts';
import type { DrillRecord, Heard } from './types.ts';
import { type Evidence, judge } from './verdict.ts';
import type { Sighting } from './witness.ts';

const HAIKU = 'claude-haiku-5-5';

/** A ledger that agrees with what the clients had. */
function ledgerOf(counts: Counts): LedgerCount {
  const { exchanges, ways, retried, expected } = counts;
  return {
    records: exchanges,
    ways,
    decisions: new Map(),
    busy: 0,
    retries: retried,
    classes: expected,
  };
}

function sighting(over: Partial<Sighting> = {}): Sighting {
  return { fault: null, met: [], tries: 1, ...over };
}

/** Two exchanges, the second with something of its own. */
function evidence(second: Partial<Heard> = {}, seen: Partial<Sighting> = {}): Evidence {
  const counts = createTally();
  const plan = planOf('soak');
  counts.add(requestOf(plan, 0, true), HEARD, sighting());
  counts.add(requestOf(plan, 1, true), { ...HEARD, ...second }, sighting(seen));
  return {
    name: 'soak',
    counts,
    ledger: ledgerOf(counts),
    isolation: null,
    trends: [],
    witnessed: true,
    unseenTriesMax: 0,
    interrupted: false,
  };
}

/** The same with the first record of the ledger changed, or left out. */
async function withRecord(given: Evidence, change: Partial<DrillRecord> | null): Promise<Evidence> {
  async function* records() {
    if (change !== null) yield { ...RECORD, ...change };
    yield { ...RECORD, lane: 'zai', model: HAIKU };
  }
  return { ...given, ledger: await countRecords(records()) };
}

function failing(given: Evidence): string[] {
  return judge(given).flatMap((check) => (check.met === false ? [check.name] : []));
}

function detailOf(given: Evidence, name: string): string {
  return judge(given).find((check) => check.name === name)?.detail ?? '';
}

group('a drill', () => {
  test('where all is well passes', () => {
    assert.deepEqual(failing(evidence()), []);
  });

  for (const [what, second, fault, expected] of [
    ['a misroute', {}, 'misroute', ['routing', 'streams']],
    ['altered bytes', {}, 'altered', ['streams']],
    ['an answer in place of the upstream’s', {}, 'replaced', ['streams']],
    ['a request that was sent again', {}, 'repeated', ['streams']],
    ['a cut stream', { failure: 'cut', ended: false }, null, ['streams']],
    ['a reset', { failure: 'reset', status: 0 }, null, ['streams']],
    ['a stall', { failure: 'stall' }, null, ['streams', 'stalls']],
    ['a stream without its last event', { closed: false }, null, ['streams']],
    ['a refused credential', { status: 401 }, null, ['streams']],
    ['a proxy that is not there', { failure: 'connect', sent: false }, null, ['streams']],
  ] as const) {
    test(`with ${what} fails`, () => {
      assert.deepEqual(failing(evidence(second, { fault })), expected);
    });
  }

  test('with an upstream that is busy now and then passes, and says so', () => {
    const given = evidence({ status: 429 });
    assert.deepEqual(failing(given), []);
    assert.match(detailOf(given, 'streams'), /1 refused by a busy upstream/);
  });

  test('in which nothing came whole fails', () => {
    const given = evidence();
    const counts = createTally();
    counts.add(requestOf(planOf('soak'), 0, true), { ...HEARD, status: 503 }, sighting());
    assert(failing({ ...given, counts, ledger: null }).includes('streams'));
  });

  for (const [what, change, words] of [
    ['missing', null, /without their record: 1 of claude-sonnet-5-5 stream 200 complete - intact/],
    ['that says cut', { sse: 'cut' }, /of no exchange: 1 of claude-sonnet-5-5 stream 200 cut/],
    ['that is not intact', { intact: false }, /of no exchange: .* not intact/],
    ['of another status', { status: 502 }, /of no exchange: .* 502/],
    ['of an error', { err_type: 'net' }, /of no exchange: .* complete net intact/],
    ['of other bytes', { bytes_down: 11 }, /of other bytes or ids: claude-sonnet-5-5 stream/],
    ['of another request id', { request_id: 'req_2' }, /of other bytes or ids/],
    [
      'of a retry that nobody saw',
      { retry: true },
      /1 retries, but 0 requests came more than once/,
    ],
  ] as const) {
    test(`with a record ${what} fails`, async () => {
      assert.deepEqual(failing(await withRecord(evidence(), {})), []);
      const given = await withRecord(evidence(), change);
      assert.deepEqual(failing(given), ['records']);
      assert.match(detailOf(given, 'records'), words);
    });
  }

  test('with a misroute in the ledger alone fails', async () => {
    assert.deepEqual(failing(await withRecord(evidence(), { lane: 'zai' })), ['routing']);
  });

  test('may have tries that the twin never saw, where it closes idle connections', async () => {
    const given = await withRecord(evidence(), { retry: true });
    assert.deepEqual(failing({ ...given, unseenTriesMax: 1 }), []);
    const unseen = evidence({}, { tries: 2 });
    assert.deepEqual(failing({ ...unseen, ledger: { ...ledgerOf(unseen.counts), retries: 0 } }), [
      'records',
    ]);
  });

  test('may have exchanges that did not reach the twin, so far as its plan let that be', () => {
    const own = { status: 502, own: 'upstream_closed', stream: null, closed: false };
    const given = evidence(own, { fault: 'unreached', tries: 0 });
    assert.deepEqual(failing(given), ['streams']);
    assert.deepEqual(failing({ ...given, unseenTriesMax: 1 }), []);
  });

  test('whose client left once must have a record of it, of whatever kind', () => {
    const left = evidence({ failure: 'reset', status: 0, ended: false });
    assert.deepEqual(failing(left), ['streams']);
    const ledger = { ...ledgerOf(left.counts), records: 1 };
    assert.deepEqual(failing({ ...left, ledger }), ['streams', 'records']);
  });

  test('that was interrupted may have records of any kind, or none, of what it cut itself', async () => {
    const cut = { ...evidence({ failure: 'abandoned', ended: false }), interrupted: true };
    assert.equal(cut.counts.unforeseen, 1);
    assert.deepEqual(failing(cut), []);
    async function* both(sse: string) {
      yield RECORD;
      yield { ...RECORD, lane: 'zai', model: HAIKU, sse, intact: false };
    }
    assert.deepEqual(failing({ ...cut, ledger: await countRecords(both('client_gone')) }), []);
  });

  test('with an exchange that met a fault, and was delivered as sent, passes', () => {
    const met = ['reset_mid_stream'] as const;
    const broken = { ended: false, closed: false, failure: 'cut' } as const;
    const given = evidence(broken, { met });
    assert.deepEqual(failing(given), []);
    assert.deepEqual([given.counts.whole, given.counts.spoilt], [1, 1]);
    assert.deepEqual(given.counts.faults.get('reset_mid_stream'), { met: 1, delivered: 1 });
    assert.equal(given.counts.errors.size, 0);
    const mended = evidence(broken, { met, fault: 'altered' });
    assert.deepEqual(failing(mended), ['streams']);
    assert.deepEqual(mended.counts.faults.get('reset_mid_stream'), { met: 1, delivered: 0 });
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
      zero: 'above',
      boundPerMin: 1,
      verdict: 'leak',
    } as const;
    assert.deepEqual(failing({ ...evidence(), trends: [trend] }), ['leaks']);
    assert.deepEqual(failing({ ...evidence(), trends: [{ ...trend, verdict: 'unsteady' }] }), []);
    const short = { ...trend, verdict: 'too short to judge' } as const;
    const checks = judge({ ...evidence(), trends: [short] });
    assert.equal(checks.find((check) => check.name === 'leaks')?.met, null);
  });

  test('fails for one credential at the other upstream, where anybody could look', () => {
    const searched = { anthropic: 3, zai: 3 };
    const seen = (leaks: number) => ({ ...evidence(), isolation: { searched, leaks } });
    assert.deepEqual(failing(seen(0)), []);
    assert.deepEqual(failing(seen(1)), ['isolation']);
    assert(!judge(evidence()).some(({ name }) => name === 'isolation'));
  });

  test('without twin and ledger does not judge what it can not know', () => {
    const blind = judge({ ...evidence(), witnessed: false, ledger: null });
    const unknown = blind.flatMap((check) => (check.met === null ? [check.name] : []));
    assert.deepEqual(unknown, ['routing', 'records', 'leaks']);
  });
});

group('a drill with an agent', () => {
  const requests = {
    answered: 3,
    compared: 3,
    unknown: 0,
    differing: 0,
    missing: 0,
    notWhole: 0,
  };
  const SHOWN = { sha256: null, stream: null } as const;
  const ledgerWith = (records: number, more: readonly [string, number][] = []): LedgerCount => ({
    ...ledgerOf(evidence(SHOWN).counts),
    records,
    ways: new Map([['claude-sonnet-5-5 anthropic', 1], [`${HAIKU} zai`, records - 1], ...more]),
  });
  const given = (over: Partial<Evidence> = {}): Evidence => ({
    ...evidence(SHOWN),
    ledger: ledgerWith(3),
    requests,
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

  for (const [what, over, expected] of [
    ['a record of no request', { unknown: 1 }, 'records'],
    ['a record of other bytes', { differing: 1 }, 'records'],
    ['a request without a record', { missing: 1 }, 'records'],
    ['nothing compared', { compared: 0 }, 'records'],
    ['a stream that was asked for again unseen', { notWhole: 1 }, 'streams'],
  ] as const) {
    test(`fails with ${what}`, () => {
      assert.deepEqual(failing(given({ requests: { ...requests, ...over } })), [expected]);
    });
  }

  test('fails with fewer records than turns, with a twin to ask and without', () => {
    const ledger = ledgerWith(1);
    assert.deepEqual(failing(given({ ledger })), ['records']);
    const blind = { requests: { ...requests, answered: 0, compared: 0 }, witnessed: false };
    assert.deepEqual(failing(given({ ledger, ...blind })), ['records']);
    assert.deepEqual(failing(given(blind)), []);
  });

  test('fails with a record whose model does not belong to its lane, however many there may be', () => {
    const ledger = ledgerWith(3, [[`${HAIKU} anthropic`, 1]]);
    assert.deepEqual(failing(given({ ledger })), ['routing']);
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
  for (const index of [0, 1, 2]) counts.add(requestOf(plan, index, true), HEARD, sighting());
  const by = (haiku: string): Evidence => {
    const decisions = new Map([
      [haiku, 1],
      ['anthropic default', 2],
    ]);
    return { ...evidence(), name: 'warmup', counts, ledger: { ...ledgerOf(counts), decisions } };
  };
  assert.deepEqual(failing(by('zai forced_model')), []);
  assert.deepEqual(failing(by('zai subagent')), ['T1 haiku on zai']);
  assert.deepEqual(failing(by('anthropic paused')), ['T1 haiku on zai']);
});
