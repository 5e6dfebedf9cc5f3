import { strict as assert } from 'node:assert';
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openLedger } from './file-ledger.ts';
import { rotatedPath } from './files.ts';
import { rids, temporaryDirectory, usageRecord } from './fixtures.test.ts';
import { type FollowOptions, followUsage } from './follow.ts';

const TEST_MS_MAX = 10_000;

function lineOf(rid: string): string {
  return `${JSON.stringify(usageRecord({ rid }))}\n`;
}

/** Follows until the test ends; `next` gives the ids of the next records. */
function follow(t: TestContext, path: string, options: FollowOptions = {}) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const records = followUsage(path, { ...options, signal: stop.signal });
  return async (count: number): Promise<string[]> => {
    const found: string[] = [];
    while (found.length < count) {
      const { value, done } = await records.next();
      if (done === true) break;
      found.push(value.rid);
    }
    return found;
  };
}

test('records come as they are added, from the end of what was there', {
  timeout: TEST_MS_MAX,
}, async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(path, lineOf('old'));
  const next = follow(t, path);
  const first = next(1);
  appendFileSync(path, lineOf('r0').slice(0, 20));
  appendFileSync(path, lineOf('r0').slice(20));
  assert.deepEqual(await first, ['r0']);
  appendFileSync(path, `damaged\n\n${lineOf('r1')}${lineOf('r2')}`);
  assert.deepEqual(await next(2), ['r1', 'r2']);
});

test('from the start, what was there comes first', { timeout: TEST_MS_MAX }, async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(path, lineOf('r0'));
  assert.deepEqual(await follow(t, path, { from: 'start' })(1), ['r0']);
});

test('a file that does not exist yet is waited for, its directory too', {
  timeout: TEST_MS_MAX,
}, async (t) => {
  const directory = join(temporaryDirectory(t), 'logs');
  const path = join(directory, 'usage.jsonl');
  const first = follow(t, path)(1);
  mkdirSync(directory);
  writeFileSync(path, lineOf('r0'));
  assert.deepEqual(await first, ['r0']);
});

test('no record is missed when the file is rotated, even twice between two looks', {
  timeout: TEST_MS_MAX,
}, async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(path, lineOf('r0'));
  const next = follow(t, path, { from: 'start' });
  assert.deepEqual(await next(1), ['r0']);
  appendFileSync(path, lineOf('r1'));
  renameSync(path, rotatedPath(path, 1_000));
  writeFileSync(path, lineOf('r2'));
  renameSync(path, rotatedPath(path, 2_000));
  writeFileSync(path, lineOf('r3'));
  assert.deepEqual(await next(3), ['r1', 'r2', 'r3']);
});

test('a rotating ledger is followed record by record', { timeout: TEST_MS_MAX }, async (t) => {
  const dir = temporaryDirectory(t);
  const options = { bytesMax: 3_000, filesMax: 1_000, onFault: assert.fail };
  const ledger = openLedger({ dir, filterChain: false, ...options });
  await ledger.flush();
  const next = follow(t, join(dir, 'usage.jsonl'), { from: 'start' });
  const followed = next(60);
  for (const rid of rids(60)) {
    ledger.record(usageRecord({ rid }));
    await ledger.flush();
  }
  assert.deepEqual(await followed, rids(60));
  await ledger.close();
});

test('a truncated file is read from its beginning, a removed one when it is there again', {
  timeout: TEST_MS_MAX,
}, async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  writeFileSync(path, lineOf('r0') + lineOf('r1'));
  const next = follow(t, path, { from: 'start' });
  assert.deepEqual(await next(2), ['r0', 'r1']);
  truncateSync(path, 0);
  appendFileSync(path, lineOf('r2'));
  assert.deepEqual(await next(1), ['r2']);
  writeFileSync(rotatedPath(path, 1_000), lineOf('older'));
  rmSync(path);
  const after = next(1);
  writeFileSync(path, lineOf('r3'));
  assert.deepEqual(await after, ['r3']);
});

test('the abort ends the following without an error', { timeout: TEST_MS_MAX }, async (t) => {
  const path = join(temporaryDirectory(t), 'usage.jsonl');
  const stop = new AbortController();
  const records = followUsage(path, { signal: stop.signal });
  const waiting = records.next();
  stop.abort();
  assert.deepEqual(await waiting, { value: undefined, done: true });
});
