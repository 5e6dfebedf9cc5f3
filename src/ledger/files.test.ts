import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { archivedFiles, ledgerFiles } from './files.ts';
import { temporaryDirectory, usageRecord } from './fixtures.test.ts';
import { usageLine } from './lines.ts';

test('an archive is the rotated files, compressed or not, and the current one, each once', async (t) => {
  const directory = temporaryDirectory(t);
  const names = [
    'usage.jsonl',
    'usage-20261103T000000000Z.jsonl',
    'usage-20261101T000000000Z.jsonl.gz',
    'usage-20261102T000000000Z.jsonl.zst',
    // Being compressed: both are there for a moment.
    'usage-20261103T000000000Z.jsonl.gz',
    'usage-mine.jsonl.gz',
    'usage.jsonl.gz',
    'anomalies-20261101T000000000Z.jsonl.gz',
  ];
  for (const name of names) writeFileSync(join(directory, name), '');
  const path = join(directory, 'usage.jsonl');
  const archived = (await archivedFiles(path)).map((file) => basename(file));
  assert.deepEqual(archived, [
    'usage-20261101T000000000Z.jsonl.gz',
    'usage-20261102T000000000Z.jsonl.zst',
    'usage-20261103T000000000Z.jsonl',
    'usage.jsonl',
  ]);
  const plain = (await ledgerFiles(path)).map((file) => basename(file));
  assert.deepEqual(plain, ['usage-20261103T000000000Z.jsonl', 'usage.jsonl']);
  assert.deepEqual(await archivedFiles(join(directory, 'none', 'usage.jsonl')), []);
});

test('half a character of a name is replaced: readers of the ledger refuse a line that has one', () => {
  const line = usageLine(usageRecord({ model: 'a\ud800b' }));
  assert.equal((JSON.parse(line) as { model: string }).model, 'a\ufffdb');
});
