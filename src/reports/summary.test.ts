import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { REPORT_KEYS_MAX } from '../core/limits.ts';
import { anomalyRecord, temporaryDirectory, usageRecord } from '../ledger/fixtures.test.ts';
import { anomalyLine, usageLine } from '../ledger/lines.ts';
import type { AnomalyRecord, UsageRecord } from '../ledger/record.ts';
import { type Metrics, measure } from './metrics.ts';
import { summaryText } from './summary.ts';
import { verdictOf } from './verdict.ts';

interface Given {
  readonly usage?: readonly Partial<UsageRecord>[];
  readonly anomalies?: readonly Partial<AnomalyRecord>[];
  readonly more?: string;
}

async function metricsOf(t: TestContext, given: Given): Promise<Metrics> {
  const home = temporaryDirectory(t);
  const usage = (given.usage ?? []).map((changes) => usageLine(usageRecord(changes)));
  const anomalies = (given.anomalies ?? []).map((it) => anomalyLine(anomalyRecord(it)));
  mkdirSync(join(home, 'logs'));
  writeFileSync(join(home, 'logs', 'usage.jsonl'), [...usage, given.more ?? ''].join('\n'));
  writeFileSync(join(home, 'logs', 'anomalies.jsonl'), anomalies.join('\n'));
  return measure(home, Date.UTC(2026, 10, 26));
}

describe('the verdict', () => {
  for (const [what, given, state, words] of [
    ['on an empty ledger', {}, 'empty', /^Nothing recorded/],
    [
      'on good exchanges',
      { usage: [{}, {}] },
      'well',
      /^All well: 2 exchanges, no error; 2 streams/,
    ],
    [
      'lets a client leave',
      { usage: [{ sse: 'client_gone', intact: false }] },
      'well',
      /, 1 that the client left\.$/,
    ],
    [
      'on a cut stream',
      { usage: [{}, { sse: 'cut', intact: false }] },
      'attention',
      /^Attention: 2 exchanges; 1 cut/,
    ],
    ['on a stall', { usage: [{ sse: 'stalled', intact: false }] }, 'attention', /1 stalled/],
    [
      'on altered bytes',
      { usage: [{ sse: 'complete', intact: false }] },
      'attention',
      /1 not delivered as received/,
    ],
    ['on an error', { usage: [{ err_type: '5xx', status: 529 }] }, 'attention', /1 with an error/],
    ['on damage', { usage: [{}], more: 'x' }, 'attention', /1 damaged line in the ledger/],
    [
      'on a credential in the wrong lane',
      { usage: [{}], anomalies: [{ kind: 'lane_isolation', code: 'header' }] },
      'attention',
      /1 refused, since another lane’s credential/,
    ],
  ] as const satisfies readonly (readonly [string, Given, string, RegExp])[]) {
    test(what, async (t) => {
      const verdict = verdictOf(await metricsOf(t, given));
      assert.equal(verdict.state, state);
      assert.match(verdict.line, words);
      assert.equal(verdict.reasons.length > 0, state === 'attention');
    });
  }
});

describe('the summary', () => {
  test('has the figures of the metrics', async (t) => {
    const text = summaryText(
      await metricsOf(t, {
        usage: [
          { input_tokens: 1_234, latency_ms: 1_500 },
          { lane: 'zai', latency_ms: 12 },
        ],
        anomalies: [{ kind: 'retry', code: '429' }],
        more: '{"half',
      }),
    );
    assert.match(
      text,
      /^# Summary\n\n\*\*Attention: 2 exchanges; 1 damaged line in the ledger\.\*\*/,
    );
    assert.match(text, /\| anthropic \| 1 \| 0 \| 0\.0 % \| 1\.50 s \| 1\.50 s \| 3 ms/);
    assert.match(text, /\| anthropic \| 1,234 \| 2 \| 0 \| 0 \| 100\.0 % \|/);
    assert.match(text, /\| retry: 429 \| 1 \|/);
    assert.match(text, /1 line of the ledger \(1 of exchanges, 0 of anomalies\)/);
  });

  test('lets no name from outside be markup', async (t) => {
    const model = '<img src=x>|[a](http://b)\n# `c` **d** \u202e\u001b[2J';
    const text = summaryText(await metricsOf(t, { usage: [{ model }] }));
    const line = text.split('\n').find((row) => row.includes('img')) ?? '';
    assert(
      line.startsWith('| \\<img src=x\\>\\|\\[a\\](http://b)?\\# \\`c\\` \\*\\*d\\*\\* ??\\[2J |'),
      line,
    );
  });

  test('lists the largest groups and says how many it leaves out', async (t) => {
    const usage = Array.from({ length: REPORT_KEYS_MAX + 3 }, (_, n) => ({ model: `model-${n}` }));
    const text = summaryText(await metricsOf(t, { usage: [...usage, { model: 'model-22' }] }));
    assert.match(text, /\n\n3 more in METRICS\.json\./);
    assert.match(text, /\| model-22 \| 2 \|/);
  });
});
