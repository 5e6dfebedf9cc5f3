import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELD_TOTAL_BYTES_MAX } from './core/limits.ts';
import { heldBytesMax, memoryUse } from './memory-use.ts';

const GB = 2 ** 30;

test('bodies are held in a share of the memory that there is', () => {
  assert.equal(heldBytesMax(0, 16 * GB), HELD_TOTAL_BYTES_MAX);
  assert.equal(heldBytesMax(2 ** 64, 1 * GB), GB / 4, 'a limit that is none');
  assert.equal(heldBytesMax(GB / 2, 16 * GB), GB / 8, 'limited by a group');
});

test('memory that can not be told is as it was', (t) => {
  const { rss, heapUsed } = memoryUse();
  assert(rss > 0 && heapUsed > 0);
  t.mock.method(process, 'memoryUsage', () => {
    throw new Error('EMFILE: too many open files, uv_resident_set_memory');
  });
  assert.deepEqual(memoryUse(), { rss, heapUsed });
});
