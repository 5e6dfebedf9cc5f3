import { strict as assert } from 'node:assert';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { LEDGER_LINE_BYTES_MAX } from '../core/limits.ts';
import { openLedger } from './file-ledger.ts';
import { rotatedPath } from './files.ts';
import { anomalyRecord, rids, temporaryDirectory, usageRecord } from './fixtures.test.ts';
import { LineSplitter } from './lines-reader.ts';
import { type RecordReader, readAnomalies, readUsage } from './read.ts';

async function ridsIn(reader: RecordReader<{ readonly rid: string | null }>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const record of reader) found.push(record.rid);
  return found;
}

function lineOf(rid: string): string {
  return `${JSON.stringify(usageRecord({ rid }))}\n`;
}

test('what the ledger wrote is read back in its order, through every rotated file', async (t) => {
  const dir = temporaryDirectory(t);
  const ledger = openLedger({
    dir,
    filterChain: false,
    bytesMax: 5_000,
    filesMax: 100,
    onFault: assert.fail,
  });
  for (const rid of rids(100)) {
    ledger.record(usageRecord({ rid }));
    ledger.anomaly(anomalyRecord({ rid }));
    await ledger.flush();
  }
  await ledger.close();
  const usage = readUsage(join(dir, 'usage.jsonl'));
  assert.deepEqual(await ridsIn(usage), rids(100));
  assert.equal(usage.damaged, 0);
  assert.deepEqual(await ridsIn(readAnomalies(join(dir, 'anomalies.jsonl'))), rids(100));
});

test('rotated files come before the current one, oldest first; other files do not come', async (t) => {
  const dir = temporaryDirectory(t);
  const path = join(dir, 'usage.jsonl');
  writeFileSync(path, lineOf('r2'));
  writeFileSync(rotatedPath(path, Date.UTC(2025, 1, 2)), lineOf('r1'));
  writeFileSync(rotatedPath(path, Date.UTC(2024, 11, 31)), lineOf('r0'));
  writeFileSync(join(dir, 'usage-copy.jsonl'), lineOf('no'));
  writeFileSync(join(dir, 'usage-20250101T000000000Z.jsonl.gz'), 'no');
  assert.deepEqual(await ridsIn(readUsage(path)), rids(3));
  assert.match(rotatedPath(path, 0), /usage-19700101T000000000Z\.jsonl$/);
});

test('a file that is rotated while it is read is read once', async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(rotatedPath(path, 1_000), lineOf('r0'));
  writeFileSync(path, lineOf('r1'));
  const found: string[] = [];
  for await (const { rid } of readUsage(path)) {
    found.push(rid);
    if (rid !== 'r0') continue;
    renameSync(path, rotatedPath(path, 2_000));
    writeFileSync(path, lineOf('newer'));
  }
  assert.deepEqual(found, rids(2));
});

test('several ledgers are read one after the other, and missing ones have no records', async (t) => {
  const dir = temporaryDirectory(t);
  const paths = ['a.jsonl', 'b.jsonl', 'missing/usage.jsonl'].map((name) => join(dir, name));
  writeFileSync(paths[0] ?? '', lineOf('r0'));
  writeFileSync(paths[1] ?? '', lineOf('r1'));
  assert.deepEqual(await ridsIn(readUsage(paths)), rids(2));
});

test('damaged lines are counted and passed over, empty ones passed over', async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  const damaged = ['{"ts":1,"ri', 'null', '7', '{"rid":"no time"}', 'x'];
  writeFileSync(path, `${lineOf('r0')}\n${damaged.join('\n')}\n${lineOf('r1')}{"ts":2,"rid":"r`);
  const reader = readUsage(path);
  assert.deepEqual(await ridsIn(reader), rids(2));
  assert.equal(reader.damaged, damaged.length + 1);
});

test('a last line without its newline is a record if it is whole', async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(path, lineOf('r0') + lineOf('r1').trimEnd());
  assert.deepEqual(await ridsIn(readUsage(path)), rids(2));
});

test('a line longer than any record is damage, not memory', async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(path, lineOf('r0'));
  appendFileSync(path, `{"ts":1,"pad":"${'x'.repeat(LEDGER_LINE_BYTES_MAX)}"}\n`);
  appendFileSync(path, lineOf('r1'));
  const reader = readUsage(path);
  assert.deepEqual(await ridsIn(reader), rids(2));
  assert.equal(reader.damaged, 1);
});

test('lines are the same wherever the pieces of a file are cut', () => {
  const texts = fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ')));
  fc.assert(
    fc.property(texts, fc.array(fc.nat({ max: 300 })), (lines, cuts) => {
      const whole = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const splitter = new LineSplitter();
      const edges = [0, ...cuts.sort((a, b) => a - b), whole.length];
      const found = edges.flatMap((edge, index) =>
        splitter.push(whole.subarray(edge, edges[index + 1] ?? edge)),
      );
      assert.deepEqual(found, whole.toString().split('\n').slice(0, -1));
      assert.equal(splitter.end(), undefined);
    }),
  );
});
