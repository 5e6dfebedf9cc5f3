import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { REPORT_STEPS_MAX } from '../core/limits.ts';
import { temporaryDirectory, usageRecord } from '../ledger/fixtures.test.ts';
import { usageLine } from '../ledger/lines.ts';
import type { UsageRecord } from '../ledger/record.ts';
import { openDatabase } from './database.ts';
import { extentOf } from './extent.ts';
import { EVERYTHING, loadLedger } from './source.ts';
import { type Timeline, timelineOf } from './timeline.ts';

const NOON = Date.UTC(2026, 10, 26, 12) / 1000;

async function timeline(
  t: TestContext,
  records: readonly Partial<UsageRecord>[],
): Promise<Timeline | null> {
  const logs = temporaryDirectory(t);
  const lines = records.map((changes) => usageLine(usageRecord(changes)));
  writeFileSync(join(logs, 'usage.jsonl'), lines.join('\n'));
  const database = await openDatabase();
  t.after(() => database.close());
  await loadLedger(database, logs, EVERYTHING);
  return timelineOf(database, (await extentOf(database)).usage);
}

test('time is cut into steps that a clock knows; what began in a step is counted there', async (t) => {
  const found = await timeline(t, [
    { ts: NOON + 61, latency_ms: 5 },
    { ts: NOON + 62, lane: 'zai', err_type: '429' },
    { ts: NOON + 63, lane: 'zai' },
    { ts: NOON + 3_599, lane: 'zai', latency_ms: 7 },
  ]);
  assert.deepEqual([found?.from, found?.stepSeconds, found?.steps], [NOON + 60, 60, 59]);
  const [zai, anthropic] = found?.exchanges ?? [];
  assert.deepEqual([zai?.name, zai?.values[0], zai?.values.at(-1)], ['zai', 2, 1]);
  assert.deepEqual(
    [anthropic?.name, anthropic?.values[0], anthropic?.values[1]],
    ['anthropic', 1, 0],
  );
  assert.deepEqual(
    found?.p50.map(({ name, values }) => [name, values[1], values.at(-1)]),
    [
      ['zai', null, 7],
      ['anthropic', null, null],
    ],
  );
  assert.deepEqual(
    found?.errors.map(({ name, values }) => [name, values[0]]),
    [['429', 1]],
  );
});

test('a single exchange is one step, and no exchange is none', async (t) => {
  assert.equal((await timeline(t, [{ ts: NOON }]))?.steps, 1);
  assert.equal(await timeline(t, []), null);
});

test('a clock that was wrong by decades costs no more steps than any other', async (t) => {
  const found = await timeline(t, [{ ts: 0 }, { ts: NOON }, { ts: 4_000_000_000 }]);
  assert(found !== null && found.steps <= REPORT_STEPS_MAX);
  const sum = found.exchanges[0]?.values.reduce<number>((total, value) => total + (value ?? 0), 0);
  assert.equal(sum, 3);
});
