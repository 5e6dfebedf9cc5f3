import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../ledger/fixtures.test.ts';
import { pruneSnapshots, snapshotName, snapshotsIn } from './snapshots.ts';
import { writeWhole } from './write.ts';

describe('snapshots of the metrics', () => {
  test('are pruned to the freshest; nothing else is touched', async (t) => {
    const results = temporaryDirectory(t);
    const names = [5, 1, 3].map((day) => snapshotName(Date.UTC(2026, 10, day)));
    const others = ['METRICS.json', 'SUMMARY.md', 'METRICS-mine.json'];
    for (const name of [...names, ...others]) writeFileSync(join(results, name), '{}');
    const { removed, kept } = await pruneSnapshots(results, 2);
    assert.deepEqual(removed, ['METRICS-20261101T000000000Z.json']);
    assert.deepEqual(kept, [
      'METRICS-20261103T000000000Z.json',
      'METRICS-20261105T000000000Z.json',
    ]);
    assert.deepEqual(readdirSync(results).sort(), [...kept, ...others].sort());
    assert.deepEqual((await pruneSnapshots(results, 0)).kept, []);
    assert.deepEqual(await snapshotsIn(results), []);
  });

  test('need not be there', async (t) => {
    const results = join(temporaryDirectory(t), 'none');
    assert.deepEqual(await pruneSnapshots(results, 3), { removed: [], kept: [] });
  });
});

describe('a file of results', () => {
  test('replaces the former one whole, and is private', async (t) => {
    const file = join(temporaryDirectory(t), 'results', 'a.txt');
    await writeWhole(file, 'one');
    await writeWhole(file, 'two');
    assert.equal(readFileSync(file, 'utf8'), 'two');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(file, '..')), ['a.txt']);
  });

  test('that can not be put in its place leaves nothing behind', async (t) => {
    const folder = temporaryDirectory(t);
    mkdirSync(join(folder, 'taken', 'inside'), { recursive: true });
    await assert.rejects(writeWhole(join(folder, 'taken'), 'text'));
    assert.deepEqual(readdirSync(folder), ['taken']);
  });
});
