import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryUse } from './memory-use.ts';

test('memory that can not be told is as it was', (t) => {
  const { rss, heapUsed } = memoryUse();
  assert(rss > 0 && heapUsed > 0);
  t.mock.method(process, 'memoryUsage', () => {
    throw new Error('EMFILE: too many open files, uv_resident_set_memory');
  });
  assert.deepEqual(memoryUse(), { rss, heapUsed });
});
