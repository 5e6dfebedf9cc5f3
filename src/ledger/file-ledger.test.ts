import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLedger } from './file-ledger.ts';
import {
  anomalyRecord,
  linesOf,
  ridsOf,
  temporaryDirectory,
  usageRecord,
} from './fixtures.test.ts';
import type { UsageRecord } from './record.ts';

const silent = (): void => undefined;

test('one record is one line, with the fields of the contract in their order and no others', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({ dir, filterChain: false, onFault: silent });
  const { ts, ...rest } = usageRecord();
  const shuffled = { authorization: 'never', ...rest, ts: ts + 0.0001 } as UsageRecord;
  ledger.record(shuffled);
  ledger.anomaly(anomalyRecord());
  await ledger.close();
  const [line] = linesOf(join(dir, 'usage.jsonl'));
  assert.equal(line, JSON.stringify(usageRecord()));
  const source = readFileSync(new URL('./record.ts', import.meta.url), 'utf8');
  const [, declared = ''] = /interface UsageRecord \{([\s\S]*?)\n\}/.exec(source) ?? [];
  const names = [...declared.matchAll(/readonly (\w+):/g)].map((match) => match[1]);
  assert.deepEqual(Object.keys(JSON.parse(line ?? '')), names);
  assert.deepEqual(linesOf(join(dir, 'anomalies.jsonl')), [JSON.stringify(anomalyRecord())]);
});

test('with the filter chain only /v1/messages is recorded, and every anomaly', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({ dir, filterChain: true, onFault: silent });
  const paths = ['/v1/messages', '/v1/messages/count_tokens', '/v1/models'];
  for (const path of paths) ledger.record(usageRecord({ rid: path, path }));
  ledger.anomaly(anomalyRecord());
  ledger.setFilter(false);
  ledger.record(usageRecord({ rid: 'unfiltered', path: '/v1/models' }));
  await ledger.close();
  assert.deepEqual(ridsOf(join(dir, 'usage.jsonl')), ['/v1/messages', 'unfiltered']);
  assert.equal(linesOf(join(dir, 'anomalies.jsonl')).length, 1);
});

test('flushing means that everything recorded so far is on disk', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({ dir, filterChain: false, onFault: silent });
  ledger.record(usageRecord({ rid: 'a' }));
  await ledger.flush();
  assert.deepEqual(ridsOf(join(dir, 'usage.jsonl')), ['a']);
  const { written, dropped, fault, path } = ledger.stats();
  assert.deepEqual([written, dropped, fault, path], [1, 0, null, join(dir, 'usage.jsonl')]);
  await ledger.close();
});

test('a record that can not be written as JSON is counted, and recording does not throw', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({ dir, filterChain: false, onFault: silent });
  ledger.record(usageRecord({ rid: 1n as unknown as string }));
  ledger.anomaly(anomalyRecord({ attempt: 1n as unknown as number }));
  await ledger.close();
  assert.equal(ledger.stats().dropped, 1);
  assert.equal(ledger.stats().anomalies.dropped, 1);
});

test('a credential that stands where a name belongs does not reach the disk', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({ dir, filterChain: false, onFault: silent });
  const canary = 'sk-ant-api03-CANARY-canary-canary';
  ledger.record(
    usageRecord({
      model: canary,
      model_sent: `x ${canary}`,
      model_served: canary,
      path: `/v1/${canary}`,
      request_id: canary,
    }),
  );
  ledger.anomaly(anomalyRecord({ detail: `refused authorization: Bearer ${canary}` }));
  await ledger.close();
  for (const name of ['usage.jsonl', 'anomalies.jsonl']) {
    assert.doesNotMatch(readFileSync(join(dir, name), 'utf8'), /CANARY/);
  }
});

test('half a record left by a crash is kept apart and told as an anomaly', async (t) => {
  const dir = temporaryDirectory(t);
  writeFileSync(join(dir, 'usage.jsonl'), '{"ts":1,"rid":"ha');
  const ledger = openLedger({ dir, filterChain: false, onFault: silent });
  ledger.record(usageRecord({ rid: 'next' }));
  await ledger.close();
  assert.equal(linesOf(join(dir, 'usage.jsonl')).length, 2);
  const [anomaly] = linesOf(join(dir, 'anomalies.jsonl'));
  const { kind, code, detail } = JSON.parse(anomaly ?? '{}') as Record<string, string>;
  assert.deepEqual([kind, code], ['internal', 'torn_line']);
  assert.match(detail ?? '', /^usage\.jsonl ended in 17 bytes/);
});

test('a full disk under one file leaves the other one working, and both are in the facts', async (t) => {
  const dir = join(temporaryDirectory(t), 'logs');
  mkdirSync(dir);
  symlinkSync('/dev/full', join(dir, 'anomalies.jsonl'));
  const faults: string[] = [];
  const ledger = openLedger({ dir, filterChain: false, onFault: (fault) => faults.push(fault) });
  ledger.record(usageRecord());
  ledger.anomaly(anomalyRecord());
  await ledger.flush();
  assert.match(ledger.stats().fault ?? '', /anomalies\.jsonl.*ENOSPC/);
  assert.equal(ledger.stats().written, 1);
  await ledger.close();
  assert.equal(faults.length, 2);
  assert.equal(ledger.stats().anomalies.dropped, 1);
});

test('the end of the process loses nothing that was recorded', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({ dir, filterChain: false, onFault: silent });
  ledger.record(usageRecord({ rid: 'a' }));
  ledger.anomaly(anomalyRecord());
  ledger.closeSync();
  assert.deepEqual(ridsOf(join(dir, 'usage.jsonl')), ['a']);
  assert.equal(linesOf(join(dir, 'anomalies.jsonl')).length, 1);
  await ledger.flush();
});
